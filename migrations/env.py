"""How Alembic reaches the database: the URL it is given, else the service's own setting."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import create_engine, pool

from service.settings import Settings
from service.tables import Base, UtcDateTime

config = context.config
url = config.get_main_option("sqlalchemy.url") or Settings().database_url


def render_item(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Migrations outlive the code: they name SQLAlchemy's type, not ours."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False


engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=render_item,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
