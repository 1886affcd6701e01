"""Models of the first schema are still there, and tell as much of themselves as they knew."""

import json
from typing import Any

import numpy as np
from alembic import command
from sqlalchemy import create_engine, text

from service import aliases, assignments, jobs, models
from service.database import Database, migrate, migration_config

NOW = "2026-01-01 00:00:00.000000"
# all options of the first release, and what the next one made of `sample_noise`
CONFIG = {
    "generator": "mlp",
    "likelihood": "auto",
    "sample_noise": None,
    "hidden": None,
    "latent": None,
    "estimator": "classifier",
    "initial_partition": "kmeans",
    "iterations": 8,
    "pretraining_epochs": None,
    "epochs": None,
    "estimator_epochs": None,
    "batch_size": 64,
    "learning_rate": 0.005,
    "anneal": True,
    "components": 2,
    "seed": 7,
}
COLUMN = {"name": "x", "min": 0, "max": 1, "mean": 0.5}
ROWS: dict[str, dict[str, Any]] = {
    "datasets": {
        "id": "ds_1",
        "created_at": NOW,
        "name": "points",
        "format": "npy",
        "bytes": 1,
        "sha256": "a" * 64,
        "points_sha256": "b" * 64,
        "rows": 4,
        "shape": "[1]",
        "dtype": "float64",
        "columns": json.dumps([COLUMN]),
        "warnings": "[]",
    },
    "jobs": {
        "id": "job_1",
        "created_at": NOW,
        "enqueued_at": NOW,
        "name": "points",
        "dataset_id": "ds_1",
        "status": "succeeded",
        "config": json.dumps(CONFIG),
        "attempt": 1,
        "losses": 0,
        "iteration": 1,
        "fraction": 1.0,
    },
    "models": {
        "id": "mdl_1",
        "created_at": NOW,
        "name": "points",
        "job_id": "job_1",
        "weights_bytes": 1,
        "shape": "[1]",
        "columns": '["x"]',
        "alpha": "[0.75, 0.25]",
        "sizes": "[3, 1]",
        "metrics": "{}",
        "code_version": "0.0.9",
    },
    "assignments": {
        "model_id": "mdl_1",
        "first_row": 0,
        "components": np.array([0, 0, 1, 0], "<u2").tobytes(),
    },
    "aliases": {"name": "default", "model_id": "mdl_1", "updated_at": NOW},
}


def test_models_of_the_first_schema(empty_database_url: str) -> None:
    config = migration_config(empty_database_url)
    command.upgrade(config, "0001")
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        for table, row in ROWS.items():
            values = ", ".join(f":{name}" for name in row)
            connection.execute(
                text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"),  # noqa: S608
                row,
            )
    migrate(empty_database_url)
    database = Database(empty_database_url)
    with database.read() as session:
        view = models.view(models.get(session, "default"))
        job = jobs.view(jobs.get(session, "job_1"))
        source = assignments.of_model(models.get(session, "mdl_1"))
        page = assignments.page(session, source, 1, -1, 20)
        assert not aliases.get(session, "default").pinned
    database.close()
    assert (view.provenance.dataset_sha256, view.provenance.code_version) == ("a" * 64, "0.0.9")
    assert (view.config.k, view.provenance.seed, view.columns[0].type) == (2, 7, "number")
    assert view.config == job.config
    assert (view.config.generator, view.config.network) == ("vae", "mlp")
    assert [(row.row, row.confidence) for row in page.data] == [(2, None)]
    command.downgrade(config, "0001")
    with engine.begin() as connection:
        found = connection.execute(text("SELECT code_version, columns FROM models")).one()
    assert found.code_version == "0.0.9"
    assert "type" not in str(found.columns)
    engine.dispose()
