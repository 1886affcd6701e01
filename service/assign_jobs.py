"""Assign jobs: a data set is cut into parts, each assigned by whichever worker takes it.

A part is claimed, and given up, as a training is; it needs no checkpoints, as one that was lost is
done again. What a part finds appears with the news that it is done, and the job succeeds in the
transaction of its last one. Who changes job and part holds the job's row first.

A job has one message, however many its parts: a worker that takes it passes it on as long as parts
wait, so that as many workers come as are free.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from api_schemas.inference import AssignField
from service import assignments, clock, events, jobs, leases
from service.errors import Conflict, NotFound
from service.ids import new_id
from service.tables import DatasetRow, JobPartRow, JobRow, ModelRow

PART_VALUES = 1 << 28  # of points; they keep one core of a worker busy for some ten seconds
ROW_VALUES = 64  # what the fewest values of a point cost as well
DENSITY_VALUES = 8  # what densities cost in place of one value, a component


@dataclass(frozen=True)
class Claim:
    """A worker's right to a part until the lease runs out."""

    job_id: str
    number: int
    attempt: int
    rows: slice
    model_id: str
    include: list[AssignField]
    dataset: DatasetRow


def create(
    session: Session, dataset: DatasetRow, model: ModelRow, include: Sequence[AssignField]
) -> JobRow:
    """A queued job that gives a data set's points to a model's components, and its parts.

    Raises TooMany by quota.
    """
    job = jobs.add(
        session,
        JobRow(
            id=new_id("job"),
            type="assign",
            dataset_id=dataset.id,
            name=dataset.name,
            assigned_by=model.id,
            components=len(model.alpha),
            include=list(include),
        ),
    )
    rows = part_rows(model, include)
    session.add_all(
        JobPartRow(job_id=job.id, number=number, first_row=at, rows=min(rows, dataset.rows - at))
        for number, at in enumerate(range(0, dataset.rows, rows))
    )
    session.flush()
    return job


