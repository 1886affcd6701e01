"""What routes are given: the parts of the running service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from service.archives.export import Exporter
from service.archives.imports import Importer
from service.database import Database
from service.event_stream import EventStreams
from service.inference import Inference
from service.metrics import Metrics
from service.queue import JobQueue
from service.settings import Settings
from service.storage import Storage
from service.uploads import Form, receive


@dataclass(frozen=True)
class Parts:
    """Everything a route works with, made once an application."""

    settings: Settings
    database: Database
    storage: Storage
    queue: JobQueue
    inference: Inference
    metrics: Metrics
    exporter: Exporter
    importer: Importer
    streams: EventStreams


async def all_parts(request: Request) -> Parts:
    """The parts for a route that anyone may call and that shows nobody's data."""
    parts: Parts = request.app.state.parts
    return parts


async def parts_of(request: Request) -> Parts:
    """The parts in the caller's name: the database shows what is the caller's."""
    parts = await all_parts(request)
    return replace(parts, database=parts.database.used_by(request.state.caller))


PartsDep = Annotated[Parts, Depends(parts_of)]
OpenPartsDep = Annotated[Parts, Depends(all_parts)]


async def received_file(request: Request, parts: PartsDep) -> AsyncIterator[Form]:
    """The file of a request, which lasts as long as that. Raises BadRequest or TooLarge."""
    async with receive(request, parts.storage) as form:
        yield form


FileDep = Annotated[Form, Depends(received_file)]
