"""Transactions and migrations, the same for API and worker, on SQLite and PostgreSQL."""

from contextlib import AbstractContextManager
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

SQLITE_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=NORMAL")


class Database:
    """One request or one step of a job is one transaction: ``with database.write() as session``.

    Nothing is connected before the first of them. Rows stay readable after the commit.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_pre_ping=True)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
        writing = self.engine.execution_options(writing=True)
        self._reader = sessionmaker(self.engine, expire_on_commit=False)
        self._writer = sessionmaker(writing, expire_on_commit=False)

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that only reads."""
        return self._reader.begin()

    def write(self) -> AbstractContextManager[Session]:
        """A transaction that is committed at the end of the block, or rolled back by an error."""
        return self._writer.begin()

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


def _set_pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy, not sqlite3, says when a transaction begins
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # a transaction that reads first and writes later fails at once when another wrote in between
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
