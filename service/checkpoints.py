"""What each iteration of a job left in storage. The newest two are kept: should the last one be
unreadable, the one before is gone on from."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.jobs import Checkpoint
from service import clock
from service.paging import page_of
from service.tables import CheckpointRow, JobRow

KEPT = 2


class Kept(NamedTuple):
    """A checkpoint whose bytes are in storage."""

    iteration: int
    sha256: str


def add(session: Session, job_id: str, iteration: int, sha256: str, size: int) -> list[str]:
    """Note what an iteration has left. A run that went back forgets what it did after: returns
    those blobs, to be removed after the commit."""
    redone = CheckpointRow.job_id == job_id, CheckpointRow.iteration >= iteration
    forgotten = delete(CheckpointRow).where(*redone).returning(CheckpointRow.sha256)
    replaced = [*session.scalars(forgotten)]
    session.add(CheckpointRow(job_id=job_id, iteration=iteration, sha256=sha256, bytes=size))
    return replaced


def kept(session: Session, job_id: str) -> list[Kept]:
    """Those that can be gone on from, newest first."""
    query = select(CheckpointRow.iteration, CheckpointRow.sha256)
    query = query.where(CheckpointRow.job_id == job_id, CheckpointRow.kept)
    return [Kept(*row) for row in session.execute(query.order_by(CheckpointRow.iteration.desc()))]


def release(session: Session, job_id: str, but_newest: int = 0) -> list[str]:
    """Keep a job's checkpoints no longer; returns their blobs, to be removed after the commit."""
    old = kept(session, job_id)[but_newest:]
    of_job = CheckpointRow.job_id == job_id, CheckpointRow.iteration.in_([c.iteration for c in old])
    session.execute(update(CheckpointRow).where(*of_job).values(kept=False))
    return [checkpoint.sha256 for checkpoint in old]


def release_old(session: Session, age: timedelta) -> None:
    """Keep those no longer of jobs that ended so long ago, and are not resumed in this moment."""
    left = select(CheckpointRow.job_id).where(CheckpointRow.kept)
    too_old = JobRow.finished_at < clock.now(session) - age
    ended = select(JobRow.id).where(too_old, JobRow.id.in_(left))
    job_ids = session.scalars(ended.with_for_update()).all()
    of_jobs = CheckpointRow.job_id.in_(job_ids)
    session.execute(update(CheckpointRow).where(of_jobs).values(kept=False))


def page(session: Session, job_id: str, after: int, limit: int) -> Page[Checkpoint]:
    """What the iterations that follow number ``after`` left, in their order."""
    query = select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    query = query.where(CheckpointRow.iteration > after).order_by(CheckpointRow.iteration)
    rows = session.scalars(query.limit(limit + 1)).all()
    found = [_view(row) for row in rows[:limit]]
    return page_of(found, len(rows) > limit, lambda item: item.iteration)


def _view(row: CheckpointRow) -> Checkpoint:
    return Checkpoint(
        id=f"ckpt_{row.job_id.removeprefix('job_')}_{row.iteration}",
        iteration=row.iteration,
        created_at=row.created_at,
        bytes=row.bytes,
        sha256=row.sha256,
        kept=row.kept,
    )
