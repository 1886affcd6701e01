"""What an owner may keep and queue, checked in the transaction that adds to it."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import Forbidden, TooMany
from service.ownership import Caller, caller_of
from service.tables import DatasetRow, JobRow, KeyRow, ModelRow

JOBS_RETRY_SECONDS = 10


def check_bytes(session: Session) -> None:
    """Raise Forbidden when the caller's data sets and models, new ones included, take more than
    they may."""
    caller = caller_of(session)
    if caller.max_bytes is None:
        return
    _one_at_a_time(session, caller)
    stored = select(func.sum(DatasetRow.stored_bytes)).where(
        DatasetRow.owner == caller.owner, DatasetRow.deleted_at.is_(None)
    )
    weights = select(func.sum(ModelRow.weights_bytes)).where(ModelRow.owner == caller.owner)
    used = sum(session.scalar(query) or 0 for query in (stored, weights))
    if used > caller.max_bytes:
        detail = (
            f"quota 'bytes': data sets and models of this key may take {caller.max_bytes:,} bytes; "
            f"with this one they would take {used:,}"
        )
        raise Forbidden("quota_exceeded", detail)


def check_jobs(session: Session) -> None:
    """Raise TooMany when the caller has more unfinished jobs, new ones included, than it may."""
    caller = caller_of(session)
    if caller.max_jobs is None:
        return
    _one_at_a_time(session, caller)
    unfinished = select(func.count()).where(
        JobRow.owner == caller.owner, JobRow.finished_at.is_(None)
    )
    if (session.scalar(unfinished) or 0) > caller.max_jobs:
        detail = f"quota 'jobs': this key may have {caller.max_jobs:,} jobs queued or running"
        headers = {"Retry-After": str(JOBS_RETRY_SECONDS)}
        raise TooMany("quota_exceeded", detail, headers=headers)


def _one_at_a_time(session: Session, caller: Caller) -> None:
    """Until this transaction ends, no other one counts for the same owner."""
    own = select(KeyRow.id).where(KeyRow.owner == caller.owner).order_by(KeyRow.id)
    session.execute(own.with_for_update())
