"""keys, owners and the workers' pulses"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWNED = ("datasets", "jobs", "models")


def upgrade() -> None:
    for table in (*OWNED, "aliases"):
        owner = sa.Column("owner", sa.String(length=40), nullable=False, server_default="")
        op.add_column(table, owner)
    op.add_column(
        "datasets", sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute("UPDATE datasets SET stored_bytes = bytes")
    for table in OWNED:
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("owner", server_default=None)
            batch_op.create_index(batch_op.f(f"ix_{table}_owner_id"), ["owner", "id"])
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.alter_column("stored_bytes", server_default=None)
        batch_op.drop_constraint(batch_op.f("uq_datasets_identity"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_datasets_owner_identity"), ["owner", "identity"]
        )
    with op.batch_alter_table("models") as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_models_archive_sha256"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_models_owner_archive_sha256"), ["owner", "archive_sha256"]
        )
    with op.batch_alter_table("aliases") as batch_op:
        batch_op.alter_column("owner", server_default=None)
        batch_op.drop_constraint(batch_op.f("pk_aliases"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_aliases"), ["owner", "name"])

    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("max_jobs", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_owner"), "api_keys", ["owner"])
    op.create_table(
        "worker_pulses",
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_worker_pulses")),
    )


def downgrade() -> None:
    op.drop_table("worker_pulses")
    op.drop_table("api_keys")
    op.execute("DELETE FROM aliases WHERE owner <> ''")  # names are unique again
    with op.batch_alter_table("aliases") as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_aliases"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_aliases"), ["name"])
        batch_op.drop_column("owner")
    _forget_doubles("datasets", "identity")
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_datasets_owner_identity"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_datasets_identity"), ["identity"])
        batch_op.drop_column("stored_bytes")
    _forget_doubles("models", "archive_sha256")
    with op.batch_alter_table("models") as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_models_owner_archive_sha256"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_models_archive_sha256"), ["archive_sha256"]
        )
    for table in OWNED:
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_index(batch_op.f(f"ix_{table}_owner_id"))
            batch_op.drop_column("owner")


def _forget_doubles(table: str, column: str) -> None:
    """What several owners have was one of theirs alone: the first keeps it."""
    first = f"SELECT MIN(id) FROM {table} GROUP BY {column}"  # noqa: S608
    op.execute(f"UPDATE {table} SET {column} = NULL WHERE id NOT IN ({first})")  # noqa: S608
