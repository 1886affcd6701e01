"""What one process at a time does for all: elected by the database, whoever asks first."""

from datetime import timedelta

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from service import clock
from service.tables import DutyRow

COLLECT, SWEEP = "collect", "sweep"


def take(session: Session, name: str, every: timedelta) -> bool:
    """Whether the duty is this process's now; the next turn comes after ``every``."""
    now = clock.now(session)
    is_due = or_(DutyRow.due_at <= now, DutyRow.due_at > now + every)  # the clock was set back
    turn = update(DutyRow).where(DutyRow.name == name, is_due)
    return session.scalar(turn.values(due_at=now + every).returning(DutyRow.name)) is not None
