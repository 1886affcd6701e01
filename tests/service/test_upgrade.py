"""Migrations under a service that runs: docs/operations.md, Upgrade."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from alembic import command
from sqlalchemy.exc import OperationalError

from service.database import migration_config
from tests.conftest import NewDatabase
from tests.servers import wait_for
from tests.service.api import api_server

LISTS = ("datasets", "jobs", "models")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_calls_are_answered_while_a_migration_adds(
    postgres: NewDatabase, migrated_template: str, tmp_path: Path
) -> None:
    with (
        postgres(migrated_template) as url,
        api_server(tmp_path, database_url=url) as (address, _),
        psycopg.connect(url.replace("+psycopg", "")) as migrating,
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as watching,
        ThreadPoolExecutor() as clients,
    ):

        def ask(name: str) -> None:
            httpx.get(f"{address}/{name}", timeout=60).raise_for_status()

        for name in LISTS * 10:  # psycopg prepares what is asked often
            ask(name)
        for name in LISTS:
            migrating.execute(f"ALTER TABLE {name} ADD COLUMN later INTEGER DEFAULT 1 NOT NULL")
        migrating.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
        asked = [clients.submit(ask, name) for name in LISTS * 5]

        def is_waited() -> None:
            row = watching.execute(WAITING).fetchone()
            assert row
            assert row[0] >= len(LISTS)

        wait_for(is_waited, AssertionError)
        migrating.commit()
        for answer in asked:
            answer.result()


def test_a_migration_does_not_wait_for_long(postgres: NewDatabase, migrated_template: str) -> None:
    with postgres(migrated_template) as url:
        with psycopg.connect(url.replace("+psycopg", "")) as holding:
            holding.execute("LOCK TABLE alembic_version IN SHARE MODE")
            with pytest.raises(OperationalError, match="lock timeout"):
                command.downgrade(migration_config(url), "-1")
        command.downgrade(migration_config(url), "-1")
        command.upgrade(migration_config(url), "head")
