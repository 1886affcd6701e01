"""What workers do with trainings, and what is done for those that fell silent.

Whoever writes names the claim's attempt (the fencing token), so that a worker that lost its lease
can't write over the one that took over.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_schemas.training import TrainingConfig
from service import checkpoints, clock, events, jobs
from service.table_types import UtcDateTime
from service.tables import JobRow
from service.transitions import ACTIVE, Ending, Happening

UNSENT_SECONDS = 5.0  # for which a message may be on its way
SENT_AT_ONCE = 1000
LONGEST_LEASE = timedelta(hours=2)  # twice what settings allow


class LeaseLost(Exception):
    """Another worker has the job now, or it is finished; whatever this one has done is void."""


@dataclass(frozen=True)
class Claim:
    """A worker's right to a job until the lease runs out."""

    job_id: str
    attempt: int
    owner: str
    name: str
    config: TrainingConfig
    ranks: int
    points_sha256: str
    columns: list[dict[str, Any]]
    checkpoints: list[checkpoints.Kept]


def claim(session: Session, job_id: str, lease_seconds: float) -> Claim | None:
    """Take a queued training up; None when it is not to be had, as after a duplicate message."""
    lease = clock.now(session) + timedelta(seconds=lease_seconds)
    job = begin(session, job_id, JobRow.type == "train", lease_expires_at=lease)
    return None if job is None else _claim(session, job)


def held(session: Session, job_id: str, attempt: int) -> Claim:
    """A claim that another process of the same worker has. Raises LeaseLost."""
    held = JobRow.attempt == attempt, JobRow.status.in_(ACTIVE)
    job = session.scalar(select(JobRow).where(JobRow.id == job_id, *held))
    if job is None:
        raise LeaseLost(job_id)
    return _claim(session, job)


def _claim(session: Session, job: JobRow) -> Claim:
    return Claim(
        job_id=job.id,
        attempt=job.attempt,
        owner=job.owner,
        name=job.name,
        config=TrainingConfig.model_validate(job.config),
        ranks=job.ranks,
        points_sha256=job.dataset.points_sha256,
        columns=job.dataset.columns,
        checkpoints=checkpoints.kept(session, job.id),
    )


def begin(
    session: Session, job_id: str, *conditions: ColumnElement[bool], **values: Any
) -> JobRow | None:
    """Have a queued job run; None when it is elsewhere."""
    started_at = func.coalesce(JobRow.started_at, literal(clock.now(session), UtcDateTime))
    values |= {"attempt": JobRow.attempt + 1, "started_at": started_at}
    return jobs.move(session, job_id, "claimed", *conditions, **values)


def renew(
    session: Session,
    claim: Claim,
    lease_seconds: float,
    fraction: float | None = None,
    eta_seconds: float | None = None,
) -> bool:
    """Heartbeat; True when the job is to be cancelled. Raises LeaseLost."""
    progress = {} if fraction is None else {"fraction": fraction, "eta_seconds": eta_seconds}
    lease = clock.now(session) + timedelta(seconds=lease_seconds)
    return _update_held(session, claim, lease_expires_at=lease, **progress) == "cancelling"


def record_iteration(session: Session, claim: Claim, iteration: int, data: dict[str, Any]) -> None:
    """Log an iteration that is done. Raises LeaseLost."""
    _update_held(session, claim, iteration=iteration, losses=0)
    message = f"iteration {iteration} of {claim.config.all_iterations}"
    events.add(session, claim.job_id, "metrics", message, **data)


def check(session: Session, claim: Claim) -> None:
    """Raise LeaseLost unless the claim holds."""
    _update_held(session, claim, losses=JobRow.losses)


def warn(session: Session, claim: Claim, message: str) -> None:
    """Log what its owner should know. Raises LeaseLost."""
    check(session, claim)
    events.add(session, claim.job_id, "message", message, "warning")


