"""jobs that assign a data set, in parts"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LEFT_BEHIND = ("events", "webhook_deliveries")


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("type", sa.String(10), nullable=False, server_default="train"))
        jobs.add_column(sa.Column("assigned_by", sa.String(40), nullable=True))
        jobs.add_column(sa.Column("components", sa.Integer(), nullable=True))
        jobs.add_column(sa.Column("include", sa.JSON(), nullable=True))
        jobs.alter_column("config", existing_type=sa.JSON(), nullable=True)
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("type", existing_type=sa.String(10), server_default=None)
        jobs.create_index("ix_jobs_assigned_by", ["assigned_by"])

    op.create_table(
        "job_parts",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_parts_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_job_parts"),
    )
    op.create_index("ix_job_parts_lease_expires_at", "job_parts", ["lease_expires_at"])
    op.create_table(
        "job_assignments",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("first_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("components", sa.LargeBinary(), nullable=False),
        sa.Column("confidences", sa.LargeBinary(), nullable=True),
        sa.Column("outlier_scores", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_assignments_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "first_row", name="pk_job_assignments"),
    )
    op.create_table(
        "job_assigned_chunks",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("component", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_assigned_chunks_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "component", "first_row", name="pk_job_assigned_chunks"),
    )


def downgrade() -> None:
    op.drop_table("job_assigned_chunks")
    op.drop_table("job_assignments")
    op.drop_table("job_parts")
    assigning = "(SELECT id FROM jobs WHERE type = 'assign')"
    for table in LEFT_BEHIND:
        op.execute(f"DELETE FROM {table} WHERE job_id IN {assigning}")  # noqa: S608
    op.execute("DELETE FROM jobs WHERE type = 'assign'")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_assigned_by")
        jobs.alter_column("config", existing_type=sa.JSON(), nullable=False)
        jobs.drop_column("include")
        jobs.drop_column("components")
        jobs.drop_column("assigned_by")
        jobs.drop_column("type")
