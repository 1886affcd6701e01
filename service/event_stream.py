"""A job's log as it grows, as server-sent events; from the database, which all processes share."""

import asyncio
import logging
from collections.abc import AsyncIterator

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from api_schemas.jobs import JobEvent
from service import events, jobs, media
from service.database import Database
from service.errors import NotFound
from service.transitions import ENDED

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0  # proxies cut what is silent for longer, often after 30
RETRY_MILLISECONDS = 2000  # after which a client whose stream was cut should come back
BATCH = 100
READERS = 4
LOOKS_A_SECOND = 200

log = logging.getLogger(__name__)


class EventStream(StreamingResponse):
    """Ends as a whole answer when the server stops; its client comes back to the next one."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(parts, headers=headers, media_type=media.EVENTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b""})


class EventStreams:
    """The streams of one API process. Between looks they hold no thread and no connection; their
    looks have threads of their own, and are the rarer the more streams there are, so that any
    number of them leaves the process to other requests.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers = CapacityLimiter(READERS)
        self._open = 0

    async def follow(self, job_id: str, after: int) -> AsyncIterator[bytes]:
        """The events that follow number ``after``, until the job has ended and all are told."""
        self._open += 1
        try:
            async for part in self._follow(job_id, after):
                yield part
        except NotFound:  # deleted meanwhile, once it had ended: there is no more to tell
            return
        except SQLAlchemyError as error:  # the client comes back with Last-Event-ID
            log.warning("stream of job %s cut: %s", job_id, error)
        finally:
            self._open -= 1

    async def _follow(self, job_id: str, after: int) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=RETRY_MILLISECONDS)
        told = anyio.current_time()
        while True:
            found, is_all = await self._look(job_id, after)
            for event in found:
                yield format_sse_event(
                    data_str=event.model_dump_json(), event=event.type, id=event.id
                )
            if is_all:
                return
            if found:
                after, told = int(found[-1].id), anyio.current_time()
            elif anyio.current_time() - told >= HEARTBEAT_SECONDS:
                yield format_sse_event(comment="heartbeat")
                told = anyio.current_time()
            if len(found) < BATCH:
                await anyio.sleep(max(POLL_SECONDS, self._open / LOOKS_A_SECOND))

    async def _look(self, job_id: str, after: int) -> tuple[list[JobEvent], bool]:
        """The next events, and whether there will be no more."""
        return await to_thread.run_sync(self._read, job_id, after, limiter=self._readers)

    def _read(self, job_id: str, after: int) -> tuple[list[JobEvent], bool]:
        with self._database.read() as session:
            has_ended = jobs.get(session, job_id).status in ENDED  # first: its event came with it
            page = events.page(session, job_id, after, BATCH)
        return page.data, has_ended and not page.has_more