def finish(
    session: Session, claim: Claim, ending: Ending, error: dict[str, Any] | None = None
) -> None:
    """End a claimed job: succeeded, failed (with its error) or cancelled. Raises LeaseLost."""
    values: dict[str, Any] = {"error": error, "eta_seconds": None}
    if ending == "succeeded":
        values["fraction"] = 1.0
    if not jobs.move(session, claim.job_id, ending, JobRow.attempt == claim.attempt, **values):
        raise LeaseLost(claim.job_id)


def give_back(session: Session, claim: Claim) -> None:
    """Queue a job again whose worker is to stop. Raises LeaseLost."""
    moved = jobs.move(
        session,
        claim.job_id,
        "given_back",
        JobRow.attempt == claim.attempt,
        message="the worker stops; the job goes on from its last checkpoint",
        enqueued_at=clock.now(session),
        lease_expires_at=None,
        eta_seconds=None,
    )
    if moved is None:
        raise LeaseLost(claim.job_id)


def give_up_expired(session: Session, max_losses: int) -> list[str]:
    """Take trainings from workers that fell silent; returns those that are queued again."""
    now = clock.now(session)
    is_lost = JobRow.status.in_(ACTIVE), is_expired(JobRow.lease_expires_at, now)
    # rows that are held are just being changed, perhaps by a worker that is cut off: wait for none
    expired = select(JobRow).where(*is_lost).with_for_update(skip_locked=True)
    again: list[str] = []
    for job in session.scalars(expired).all():
        losses = job.losses + 1
        lost: dict[str, Any] = {"losses": losses, "lease_expires_at": None, "eta_seconds": None}
        happening: Happening
        if job.status == "cancelling":
            happening = "cancelled"
        elif losses >= max_losses:
            happening = "failed"
            message = f"the worker was lost {losses} times in a row, with no iteration done"
            lost["error"] = worker_lost(message)
        else:
            happening, lost["enqueued_at"] = "lost", now
            lost["message"] = f"the worker fell silent; goes on after iteration {job.iteration}"
        jobs.move(session, job.id, happening, **lost)
        if happening == "lost":
            again.append(job.id)
    return again


def is_expired(lease: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[bool]:
    """Whether a lease has run out, or is longer than any, as when the clock was set back."""
    return ~lease.between(now, now + LONGEST_LEASE)


def unsent(session: Session, waiting: Collection[str]) -> list[str]:
    """Queued trainings whose message is neither new nor among those that wait; marks them as sent
    again."""
    return mark_unsent(session, waiting, JobRow.type == "train", JobRow.status == "queued")


def mark_unsent(
    session: Session, waiting: Collection[str], *conditions: ColumnElement[bool]
) -> list[str]:
    """`unsent` among jobs of some kind, those that have waited for longest."""
    now = clock.now(session)
    is_new = JobRow.enqueued_at.between(now - timedelta(seconds=UNSENT_SECONDS), now)
    old = select(JobRow.id).where(*conditions, ~is_new).order_by(JobRow.enqueued_at)
    lost = [job_id for job_id in session.scalars(old) if job_id not in waiting][:SENT_AT_ONCE]
    if not lost:
        return []
    free = select(JobRow.id).where(JobRow.id.in_(lost), *conditions, ~is_new)
    marked = update(JobRow).where(JobRow.id.in_(free.with_for_update(skip_locked=True)))
    marked = marked.values(enqueued_at=now).execution_options(synchronize_session=False)
    return list(session.scalars(marked.returning(JobRow.id)))


def worker_lost(message: str) -> dict[str, Any]:
    """The error of a job whose workers are lost again and again."""
    return {"code": "worker_lost", "message": message, "param": None}


def _update_held(session: Session, claim: Claim, **values: Any) -> str:
    """Change what is no status, for as long as the claim holds; returns the status."""
    status = session.scalar(
        update(JobRow)
        .where(
            JobRow.id == claim.job_id,
            JobRow.attempt == claim.attempt,
            JobRow.status.in_(ACTIVE),
        )
        .values(**values)
        .returning(JobRow.status)
        .execution_options(synchronize_session=False)
    )
    if status is None:
        raise LeaseLost(claim.job_id)
    return status
