"""What routes are given: the parts of the running service."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.database import Database
from service.inference import Inference
from service.queue import JobQueue
from service.settings import Settings
from service.storage import Storage


@dataclass(frozen=True)
class Parts:
    """Everything a route works with, made once an application."""

    settings: Settings
    database: Database
    storage: Storage
    queue: JobQueue
    inference: Inference


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(parts_of)]
