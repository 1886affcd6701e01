"""configurations of the first releases: the option `generator` was what is `network` now"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NETWORKS = ("auto", "mlp", "conv")


def upgrade() -> None:
    for name in ("jobs", "models"):
        table = sa.table(name, sa.column("id", sa.String), sa.column("config", sa.JSON))
        for row in op.get_bind().execute(sa.select(table)).all():
            if row.config and (config := _today(row.config)) != row.config:
                op.execute(sa.update(table).where(table.c.id == row.id).values(config=config))


def downgrade() -> None:
    """Before this one both spellings were there."""


def _today(config: dict[str, Any]) -> dict[str, Any]:
    config = dict(config)
    if config.get("generator") in NETWORKS:
        config["network"] = config.pop("generator")
    if config.get("sample_noise", True) is None:  # chosen from the data, as true does now
        del config["sample_noise"]
    return config
