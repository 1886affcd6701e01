"""Transactions and migrations, the same for API and worker, on SQLite and PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from importlib.resources import files
from typing import Any, Self

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from service import ownership
from service.ownership import Caller

SQLITE_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=NORMAL")
# libpq's, so that a server that falls silent is given up in seconds; the URL may say otherwise
POSTGRESQL_OPTIONS: Mapping[str, str] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds
    # the server's, so that the locks of a client that falls silent are free again
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 "
    "-c idle_in_transaction_session_timeout=60s",
}
# for the 40 threads of an API's requests, and for what runs beside them
POOL: Mapping[str, float] = {"pool_size": 10, "max_overflow": 40}


class Database:
    """One request or one step of a job is one transaction: ``with database.write() as session``.

    Nothing is connected before the first of them. Rows stay readable after the commit.
    """

    def __init__(self, url: str) -> None:
        # errors go to the log: they must not tell what the statements held
        options = {"pool_pre_ping": True, "hide_parameters": True}
        self.engine = create_engine(_with_options(url), **options, **POOL)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
        writing = self.engine.execution_options(writing=True)
        self._reader = sessionmaker(self.engine, expire_on_commit=False)
        self._writer = sessionmaker(writing, expire_on_commit=False)
        self._caller = Caller()
        for sessions in (self._reader, self._writer):
            ownership.watch(sessions)

    def __eq__(self, other: object) -> bool:
        """Equal ones show the same: their calls may go together."""
        if not isinstance(other, Database):
            return NotImplemented
        return (self.engine, self._caller) == (other.engine, other._caller)

    def __hash__(self) -> int:
        return hash((self.engine, self._caller))

    def used_by(self, caller: Caller) -> Self:
        """The same database in a caller's name: its sessions keep to what is the caller's."""
        used = copy(self)
        used._caller = caller
        return used

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._reader(info={"caller": self._caller}) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end of the block, or rolled back by an error."""
        with self._writer(info={"caller": self._caller}) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()


def migration_config(url: str) -> Config:
    """Alembic's configuration for this database, wherever the package is installed."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Bring the database to the newest schema."""
    command.upgrade(migration_config(url), "head")


def _with_options(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return parsed
    return parsed.set(query={**POSTGRESQL_OPTIONS, **parsed.query})


def _set_pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy, not sqlite3, says when a transaction begins
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # a transaction that reads first and writes later fails at once when another wrote in between
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
