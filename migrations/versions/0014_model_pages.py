"""what models tell of their points: outlier scores, mean posteriors, how the whole is spread"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

LISTS = {"models": "whole", "components": "posterior"}  # empty for what was not kept


def upgrade() -> None:
    op.add_column("assignments", sa.Column("outlier_scores", sa.LargeBinary(), nullable=True))
    for table, name in LISTS.items():
        column = sa.Column(name, sa.JSON(), nullable=False, server_default="[]")
        op.add_column(table, column)
        with op.batch_alter_table(table) as changed:
            changed.alter_column(name, existing_type=sa.JSON(), server_default=None)


def downgrade() -> None:
    for table, name in LISTS.items():
        with op.batch_alter_table(table) as changed:
            changed.drop_column(name)
    with op.batch_alter_table("assignments") as assignments:
        assignments.drop_column("outlier_scores")
