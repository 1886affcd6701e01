"""What time it is for all: leases and turns go by the database's clock, as those of machines differ
and jump."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.table_types import utc_now


def now(session: Session) -> datetime:
    """The database's time. SQLite is on this machine and has none of its own."""
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    time: datetime = session.scalars(select(func.clock_timestamp())).one()
    return time
