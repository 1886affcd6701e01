"""Migrations lead to the tables that the code expects, and back, on both databases."""

import hashlib

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event, inspect, select
from sqlalchemy.orm import Session

from api_schemas.datasets import Column
from service import datasets, models
from service.database import Database, migration_config
from service.ownership import Caller
from service.table_types import Base
from service.tables import DatasetRow, ModelRow
from tests.service import rows

BEFORE_COLUMNS = (
    "INSERT INTO datasets VALUES ('ds_1', '2026-01-01 00:00:00+00:00', 'd', 'csv', 9, 'a', 'b', 9, "
    """'[1]', 'float64', '[{"name": "x", "min": 0, "max": 1, "mean": 0.5}]', '[]')""",
    "INSERT INTO jobs (id, created_at, enqueued_at, name, dataset_id, status, config, attempt, "
    "losses, iteration, fraction) VALUES ('job_1', '2026-01-01', '2026-01-01', 'j', 'ds_1', "
    """'succeeded', '{"components": 1}', 1, 0, 1, 1)""",
    "INSERT INTO models VALUES ('mdl_1', '2026-01-01 00:00:00+00:00', 'm', 'job_1', 1, '[1]', "
    """'["x"]', '[1]', '[9]', '{}', '1')""",
)


def table_names(url: str) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_up_down_and_up_again(empty_database_url: str) -> None:
    config = migration_config(empty_database_url)
    command.upgrade(config, "head")
    assert table_names(empty_database_url) == {*Base.metadata.tables, "alembic_version"}
    command.downgrade(config, "base")
    assert table_names(empty_database_url) == {"alembic_version"}
    command.upgrade(config, "head")
    command.check(config)  # raises when the tables differ


def test_an_interrupted_migration_leaves_nothing(empty_database_url: str) -> None:
    def interrupt(_: object, cursor: object, statement: str, *rest: object) -> None:
        if "CREATE TABLE models" in statement:
            raise KeyboardInterrupt

    config = migration_config(empty_database_url)
    event.listen(Engine, "before_cursor_execute", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            command.upgrade(config, "head")
    finally:
        event.remove(Engine, "before_cursor_execute", interrupt)
    assert table_names(empty_database_url) == set()
    command.upgrade(config, "head")


def test_columns_gain_types(empty_database_url: str) -> None:
    config = migration_config(empty_database_url)
    command.upgrade(config, "0001")
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        for statement in BEFORE_COLUMNS:
            connection.exec_driver_sql(statement)
    command.upgrade(config, "head")
    with Session(engine) as session:
        dataset, model = (
            session.scalars(select(DatasetRow)).one(),
            session.scalars(select(ModelRow)).one(),
        )
        assert (dataset.owner, dataset.stored_bytes) == ("", dataset.bytes)
        assert dataset.identity == hashlib.sha256(b"a {}").hexdigest()
        assert datasets.view(dataset).columns == [
            Column(name="x", type="number", min=0, max=1, mean=0.5)
        ]
        assert models.view(model).columns == [Column(name="x", type="number")]
    command.downgrade(config, "0001")
    with engine.begin() as connection:
        assert "type" not in str(connection.exec_driver_sql("SELECT columns FROM models").scalar())
    engine.dispose()


def test_assign_jobs_are_unknown_before(database: Database) -> None:
    with database.write() as session:
        rows.assign_job(session, 10)
        training = rows.job(session).id
    config = migration_config(database.engine.url.render_as_string(hide_password=False))
    command.downgrade(config, "0006")
    with database.engine.begin() as connection:
        for table, column in (("jobs", "id"), ("events", "job_id")):
            left = connection.exec_driver_sql(f"SELECT {column} FROM {table}").all()  # noqa: S608
            assert left == [(training,)], table
    command.upgrade(config, "head")


def test_what_several_owners_have_is_the_firsts_before(database: Database) -> None:
    for owner in ("alice", "bob"):
        with database.used_by(Caller(owner)).write() as session:
            rows.dataset(session).identity = "e" * 64
    config = migration_config(database.engine.url.render_as_string(hide_password=False))
    command.downgrade(config, "0005")
    with database.engine.begin() as connection:
        left = connection.exec_driver_sql("SELECT COUNT(*), COUNT(identity) FROM datasets").one()
    assert left == (2, 1)


def test_the_same_bytes_twice_are_refused_before_anything_is_changed(database: Database) -> None:
    config = migration_config(database.engine.url.render_as_string(hide_password=False))
    with database.write() as session:
        first, second = (rows.dataset(session) for _ in range(2))
        second.sha256 = first.sha256  # with other options
    command.downgrade(config, "0002")
    before = inspect(database.engine).get_columns("datasets")
    with pytest.raises(CommandError, match=f"{first.id}, {second.id} come from the same bytes"):
        command.downgrade(config, "0001")
    assert str(inspect(database.engine).get_columns("datasets")) == str(before)
    command.upgrade(config, "head")
