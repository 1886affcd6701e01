"""Connections on raw sockets: heads without bounds, what is no HTTP, and HEAD."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from service import protocol
from service.middleware import HeadAsGet, Message, Receive, Scope, Send
from service.protocol import BoundedHead

START = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without end, until nobody listens."""
    if scope["type"] != "http":
        return
    await receive()
    start: Message = {"type": "http.response.start", "status": 200}
    await send({**start, "headers": [(b"method", scope["method"].encode())]})
    while scope["path"] == "/stream" and (await receive())["type"] != "http.disconnect":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await send({"type": "http.response.body", "body": b"xyz"})


@pytest.fixture
def port() -> Iterator[int]:
    config = uvicorn.Config(
        HeadAsGet(endless), http=BoundedHead, lifespan="off", log_level="warning"
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def talk(port: int, *parts: bytes, pause: float = 0) -> tuple[bytes, dict[str, Any]]:
    """The status line and problem that come of what is sent, until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while received := connection.recv(1 << 16):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.splitlines()[0] if head else b"", json.loads(body) if body else {}


@pytest.mark.parametrize(
    "field", [b"a: " + b"x" * (1 << 17), b"".join(b"h%d: x\r\n" % i for i in range(20_000))]
)
def test_a_head_has_bounds(port: int, field: bytes) -> None:
    try:
        status, problem = talk(port, START + field[:60_000], field[60_000:120_000], pause=0.1)
    except ConnectionResetError:  # it had enough before all was sent
        return
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert problem["code"] == "head_too_large"


def test_a_head_that_stalls(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    status, problem = talk(port, START)
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert problem["code"] == "head_too_slow"
    assert talk(port) == (b"", {})  # who asks nothing is told nothing


def test_what_is_no_http(port: int) -> None:
    status, problem = talk(port, b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"
    assert problem["code"] == "malformed_http"


def test_many_requests_on_a_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_HEAD", 500)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(20):
            assert http.post("/", content=b"x" * 10_000).text == "xyz"


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_head_is_get_without_the_body(port: int, path: str) -> None:
    answer = httpx.head(f"http://127.0.0.1:{port}{path}")
    assert (answer.status_code, answer.headers["method"], answer.content) == (200, "GET", b"")
