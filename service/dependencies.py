"""What routes are given: the parts of the running service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from service.access import CallerDep
from service.archives.export import Exporter
from service.archives.imports import Importer
from service.database import Database
from service.errors import InvalidInput
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


async def parts_of(request: Request, caller: CallerDep) -> Parts:
    """The parts in the caller's name: the database shows what is the caller's."""
    parts = await all_parts(request)
    return replace(parts, database=parts.database.used_by(caller))


async def refuse_unknown_query(request: Request) -> None:
    """Raise InvalidInput for a query parameter that the route does not have: it would be a typo."""
    if not request.scope["query_string"]:
        return
    known = _query_names(request.scope["route"].dependant)
    for name in request.query_params:
        if name not in known:
            taken = ", ".join(sorted(known)) or "none"
            raise InvalidInput.at("query", name, msg=f"unknown parameter; this call takes {taken}")


def _query_names(dependant: Dependant) -> set[str]:
    names: set[str] = set()
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names.update(kind.model_fields)
        else:
            names.add(field.alias)
    return names.union(*(_query_names(inner) for inner in dependant.dependencies))


PartsDep = Annotated[Parts, Depends(parts_of)]
OpenPartsDep = Annotated[Parts, Depends(all_parts)]


async def received_file(request: Request, parts: PartsDep) -> AsyncIterator[Form]:
    """The file of a request, which lasts as long as that. Raises BadRequest or TooLarge."""
    async with receive(request, parts.storage) as form:
        yield form


FileDep = Annotated[Form, Depends(received_file)]
