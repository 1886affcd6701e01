"""Whether a worker consumes messages, by what it did and not by a process that runs.

The sweeper sends a test message now and then, the worker that consumes it says so in the database.
A worker in the midst of a job consumes nothing: then the lease on the job, or on a part of it,
tells, which is renewed all the time.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service import clock
from service.tables import JobPartRow, JobRow, PulseRow
from service.transitions import ACTIVE

MISSED_PULSES = 3
FORGOTTEN = timedelta(days=1)


def note(session: Session, worker: str) -> None:
    """This worker consumed a test message just now."""
    now = clock.now(session)
    session.merge(PulseRow(worker=worker, beat_at=now))
    session.execute(delete(PulseRow).where(PulseRow.beat_at < now - FORGOTTEN))


def last(session: Session) -> datetime | None:
    """When a worker last consumed a test message."""
    return session.scalar(select(func.max(PulseRow.beat_at)))


def is_due(session: Session, pulse_seconds: float) -> bool:
    """True when it is time to send a test message."""
    beat_at = last(session)
    return beat_at is None or clock.now(session) - beat_at >= timedelta(seconds=pulse_seconds)


def is_alive(session: Session, pulse_seconds: float) -> bool:
    """True when some worker consumed a test message lately, or is at work on a job, or was just
    now on a part of one."""
    now = clock.now(session)
    beat_at = last(session)
    if beat_at and now - beat_at < MISSED_PULSES * timedelta(seconds=pulse_seconds):
        return True
    job = select(JobRow.id).where(JobRow.status.in_(ACTIVE), JobRow.lease_expires_at > now)
    part = select(JobPartRow.job_id).where(JobPartRow.lease_expires_at > now)
    return any(session.scalars(held.limit(1)).first() is not None for held in (job, part))
