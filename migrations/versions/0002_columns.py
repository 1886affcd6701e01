"""Columns know their types; data sets know their options and can be deleted."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

datasets = sa.table(
    "datasets",
    sa.column("id", sa.String),
    sa.column("sha256", sa.String),
    sa.column("shape", sa.JSON),
    sa.column("columns", sa.JSON),
    sa.column("identity", sa.String),
)
models = sa.table(
    "models",
    sa.column("id", sa.String),
    sa.column("shape", sa.JSON),
    sa.column("columns", sa.JSON),
)


def upgrade() -> None:
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.add_column(sa.Column("options", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("identity", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    _convert()
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.alter_column("options", server_default=None)
        batch_op.drop_constraint(batch_op.f("uq_datasets_sha256"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_datasets_identity"), ["identity"])
        batch_op.create_index(batch_op.f("ix_datasets_points_sha256"), ["points_sha256"])


def downgrade() -> None:
    _refuse_doubles()
    _restore()
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.drop_index(batch_op.f("ix_datasets_points_sha256"))
        batch_op.drop_constraint(batch_op.f("uq_datasets_identity"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_datasets_sha256"), ["sha256"])
        batch_op.drop_column("deleted_at")
        batch_op.drop_column("identity")
        batch_op.drop_column("options")


def _convert() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(datasets)).all():
        columns = [{**column, "type": _type(row.shape)} for column in row.columns]
        identity = hashlib.sha256(f"{row.sha256} {{}}".encode()).hexdigest()
        change = sa.update(datasets).where(datasets.c.id == row.id)
        connection.execute(change.values(columns=columns, identity=identity))
    for row in connection.execute(sa.select(models)).all():
        _set_columns(row.id, [{"name": name, "type": _type(row.shape)} for name in row.columns])


def _refuse_doubles() -> None:
    """Raise CommandError where the same bytes are two data sets: neither can be the other's."""
    same = sa.select(datasets.c.sha256).group_by(datasets.c.sha256).having(sa.func.count() > 1)
    rows = sa.select(datasets.c.id).where(datasets.c.sha256.in_(same)).order_by(datasets.c.sha256)
    if doubles := op.get_bind().scalars(rows.limit(10)).all():
        raise CommandError(
            f"the data sets {', '.join(doubles)} come from the same bytes with other options, from "
            "several owners or from before a deletion, and schema 0001 has one data set for the "
            "same bytes: remove all but one, with what was made from them, and downgrade again"
        )


def _restore() -> None:
    for row in op.get_bind().execute(sa.select(models)).all():
        _set_columns(row.id, [column["name"] for column in row.columns])


def _set_columns(model_id: str, columns: list[Any]) -> None:
    change = sa.update(models).where(models.c.id == model_id)
    op.get_bind().execute(change.values(columns=columns))


def _type(shape: list[int]) -> str:
    return "number" if len(shape) == 1 else "pixels"