def part_rows(model: ModelRow, include: Sequence[AssignField]) -> int:
    """How many rows a part has: whole chunks of assignments, or a piece of one."""
    cost = max(ROW_VALUES, prod(model.shape))
    if "outlier_score" in include or model.config.get("estimator") == "generators":
        cost *= DENSITY_VALUES * len(model.alpha)
    rows = max(1, PART_VALUES // cost)
    return rows - rows % assignments.CHUNK_ROWS or rows


def can_be_shared(session: Session, job_id: str) -> bool:
    """Whether more than one part waits for a worker."""
    query = select(JobPartRow.number).where(
        JobPartRow.job_id == job_id, *_waiting(), _job_is("queued", "running")
    )
    return len(session.scalars(query.limit(2)).all()) > 1


def result(session: Session, job_id: str) -> JobRow:
    """An assign job whose assignments are there. Raises NotFound, Conflict."""
    job = jobs.get(session, job_id)
    if job.type != "assign":
        trained = f"/models/{job.model.id}/assignments" if job.model else "its model's assignments"
        detail = f"job {job_id!r} trains a model; its points' components are {trained}"
        raise NotFound("assignments_not_found", detail)
    if job.status != "succeeded":
        detail = f"job {job_id!r} is {job.status}; its assignments are there once it has succeeded"
        raise Conflict("job_not_succeeded", detail)
    return job


def claim(session: Session, job_id: str, lease_seconds: float) -> Claim | None:
    """Take a part up, with the first one its job; None when there is none to be had."""
    leases.begin(session, job_id, JobRow.type == "assign")
    waiting = select(JobPartRow).where(JobPartRow.job_id == job_id, *_waiting(), _job_is("running"))
    first = waiting.order_by(JobPartRow.number).limit(1).with_for_update(skip_locked=True)
    part = session.scalar(first)
    if part is None:
        return None
    part.attempt += 1
    part.lease_expires_at = clock.now(session) + timedelta(seconds=lease_seconds)
    job = jobs.get(session, job_id)
    return Claim(
        job_id=job_id,
        number=part.number,
        attempt=part.attempt,
        rows=slice(part.first_row, part.first_row + part.rows),
        model_id=job.assigned_by or "",
        include=job.include or [],
        dataset=job.dataset,
    )


def renew(session: Session, claim: Claim, lease_seconds: float) -> bool:
    """Heartbeat; never True: the cancel of a job ends its claims. Raises LeaseLost."""
    lease = clock.now(session) + timedelta(seconds=lease_seconds)
    held = update(JobPartRow).where(*_held(claim), _job_is("running"))
    held = held.values(lease_expires_at=lease).execution_options(synchronize_session=False)
    if session.scalar(held.returning(JobPartRow.number)) is None:
        raise leases.LeaseLost(claim.job_id)
    return False


def finish(
    session: Session,
    claim: Claim,
    components: NDArray[np.integer[Any]],
    shares: Mapping[str, NDArray[np.floating[Any]]],
) -> None:
    """Store what was found of a part's n points, each (n,); with the last part the job succeeds.

    Raises LeaseLost.
    """
    job, part = _hold(session, claim)
    assignments.store(session, assignments.of_job(job), components, shares, part.first_row)
    part.finished_at = clock.now(session)
    message = f"{_rows(part)} are assigned"
    events.add(session, job.id, "message", message, first_row=part.first_row, rows=part.rows)
    session.flush()
    job.fraction, job.eta_seconds = _progress(session, job, part.finished_at)
    if job.fraction == 1:
        jobs.move(session, job.id, "succeeded", eta_seconds=None)


def fail(session: Session, claim: Claim, error: dict[str, Any]) -> None:
    """End a claimed part's job. Raises LeaseLost."""
    job, _ = _hold(session, claim)
    jobs.move(session, job.id, "failed", error=error, eta_seconds=None)


def give_back(session: Session, claim: Claim) -> None:
    """Let another worker take up a part whose own is to stop. Raises LeaseLost."""
    _, part = _hold(session, claim)
    part.lease_expires_at = None


def give_up_expired(session: Session, max_losses: int) -> list[str]:
    """Take parts from workers that fell silent; returns the jobs whose parts wait again."""
    now = clock.now(session)
    is_out = leases.is_expired(JobPartRow.lease_expires_at, now)
    is_lost = JobPartRow.finished_at.is_(None), is_out
    expired = (
        select(JobPartRow.job_id, JobPartRow.number)
        .join(JobRow, JobRow.id == JobPartRow.job_id)
        .where(JobRow.status == "running", *is_lost)
        .order_by(JobPartRow.job_id, JobPartRow.number)
    )
    again: dict[str, None] = {}
    for job_id, number in session.execute(expired).all():
        if _hold_job(session, job_id, skip_locked=True) is None:
            continue
        mine = select(JobPartRow).where(*_key(job_id, number), *is_lost)
        part = session.scalar(mine.with_for_update(skip_locked=True))
        if part is None:
            continue
        part.losses, part.lease_expires_at = part.losses + 1, None
        if part.losses >= max_losses:
            error = leases.worker_lost(f"the worker on {_rows(part)} was lost {part.losses} times")
            jobs.move(session, job_id, "failed", error=error, eta_seconds=None)
        else:
            message = f"the worker on {_rows(part)} fell silent; another takes them up"
            events.add(session, job_id, "message", message, "warning")
            again[job_id] = None
    return [*again]


def unsent(session: Session, waiting: Collection[str]) -> list[str]:
    """Jobs with parts that wait, whose message is neither new nor among those that wait; marks
    them as sent again."""
    has_parts = JobRow.id.in_(select(JobPartRow.job_id).where(*_waiting()))
    return leases.mark_unsent(session, waiting, JobRow.status.in_(("queued", "running")), has_parts)


def _key(job_id: str, number: int) -> tuple[ColumnElement[bool], ...]:
    return JobPartRow.job_id == job_id, JobPartRow.number == number


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return JobPartRow.finished_at.is_(None), JobPartRow.lease_expires_at.is_(None)


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        *_key(claim.job_id, claim.number),
        JobPartRow.attempt == claim.attempt,
        JobPartRow.finished_at.is_(None),
        JobPartRow.lease_expires_at.is_not(None),
    )


def _job_is(*statuses: str) -> ColumnElement[bool]:
    of_these = select(JobRow.id).where(JobRow.status.in_(statuses))
    return JobPartRow.job_id.in_(of_these)


def _hold_job(session: Session, job_id: str, skip_locked: bool = False) -> JobRow | None:
    """A running job, which nobody else changes before the transaction ends."""
    query = select(JobRow).where(JobRow.id == job_id, JobRow.status == "running")
    query = query.with_for_update(skip_locked=skip_locked)
    return session.scalar(query.execution_options(populate_existing=True))


def _hold(session: Session, claim: Claim) -> tuple[JobRow, JobPartRow]:
    """A claim's job and part. Raises LeaseLost."""
    job = _hold_job(session, claim.job_id)
    part = session.scalar(select(JobPartRow).where(*_held(claim)).with_for_update())
    if job is None or part is None:
        raise leases.LeaseLost(claim.job_id)
    return job, part


def _progress(session: Session, job: JobRow, now: datetime) -> tuple[float, float | None]:
    """The share of the rows that is done, and how many seconds the rest will take: at the pace
    since the first part of this attempt was done, none before there is one."""
    done = select(JobPartRow.finished_at, JobPartRow.rows).where(
        JobPartRow.job_id == job.id, JobPartRow.finished_at.is_not(None)
    )
    finished = sorted((at, rows) for at, rows in session.execute(done) if at)
    total, rows = job.dataset.rows, sum(rows for _, rows in finished)
    lately = [(at, rows) for at, rows in finished if at >= job.enqueued_at]
    paced = sum(rows for _, rows in lately[1:])
    eta = (now - lately[0][0]).total_seconds() * (total - rows) / paced if paced else None
    return rows / total, eta


def _rows(part: JobPartRow) -> str:
    return f"rows {part.first_row:,} to {part.first_row + part.rows - 1:,}"
