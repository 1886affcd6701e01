"""What one process at a time does for all: elected by the database, whoever asks first."""

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from service.table_types import utc_now
from service.tables import DutyRow

COLLECT = "collect"


def take(session: Session, name: str, every: timedelta) -> bool:
    """Whether the duty is this process's now; the next turn comes after ``every``."""
    now = utc_now()
    turn = update(DutyRow).where(DutyRow.name == name, DutyRow.due_at <= now)
    return session.scalar(turn.values(due_at=now + every).returning(DutyRow.name)) is not None
