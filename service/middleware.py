"""What happens to every request before a route sees it."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from structlog.contextvars import bound_contextvars

from service.errors import RequestTimeout, TooLarge
from service.ids import new_id
from service.media import base_type

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Observer = Callable[[str, str, int, float], None]

CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
SLOWEST_BODY = 16 << 10  # bytes a second

log = logging.getLogger(__name__)


class Observed:
    """Gives each request an id, the client's own if it is a plain word, and answers with it.

    Each ends as one line in the log and one call of ``observe`` (method, route template, status,
    seconds). Neither path nor query is logged: they may hold what is secret. Header fields that a
    dependency left in ``request.state.headers`` go out with the answer, whoever makes that.
    """

    def __init__(self, app: App, observe: Observer) -> None:
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = _header(scope, b"x-request-id")
        request_id = given if CLIENT_REQUEST_ID.fullmatch(given) else new_id("req")
        state = scope.setdefault("state", {})
        state |= {"request_id": request_id, "headers": {"X-Request-ID": request_id}, "key": None}
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(k.lower().encode(), v.encode()) for k, v in state["headers"].items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_headers)
            finally:
                self._note(scope, state, status, time.perf_counter() - started)

    def _note(self, scope: Scope, state: dict[str, Any], status: int, seconds: float) -> None:
        route = scope.get("route")
        template = route.path if route else "unknown"
        about = {"method": scope["method"], "route": template, "status": status}
        log.info("request", extra={**about, "ms": round(1000 * seconds, 1), "key": state["key"]})
        self.observe(scope["method"], template, status, seconds)


class HeadAsGet:
    """Answers HEAD as GET is answered, without the body."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})  # a stream sees that nobody listens

        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_head)
        finally:
            scope["route"] = as_get.get("route")


class BodyLimit:
    """Refuses bodies that are too large or too slow, whether or not their length is declared."""

    def __init__(self, app: App, cap_of: Callable[[str, str], int], seconds: float) -> None:
        """``cap_of`` gives the bytes that a path takes of a media type."""
        self.app = app
        self.cap_of = cap_of
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cap = self.cap_of(scope["path"], base_type(_header(scope, b"content-type")))
        declared = _header(scope, b"content-length")
        received, waited, is_whole = 0, 0.0, False

        async def receive_capped() -> Message:
            nonlocal received, waited, is_whole
            if is_whole:  # all that can come now is the client's leaving
                return await receive()
            if declared.isdigit() and int(declared) > cap:
                raise _over(cap)
            asked = time.monotonic()
            try:
                left = self.seconds + received / SLOWEST_BODY - waited
                async with asyncio.timeout(left):
                    message = await receive()
            except TimeoutError as error:
                raise _too_slow() from error
            waited += time.monotonic() - asked
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received > cap:
                raise _over(cap)
            return message

        await self.app(scope, receive_capped, send)


def _header(scope: Scope, name: bytes) -> str:
    found = (value for key, value in scope["headers"] if key == name)
    value: bytes = next(found, b"")
    return value.decode("latin-1")


def _over(cap: int) -> TooLarge:
    return TooLarge("body_too_large", f"the body is larger than {cap:,} bytes")


def _too_slow() -> RequestTimeout:
    detail = f"the body came slower than {SLOWEST_BODY:,} bytes a second"
    return RequestTimeout("body_too_slow", detail, headers={"Connection": "close"})
