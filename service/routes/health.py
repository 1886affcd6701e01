"""/healthz and /readyz"""

import logging
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import select

from service import pulse
from service.dependencies import OpenPartsDep, Parts
from service.tables import JobRow

router = APIRouter(tags=["health"])
log = logging.getLogger(__name__)

State = Literal["ok", "failed"]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether each thing that a job needs can be reached."""

    status: State
    checks: dict[str, State]


@router.get("/healthz")
async def healthz() -> Health:  # in no thread: slow calls may hold them all
    """Alive."""
    return Health()


@router.get(
    "/readyz",
    responses={503: {"model": Readiness, "description": "Not ready"}},
)
def readyz(parts: OpenPartsDep, response: Response) -> Readiness:
    """Database, storage and broker are reachable and a worker consumes what is sent to it."""
    checks: dict[str, Callable[[], bool]] = {
        "database": lambda: _reads(parts),
        "storage": lambda: _writes(parts),
        "worker": lambda: _works(parts),
        "broker": lambda: parts.queue.waiting() is not None,
    }
    found = {name: _state(name, check) for name, check in checks.items()}
    ready = all(state == "ok" for state in found.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "failed", checks=found)


def _state(name: str, check: Callable[[], bool]) -> State:
    try:
        return "ok" if check() else "failed"
    except Exception as error:  # whatever is wrong with it, it is not ready
        log.warning("not ready: %s: %s", name, error)
        return "failed"


def _reads(parts: Parts) -> bool:
    with parts.database.read() as session:
        session.scalars(select(JobRow.id).limit(1)).first()
    return True


def _works(parts: Parts) -> bool:
    with parts.database.read() as session:
        return pulse.is_alive(session, parts.settings.pulse_seconds)


def _writes(parts: Parts) -> bool:
    parts.storage.check()
    return True
