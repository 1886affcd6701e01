"""Jobs and their life. No other module changes a job's status.

    queued -> running -> succeeded | failed
       |         |  \\-> queued            lease expired, fewer than max_losses times in a row
       |         \\-> cancelling -> cancelled | succeeded | failed
       \\-> cancelled

Every change is a conditional update; one made by a worker also names its claim's attempt, so that
a worker that lost its lease can't write over the one that took over.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from api_schemas.jobs import Job, JobRequest, Progress
from api_schemas.training import TrainingConfig
from service import events, quotas
from service.errors import Conflict, InvalidInput, NotFound
from service.ids import new_id
from service.tables import DatasetRow, JobRow, utc_now
from trainer.errors import InvalidConfig
from trainer.state import check_config

ACTIVE = ("running", "cancelling")
SOURCES = {
    "queued": ("running",),
    "running": ("queued",),
    "cancelling": ACTIVE,
    "cancelled": ("queued", "cancelling"),
    "succeeded": ACTIVE,
    "failed": ACTIVE,
}


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
    points_sha256: str
    columns: list[str]
    checkpoint_sha256: str | None


def create(session: Session, dataset: DatasetRow, request: JobRequest) -> JobRow:
    """A queued job. Raises InvalidInput for what does not fit the data set, TooMany by quota."""
    config = request.training_config()
    try:
        check_config(config, (dataset.rows, *dataset.shape))
    except InvalidConfig as error:
        loc = [error.param] if error.param in JobRequest.model_fields else ["config", error.param]
        raise InvalidInput.at("body", *loc, msg=str(error)) from error
    quotas.check_jobs(session)
    job = JobRow(
        id=new_id("job"),
        dataset_id=dataset.id,
        name=request.name or dataset.name,
        config=config.model_dump(),
    )
    session.add(job)
    session.flush()
    events.add(session, job.id, "status", "queued", status="queued")
    return job


def get(session: Session, job_id: str) -> JobRow:
    """Raises NotFound."""
    job = session.get(JobRow, job_id)
    if job is None:
        raise NotFound.of("job", job_id)
    return job


def request_cancel(session: Session, job_id: str) -> JobRow:
    """Cancel a queued job at once, ask the worker of a running one. Raises NotFound, Conflict."""
    is_queued = JobRow.status == "queued"
    moved = _move(session, job_id, "cancelled", is_queued, finished_at=utc_now()) or _move(
        session, job_id, "cancelling"
    )
    job = get(session, job_id)
    if not moved:
        raise Conflict("job_finished", f"job {job_id!r} is already {job.status}")
    return job


def claim(session: Session, job_id: str, lease_seconds: float) -> Claim | None:
    """Take a queued job up; None when it is not to be had, as after a duplicate message."""
    now = utc_now()
    taken = _move(
        session,
        job_id,
        "running",
        attempt=JobRow.attempt + 1,
        lease_expires_at=now + timedelta(seconds=lease_seconds),
    )
    if not taken:
        return None
    job = get(session, job_id)
    job.started_at = job.started_at or now
    return Claim(
        job_id=job.id,
        attempt=job.attempt,
        owner=job.owner,
        name=job.name,
        config=TrainingConfig(**job.config),
        points_sha256=job.dataset.points_sha256,
        columns=[column["name"] for column in job.dataset.columns],
        checkpoint_sha256=job.checkpoint_sha256,
    )


def renew(
    session: Session, claim: Claim, lease_seconds: float, fraction: float, eta_seconds: float | None
) -> bool:
    """Heartbeat; True when the job is to be cancelled. Raises LeaseLost."""
    status = _update_held(
        session,
        claim,
        lease_expires_at=utc_now() + timedelta(seconds=lease_seconds),
        fraction=fraction,
        eta_seconds=eta_seconds,
    )
    return status == "cancelling"


def record_iteration(
    session: Session, claim: Claim, iteration: int, checkpoint_sha256: str, data: dict[str, Any]
) -> None:
    """Make a checkpoint the one to resume from, and log its iteration. Raises LeaseLost."""
    values = {"iteration": iteration, "checkpoint_sha256": checkpoint_sha256, "losses": 0}
    _update_held(session, claim, **values)
    message = f"iteration {iteration} of {claim.config.all_iterations}"
    events.add(session, claim.job_id, "metrics", message, **data)


def finish(
    session: Session, claim: Claim, status: str, error: dict[str, Any] | None = None
) -> None:
    """End a claimed job: succeeded, failed (with its error) or cancelled. Raises LeaseLost."""
    values: dict[str, Any] = {"error": error, "finished_at": utc_now(), "eta_seconds": None}
    if status == "succeeded":
        values["fraction"] = 1.0
    if not _move(session, claim.job_id, status, JobRow.attempt == claim.attempt, **values):
        raise LeaseLost(claim.job_id)


def give_up_expired(session: Session, max_losses: int) -> list[str]:
    """Take jobs from workers that fell silent; returns those that are queued again."""
    now = utc_now()
    expired = select(JobRow).where(JobRow.status.in_(ACTIVE), JobRow.lease_expires_at < now)
    again: list[str] = []
    for job in session.scalars(expired).all():
        losses = job.losses + 1
        lost: dict[str, Any] = {"losses": losses, "lease_expires_at": None, "eta_seconds": None}
        if job.status == "cancelling":
            to, lost["finished_at"] = "cancelled", now
        elif losses >= max_losses:
            to, lost["finished_at"] = "failed", now
            message = f"the worker was lost {losses} times in a row, with no iteration done"
            lost["error"] = {"code": "worker_lost", "message": message, "param": None}
        else:
            to, lost["enqueued_at"] = "queued", now
            message = f"the worker fell silent; goes on after iteration {job.iteration}"
            events.add(session, job.id, "message", message, "warning")
        unchanged = and_(JobRow.attempt == job.attempt, JobRow.status == job.status)
        if _move(session, job.id, to, unchanged, JobRow.lease_expires_at < now, **lost):
            again += [job.id] if to == "queued" else []
    return again


def unsent(session: Session, older_than_seconds: float) -> list[str]:
    """Queued jobs whose message was sent that long ago; marks them as sent again."""
    before = utc_now() - timedelta(seconds=older_than_seconds)
    stale = update(JobRow).where(JobRow.status == "queued", JobRow.enqueued_at < before)
    marked = stale.values(enqueued_at=utc_now()).returning(JobRow.id)
    return list(session.scalars(marked.execution_options(synchronize_session=False)))


def view(job: JobRow) -> Job:
    """A job as the API shows it; its model must be loadable."""
    config = TrainingConfig(**job.config)
    return Job(
        id=job.id,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        name=job.name,
        dataset=job.dataset_id,
        status=job.status,
        attempt=job.attempt,
        config=config,
        progress=Progress(
            iteration=job.iteration,
            of=config.all_iterations,
            fraction=job.fraction,
            eta_seconds=job.eta_seconds,
        ),
        error=job.error,
        model=job.model and job.model.id,
    )


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


def _move(
    session: Session, job_id: str, to: str, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """The only place where a status changes; False when the job is elsewhere."""
    moved = session.scalar(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.status.in_(SOURCES[to]), *conditions)
        .values(status=to, **values)
        .returning(JobRow.id)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        return False
    failed = values.get("error")
    if failed:
        events.add(session, job_id, "status", failed["message"], "error", status=to)
    else:
        events.add(session, job_id, "status", to, status=to)
    return True
