"""Who owns what: the one place where it is decided which rows a session shows.

Every query of a session, whoever wrote it, sees its caller's own data sets, jobs, models and
aliases, and what is added to the session becomes the caller's. Admins, workers and the sweeper see
everyone's. A query about what all owners share says so: ``execution_options(everyone=True)``.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker, with_loader_criteria

from api_schemas.common import Role
from service.table_types import Owned

NOBODY = ""  # owns what was made while there was no key


@dataclass(frozen=True)
class Caller:
    """In whose name something is done. Limits of None are no limits."""

    owner: str = NOBODY
    role: Role = "admin"
    key: str | None = None
    max_bytes: int | None = None
    max_jobs: int | None = None

    @property
    def name_owners(self) -> tuple[str, ...]:
        """Whose aliases it uses; an admin's key those of before there were keys as well.

        Workers act without a key, in the name of a job's owner, and move that one's alone.
        """
        return (self.owner, NOBODY) if self.key and self.role == "admin" else (self.owner,)


def caller_of(session: Session) -> Caller:
    """In whose name this session reads and writes."""
    caller: Caller = session.info["caller"]
    return caller


def watch(sessions: sessionmaker[Session]) -> None:
    """Have all sessions of this maker keep to their caller."""
    event.listen(sessions, "do_orm_execute", _show_own)
    event.listen(sessions, "before_flush", _sign)


def _show_own(state: ORMExecuteState) -> None:
    caller = caller_of(state.session)
    everyone = caller.role == "admin" or state.execution_options.get("everyone", False)
    if everyone or state.is_relationship_load or state.is_column_load:
        return  # what a shown row leads to has its own filter, taken on from the query
    owner = caller.owner
    own = with_loader_criteria(Owned, lambda table: table.owner == owner, include_aliases=True)
    state.statement = state.statement.options(own)


def _sign(session: Session, *_: Any) -> None:
    for row in session.new:
        if isinstance(row, Owned) and row.owner is None:
            row.owner = caller_of(session).owner
