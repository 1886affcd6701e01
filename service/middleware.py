"""What happens to every request before a route sees it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from service.errors import TooLarge
from service.ids import new_id
from service.media import base_type

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class RequestId:
    """Gives each request an id, the client's own if it is a plain word, and answers with it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = _header(scope, b"x-request-id")
        request_id = given if CLIENT_REQUEST_ID.fullmatch(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        await self.app(scope, receive, send_with_id)


class BodyLimit:
    """Refuses bodies over a cap before they are parsed, whether or not their length is declared."""

    def __init__(self, app: App, cap_of: Callable[[str, str], int]) -> None:
        """``cap_of`` gives the bytes that a path takes of a media type."""
        self.app = app
        self.cap_of = cap_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cap = self.cap_of(scope["path"], base_type(_header(scope, b"content-type")))
        declared = _header(scope, b"content-length")
        received = 0

        async def receive_capped() -> Message:
            nonlocal received
            if declared.isdigit() and int(declared) > cap:
                raise _over(cap)
            message = await receive()
            received += len(message.get("body", b""))
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
