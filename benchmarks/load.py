"""A load generator: connections that each send one request after the other, as fast as answered.

`python -m benchmarks.load URL BODY CONNECTIONS SECONDS` prints one line of JSON. It sends the same
bytes over and over and looks at no more of an answer than its status and length, on one core.
"""

import asyncio
import json
import re
import sys
from statistics import quantiles
from subprocess import PIPE, run
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

import uvloop

WARM_SECONDS = 0.5
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def measure(url: str, body: str, connections: int, seconds: float) -> dict[str, float]:
    """Requests/s, latencies in ms and the generator's own share of a core, of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.load", url, body, str(connections), str(seconds)]
    done = run(command, stdout=PIPE, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


async def _load(url: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    parts = urlsplit(url)
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop = asyncio.get_running_loop()
    host, port = parts.netloc.split(":")
    clients = [
        (await loop.create_connection(lambda: _Client(request), host, int(port)))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(WARM_SECONDS)
    for client in clients:
        client.seconds.clear()
    started, busy = perf_counter(), process_time()
    await asyncio.sleep(seconds)
    took, busy = perf_counter() - started, process_time() - busy
    if failures := [client.failure for client in clients if client.failure]:
        sys.exit(failures[0])
    latencies = [latency for client in clients for latency in client.seconds]
    percentiles = quantiles(latencies, n=100)
    return {
        "requests_a_second": len(latencies) / took,
        "p50_ms": percentiles[49] * 1e3,
        "p99_ms": percentiles[98] * 1e3,
        "generator_busy": busy / took,
    }


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes) -> None:
        self.seconds: list[float] = []
        self.failure = ""
        self._request = request
        self._received = b""
        self._sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        if not length or b" 200 " not in head.split(b"\r\n", 1)[0]:
            self.failure = f"unexpected answer: {self._received!r}"
            return
        self.seconds.append(perf_counter() - self._sent)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self.failure = self.failure or f"a connection was lost: {error}"

    def _send(self) -> None:
        self._received = b""
        self._sent = perf_counter()
        self._transport.write(self._request)


if __name__ == "__main__":
    url, body, connections, seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(_load(url, body.encode(), int(connections), float(seconds)))))
