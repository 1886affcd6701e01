"""looking for abandoned jobs is a duty too"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DUTIES = sa.table(
    "duties", sa.column("name", sa.String), sa.column("due_at", sa.DateTime(timezone=True))
)


def upgrade() -> None:
    op.bulk_insert(DUTIES, [{"name": "sweep", "due_at": datetime(2000, 1, 1, tzinfo=UTC)}])


def downgrade() -> None:
    op.execute(sa.delete(DUTIES).where(DUTIES.c.name == "sweep"))
