"""Jobs. No other module changes a job's status; `service.transitions` says which changes there are.

Every change is a conditional update (`move`); one made by a worker (`service.leases`) also names
its claim's attempt.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, delete, literal, select, update
from sqlalchemy.orm import Session

from api_schemas.jobs import Job, JobRequest, Progress
from api_schemas.training import TrainingConfig
from service import checkpoints, clock, events, quotas, webhooks
from service.errors import Conflict, InvalidInput, NotFound
from service.ids import new_id
from service.table_types import UtcDateTime
from service.tables import DatasetRow, JobPartRow, JobRow, ModelRow
from service.transitions import ENDED, TRANSITIONS, Happening
from trainer.errors import InvalidConfig
from trainer.state import check_config

LEVELS: dict[Happening, events.Level] = {"failed": "error", "lost": "warning"}


def create(session: Session, dataset: DatasetRow, request: JobRequest) -> JobRow:
    """A queued training. Raises InvalidInput for what does not fit the data, TooMany by quota."""
    config = request.training_config()
    try:
        check_config(config, (dataset.rows, *dataset.shape))
    except InvalidConfig as error:
        loc = [error.param] if error.param in JobRequest.model_fields else ["config", error.param]
        raise InvalidInput.at("body", *loc, msg=str(error)) from error
    return add(
        session,
        JobRow(
            id=new_id("job"),
            type="train",
            dataset_id=dataset.id,
            name=request.name or dataset.name,
            config=config.model_dump(),
            ranks=request.ranks,
            webhook_url=request.webhook and str(request.webhook.url),
            webhook_secret=request.webhook and request.webhook.plain_secret,
        ),
    )


def add(session: Session, job: JobRow) -> JobRow:
    """Queue a new job of any type. Raises TooMany by quota."""
    job.created_at = job.enqueued_at = clock.now(session)
    session.add(job)
    session.flush()
    quotas.check_jobs(session)
    events.add(session, job.id, "status", "queued", status="queued")
    return job


def get(session: Session, job_id: str) -> JobRow:
    """Raises NotFound."""
    job = session.get(JobRow, job_id)
    if job is None:
        raise NotFound.of("job", job_id)
    return job


def request_cancel(session: Session, job_id: str) -> JobRow:
    """Cancel a queued job at once, and an assign job; ask the worker that trains.

    Raises NotFound, Conflict.
    """
    job = get(session, job_id)
    happening: Happening = "cancel_requested" if job.type == "train" else "stopped"
    if moved := move(session, job_id, happening):
        return moved
    session.refresh(job)
    if job.status != "cancelling":
        raise Conflict("job_finished", f"job {job_id!r} is already {job.status}")
    return job


def resume(session: Session, job_id: str) -> JobRow:
    """Queue a cancelled or failed job again, to go on from its last checkpoint if one is kept, or
    with the parts that are not done.

    Raises NotFound, Conflict, or TooMany by quota.
    """
    job = get(session, job_id)
    values: dict[str, Any] = {"enqueued_at": clock.now(session), "losses": 0, "error": None}
    message = f"resumed; goes on after iteration {job.iteration}"
    if job.type == "assign":
        message = "resumed; goes on with the rows left"
    elif not checkpoints.kept(session, job_id):
        message = "resumed; starts anew, as no checkpoint is kept"
        values |= {"iteration": 0, "fraction": 0.0}
    moved = move(session, job_id, "resumed", message=message, **values)
    if moved is None:
        refused = f"job {job_id!r} is {job.status}; one that is cancelled or failed can be resumed"
        raise Conflict("job_not_resumable", refused)
    left = update(JobPartRow).where(JobPartRow.job_id == job_id, JobPartRow.finished_at.is_(None))
    session.execute(left.values(losses=0, lease_expires_at=None))
    quotas.check_jobs(session)
    return moved


def remove(session: Session, job_id: str) -> list[str]:
    """Delete an ended job and all that hangs on it but its model.

    Returns its checkpoints' blobs, to be removed after the commit. Raises NotFound, or Conflict.
    """
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None:
        raise NotFound.of("job", job_id)
    if job.status not in ENDED:
        detail = f"job {job_id!r} is {job.status}; it can be deleted once it has ended: cancel it"
        raise Conflict("job_not_ended", detail)
    left = checkpoints.release(session, job_id)
    session.execute(update(ModelRow).where(ModelRow.job_id == job_id).values(job_id=None))
    session.execute(delete(JobRow).where(JobRow.id == job_id))
    return left


def needing(session: Session, *conditions: ColumnElement[bool]) -> Sequence[str]:
    """Jobs that still need what they were made for: anyone's that have not ended, and the caller's
    own that can be resumed."""
    left = select(JobRow.id).where(JobRow.status != "succeeded", *conditions)
    unfinished = left.where(JobRow.finished_at.is_(None)).execution_options(everyone=True)
    return sorted({*session.scalars(left), *session.scalars(unfinished)})


def move(
    session: Session,
    job_id: str,
    happening: Happening,
    *conditions: ColumnElement[bool],
    message: str | None = None,
    **values: Any,
) -> JobRow | None:
    """The only place where a status changes; None when the job is elsewhere.

    What it means for the log and the webhook is in the same transaction.
    """
    leads_to = TRANSITIONS[happening]
    status = case(dict(leads_to), value=JobRow.status)
    finished_at = case((status.in_(ENDED), literal(clock.now(session), UtcDateTime)))
    job = session.scalar(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.status.in_(leads_to), *conditions)
        .values(status=status, finished_at=finished_at, **values)
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if job is None:
        return None
    level = LEVELS.get(happening, "info")
    message = job.error["message"] if job.error else message or job.status
    events.add(session, job_id, "status", message, level, status=job.status)
    if job.status in ENDED:
        webhooks.announce(session, job)
    return job


def view(job: JobRow) -> Job:
    """A job as the API shows it; its model must be loadable."""
    config = job.config and TrainingConfig.model_validate(job.config)
    return Job(
        id=job.id,
        type=job.type,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        name=job.name,
        dataset=job.dataset_id,
        status=job.status,
        attempt=job.attempt,
        config=config,
        ranks=job.ranks if config else None,
        progress=Progress(
            iteration=job.iteration if config else None,
            of=config.all_iterations if config else None,
            fraction=job.fraction,
            eta_seconds=job.eta_seconds,
        ),
        error=job.error,
        model=job.model and job.model.id,
        assigned_by=job.assigned_by,
        include=job.include,
        webhook_url=job.webhook_url,
    )
