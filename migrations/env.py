"""How Alembic reaches the database: the URL it is given, else the service's own setting."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, create_engine, event, pool

from service.settings import Settings
from service.table_types import UtcDateTime
from service.tables import DatasetRow

config = context.config
url = config.get_main_option("sqlalchemy.url") or Settings().database_url


def render_item(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Migrations outlive the code: they name SQLAlchemy's type, not ours."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False


def leave_transactions_alone(connection: Any, _: object) -> None:
    """sqlite3 itself would commit before each change of a table."""
    connection.isolation_level = None


def wait_briefly(connection: Any, _: object) -> None:
    """What waits to change a table holds up every call that comes after it."""
    connection.execute("SET lock_timeout = '5s'")
    connection.commit()


def begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


engine = create_engine(url, poolclass=pool.NullPool)
if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", leave_transactions_alone)
    event.listen(engine, "begin", begin)
else:
    event.listen(engine, "connect", wait_briefly)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=DatasetRow.metadata,
        render_as_batch=True,
        render_item=render_item,
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
