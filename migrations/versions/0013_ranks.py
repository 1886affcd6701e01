"""processes that share a training"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("ranks", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("jobs", "ranks")
