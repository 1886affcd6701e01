"""HTTP/1.1 as uvicorn speaks it, with bounds on a request's head and refusals as problems."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api_schemas.common import Problem
from service.ids import new_id
from service.problems import MEDIA_TYPE

MAX_HEAD = 64 << 10  # bytes of a request line and its header fields, about
HEAD_SECONDS = 30.0

log = logging.getLogger(__name__)


class BoundedHead(HttpToolsProtocol):
    """A connection that ends with a request whose head is too large, too slow or none."""

    _head: int | None = 0  # bytes of a head that is being received
    _late: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        late = self._late
        super().data_received(data)
        if self._head is None or self._late is not late:  # there is none, or it has just begun
            return
        self._head += len(data)
        if self._head > MAX_HEAD:
            detail = f"the request line and the header fields are larger than {MAX_HEAD:,} bytes"
            self._refuse(431, code="head_too_large", detail=detail)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head is None:  # not the connection's first
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head = None
        self._late.cancel()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, code="malformed_http", detail=msg)

    def _await_head(self) -> None:
        self._head = 0
        self._late = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _too_late(self) -> None:
        if not self._head:  # nothing is asked
            self.transport.close()
            return
        detail = f"the request line and the header fields took over {HEAD_SECONDS:g} s"
        self._refuse(408, code="head_too_slow", detail=detail)

    def _refuse(self, status: int, **told: Any) -> None:
        if self.transport.is_closing():
            return
        phrase, request_id = HTTPStatus(status).phrase, new_id("req")
        log.warning("request %s refused: %s", request_id, told["detail"])
        problem = Problem(status=status, title=phrase, request_id=request_id, **told)
        body = problem.model_dump_json().encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nconnection: close\r\nx-request-id: {request_id}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
