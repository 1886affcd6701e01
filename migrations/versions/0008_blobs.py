"""intents to store blobs, duties that one process has at a time"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob_intents",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blob_intents")),
    )
    op.create_index(op.f("ix_blob_intents_sha256"), "blob_intents", ["sha256"])
    duties = op.create_table(
        "duties",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )
    op.bulk_insert(duties, [{"name": "collect", "due_at": datetime(2000, 1, 1, tzinfo=UTC)}])
    op.create_index(op.f("ix_checkpoints_sha256"), "checkpoints", ["sha256"])


def downgrade() -> None:
    op.drop_index(op.f("ix_checkpoints_sha256"), "checkpoints")
    op.drop_table("duties")
    op.drop_table("blob_intents")
