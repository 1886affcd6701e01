"""models that tell of themselves, imported ones; confidences; components; pinned aliases"""

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MODELS = sa.table(
    "models",
    sa.column("id", sa.String),
    sa.column("job_id", sa.String),
    sa.column("sizes", sa.JSON),
    sa.column("code_version", sa.String),
    sa.column("config", sa.JSON),
    sa.column("provenance", sa.JSON),
)
JOBS = sa.table("jobs", sa.column("id"), sa.column("dataset_id"), sa.column("config", sa.JSON))
DATASETS = sa.table("datasets", sa.column("id"), sa.column("sha256"), sa.column("columns", sa.JSON))
ASSIGNMENTS = sa.table(
    "assignments",
    sa.column("model_id", sa.String),
    sa.column("first_row", sa.BigInteger),
    sa.column("components", sa.LargeBinary),
)


def upgrade() -> None:
    with op.batch_alter_table("models") as models:
        models.alter_column("job_id", existing_type=sa.String(40), nullable=True)
        models.add_column(sa.Column("archive_sha256", sa.String(64), nullable=True))
        models.add_column(sa.Column("config", sa.JSON(), nullable=True))
        models.add_column(sa.Column("provenance", sa.JSON(), nullable=True))
        models.create_unique_constraint("uq_models_archive_sha256", ["archive_sha256"])
    _tell_provenance()
    with op.batch_alter_table("models") as models:
        models.alter_column("config", existing_type=sa.JSON(), nullable=False)
        models.alter_column("provenance", existing_type=sa.JSON(), nullable=False)
        models.drop_column("code_version")

    components = op.create_table(
        "components",
        sa.Column("model_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("typical", sa.JSON(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name="fk_components_model_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "number", name="pk_components"),
    )
    assigned = op.create_table(
        "assigned_chunks",
        sa.Column("model_id", sa.String(40), nullable=False),
        sa.Column("component", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name="fk_assigned_chunks_model_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "component", "first_row", name="pk_assigned_chunks"),
    )
    op.add_column("assignments", sa.Column("confidences", sa.LargeBinary(), nullable=True))
    _describe_components(components)
    _index_assignments(assigned)

    with op.batch_alter_table("aliases") as aliases:
        aliases.add_column(
            sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        aliases.add_column(sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE aliases SET created_at = updated_at, pinned = (name <> 'default')")
    with op.batch_alter_table("aliases") as aliases:
        aliases.alter_column("pinned", existing_type=sa.Boolean(), server_default=None)
        aliases.alter_column("created_at", existing_type=sa.DateTime(timezone=True), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("aliases") as aliases:
        aliases.drop_column("created_at")
        aliases.drop_column("pinned")
    with op.batch_alter_table("assignments") as assignments:
        assignments.drop_column("confidences")
    op.drop_table("assigned_chunks")
    op.drop_table("components")
    _forget_imported()
    with op.batch_alter_table("models") as models:
        models.add_column(
            sa.Column("code_version", sa.String(40), nullable=False, server_default="")
        )
    for model in op.get_bind().execute(sa.select(MODELS.c.id, MODELS.c.provenance)).all():
        _update(model.id, code_version=model.provenance["code_version"])
    with op.batch_alter_table("models") as models:
        models.alter_column("code_version", existing_type=sa.String(40), server_default=None)
        models.drop_column("provenance")
        models.drop_column("config")
        models.drop_constraint("uq_models_archive_sha256", type_="unique")
        models.drop_column("archive_sha256")
        models.alter_column("job_id", existing_type=sa.String(40), nullable=False)


def _tell_provenance() -> None:
    query = (
        sa.select(
            MODELS.c.id,
            MODELS.c.code_version,
            JOBS.c.id.label("job"),
            JOBS.c.config,
            JOBS.c.dataset_id,
            DATASETS.c.sha256,
        )
        .join(JOBS, JOBS.c.id == MODELS.c.job_id)
        .join(DATASETS, DATASETS.c.id == JOBS.c.dataset_id)
    )
    for model in op.get_bind().execute(query).all():
        provenance = {
            "source": "trained",
            "job": model.job,
            "dataset": model.dataset_id,
            "dataset_sha256": model.sha256,
            "seed": model.config.get("seed", 0),
            "code_version": model.code_version,
        }
        _update(model.id, config=model.config, provenance=provenance)


def _describe_components(components: sa.Table) -> None:
    for model in op.get_bind().execute(sa.select(MODELS.c.id, MODELS.c.sizes)).all():
        rows = [
            {"model_id": model.id, "number": number, "typical": [], "features": []}
            for number in range(len(model.sizes))
        ]
        op.bulk_insert(components, rows)


def _index_assignments(assigned: sa.Table) -> None:
    keys = sa.select(ASSIGNMENTS.c.model_id, ASSIGNMENTS.c.first_row)
    for model_id, first_row in op.get_bind().execute(keys).all():
        chunk = sa.select(ASSIGNMENTS.c.components).where(
            ASSIGNMENTS.c.model_id == model_id, ASSIGNMENTS.c.first_row == first_row
        )
        components = np.frombuffer(op.get_bind().execute(chunk).scalar_one(), "<u2")
        rows = [
            {"model_id": model_id, "component": component, "first_row": first_row}
            for component in np.unique(components).tolist()
        ]
        op.bulk_insert(assigned, rows)


def _forget_imported() -> None:
    """What has no job had no place before."""
    imported = "(SELECT id FROM models WHERE job_id IS NULL)"
    for table in ("aliases", "model_weights"):
        op.execute(f"DELETE FROM {table} WHERE model_id IN {imported}")  # noqa: S608
    op.execute("DELETE FROM models WHERE job_id IS NULL")


def _update(model_id: str, **values: object) -> None:
    op.execute(sa.update(MODELS).where(MODELS.c.id == model_id).values(**values))
