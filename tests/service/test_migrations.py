"""Migrations lead to the tables that the code expects, and back, on both databases."""

from alembic import command
from sqlalchemy import create_engine, inspect

from service.database import migration_config
from service.tables import Base


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
