"""What each iteration of a job left in storage. The newest two are kept: should the last one be
unreadable, the one before is gone on from."""

import logging
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.jobs import Checkpoint
from service.database import Database
from service.errors import StorageUnavailable
from service.paging import page_of
from service.storage import Storage
from service.tables import CheckpointRow

KEPT = 2

log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """A checkpoint whose bytes are in storage."""

    iteration: int
    sha256: str


def add(session: Session, job_id: str, iteration: int, sha256: str, size: int) -> None:
    """Note what an iteration has left. A run that went back forgets what it did after."""
    redone = CheckpointRow.job_id == job_id, CheckpointRow.iteration >= iteration
    session.execute(delete(CheckpointRow).where(*redone))
    session.add(CheckpointRow(job_id=job_id, iteration=iteration, sha256=sha256, bytes=size))


def kept(session: Session, job_id: str) -> list[Kept]:
    """Those that can be gone on from, newest first."""
    query = select(CheckpointRow.iteration, CheckpointRow.sha256)
    query = query.where(CheckpointRow.job_id == job_id, CheckpointRow.kept)
    return [Kept(*row) for row in session.execute(query.order_by(CheckpointRow.iteration.desc()))]


def discard(database: Database, storage: Storage, job_id: str, but_newest: int = 0) -> None:
    """Delete a job's checkpoints; what a crash or a storage that is away leaves of it is done the
    next time."""
    with database.read() as session:
        old = kept(session, job_id)[but_newest:]
    if not old:
        return
    gone: list[int] = []
    try:
        for checkpoint in old:
            storage.delete(checkpoint.sha256)
            gone.append(checkpoint.iteration)
    except StorageUnavailable as error:  # they only take room
        log.warning("job %s: old checkpoints stay behind: %s", job_id, error)
    with database.write() as session:
        found = CheckpointRow.job_id == job_id, CheckpointRow.iteration.in_(gone)
        session.execute(update(CheckpointRow).where(*found).values(kept=False))


def page(session: Session, job_id: str, after: int, limit: int) -> Page[Checkpoint]:
    """What the iterations that follow number ``after`` left, in their order."""
    query = select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    query = query.where(CheckpointRow.iteration > after).order_by(CheckpointRow.iteration)
    rows = session.scalars(query.limit(limit + 1)).all()
    found = [Checkpoint.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return page_of(found, len(rows) > limit, lambda item: item.iteration)
