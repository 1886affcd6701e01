"""A job's log, written in the transactions that change the job."""

from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.jobs import JobEvent
from service import clock
from service.paging import page_of
from service.tables import EventRow, JobRow

Level = Literal["info", "warning", "error"]


def add(
    session: Session,
    job_id: str,
    type: Literal["message", "metrics", "status"],
    message: str,
    level: Level = "info",
    **data: Any,
) -> None:
    """Append a line to a job's log.

    Who writes to a log holds its job's row till the commit, so that events become visible in the
    order of their ids, and a reader that asks for those after the last one misses none.
    """
    session.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update())
    event = EventRow(job_id=job_id, type=type, level=level, message=message[:1000], data=data)
    event.created_at = clock.now(session)
    session.add(event)


def last_metrics(session: Session, job_id: str) -> dict[str, Any]:
    """What the last iteration of a job did."""
    query = select(EventRow.data).where(EventRow.job_id == job_id, EventRow.type == "metrics")
    return session.scalar(query.order_by(EventRow.id.desc()).limit(1)) or {}


def page(session: Session, job_id: str, after: int, limit: int) -> Page[JobEvent]:
    """The events that follow event number ``after``, oldest first."""
    query = select(EventRow).where(EventRow.job_id == job_id, EventRow.id > after)
    rows = session.scalars(query.order_by(EventRow.id).limit(limit + 1)).all()
    return page_of([_view(row) for row in rows[:limit]], len(rows) > limit, lambda item: item.id)


def _view(row: EventRow) -> JobEvent:
    return JobEvent(
        id=str(row.id),
        created_at=row.created_at,
        level=row.level,
        type=row.type,
        message=row.message,
        data=row.data,
    )
