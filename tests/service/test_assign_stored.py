"""POST /assign?dataset=: a job, or what is wrong; and the worker's part, in this process."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from api_schemas.datasets import Column
from api_schemas.inference import AssignField
from service import assign_jobs, assignments, jobs, models
from service.database import migrate
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.storage import Folder
from service.table_types import utc_now
from service.tables import JobPartRow
from service.worker import assigning
from service.worker.assigning import AssignRunner
from tests.points import digits, npy, three_blobs
from tests.servers import broker_server
from tests.service import rows
from tests.service.api import Served
from tests.service.api import publish as publish_columns
from tests.service.fits import fit_blobs
from tests.service.test_inference_bad_input import check
from trainer import Fit

POINTS = three_blobs()[0]
BLOBS = "x,y\n" + "".join(f"{x},{y}\n" for x, y in POINTS)


def upload(served: Served, content: bytes | str, **options: Any) -> str:
    response = served.http.post("/datasets", content=content, params=options)
    assert response.is_success, response.text
    dataset_id: str = response.json()["id"]
    return dataset_id


def test_a_data_set_makes_a_job(served: Served) -> None:
    dataset = upload(served, BLOBS)
    query = {"model": served.ids["blobs"], "dataset": dataset, "include": ["outlier_score"]}
    key = {"Idempotency-Key": "once"}
    answer, again = (served.http.post("/assign", params=query, headers=key) for _ in range(2))
    assert answer.status_code == again.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert again.json() == job
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (job["type"], job["status"], job["dataset"]) == ("assign", "queued", dataset)
    assert (job["assigned_by"], job["include"]) == (served.ids["blobs"], ["outlier_score"])
    assert job["config"] is None
    path = f"/jobs/{job['id']}"
    assert served.http.get("/jobs", params={"type": "assign"}).json()["data"][0]["id"] == job["id"]
    assert job["id"] not in served.http.get("/jobs", params={"type": "train"}).text
    check(served.http.get(f"{path}/assignments"), 409, "job_not_succeeded", "is queued")
    check(served.http.delete(f"/datasets/{dataset}"), 409, "dataset_in_use", job["id"])
    assert served.http.post(f"{path}/cancel").json()["status"] == "cancelled"
    check(served.http.delete(f"/datasets/{dataset}"), 409, "dataset_in_use", job["id"])
    assert served.http.delete(path).status_code == 204
    assert served.http.delete(f"/datasets/{dataset}").status_code == 204
    check(served.http.post(f"{path}/resume"), 404, "job_not_found", job["id"])
    with_key = served.http.post("/assign", params=query, headers={"Idempotency-Key": "two words"})
    check(with_key, 422, "invalid_input", "header.Idempotency-Key")


@pytest.mark.parametrize(
    ("model", "given", "query", "status", "code", "said"),
    [
        ("blobs", BLOBS, {"include": "posterior"}, 422, "not_kept", "query.include: posterior of"),
        ("blobs", BLOBS, {"include": "log_densities"}, 422, "not_kept", "send the points"),
        ("centroids", BLOBS, {"include": "outlier_score"}, 422, "no_outlier_score", "'centroid'"),
        ("blobs", BLOBS, {"dataset": "ds_x"}, 404, "dataset_not_found", "'ds_x'"),
        ("blobs", BLOBS, {"model": "mdl_x"}, 404, "model_not_found", "'mdl_x'"),
        ("homes", BLOBS, {}, 422, "invalid_points", "query.dataset: column 'price' is missing"),
        ("digits", BLOBS, {}, 422, "invalid_points", "(2,) each; the model was trained on (8, 8)"),
        ("blobs", npy(digits()[0][:9]), {}, 422, "invalid_points", "(8, 8) each; the model"),
        ("blobs", npy(POINTS[:, [0, 1, 1]]), {}, 422, "invalid_points", "column 'x' is missing"),
    ],
)
def test_what_is_refused(
    served: Served,
    model: str,
    given: bytes | str,
    query: dict[str, str],
    status: int,
    code: str,
    said: str,
) -> None:
    query = {"model": served.ids[model], "dataset": upload(served, given), **query}
    before = served.http.get("/jobs").json()
    check(served.http.post("/assign", params=query), status, code, said)
    assert served.http.get("/jobs").json() == before


def test_a_body_beside_a_data_set(served: Served) -> None:
    query = {"model": served.ids["blobs"], "dataset": upload(served, BLOBS)}
    response = served.http.post("/assign", params=query, json={"points": [[1, 2]]})
    check(response, 422, "invalid_input", "body: there is one, and dataset= as well")


def test_a_training_has_its_models_assignments(served: Served) -> None:
    model = served.http.get(f"/models/{served.ids['blobs']}").json()
    response = served.http.get(f"/jobs/{model['provenance']['job']}/assignments")
    check(response, 404, "assignments_not_found", f"/models/{model['id']}/assignments")


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with broker_server() as url:
        yield url


@pytest.fixture
def runner(tmp_path: Path, broker: str, monkeypatch: pytest.MonkeyPatch) -> AssignRunner:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    migrate(url)
    Folder(tmp_path).prepare()
    monkeypatch.setattr(assign_jobs, "part_rows", lambda *_: 128)
    settings = Settings(database_url=url, storage_url=str(tmp_path), broker_url=broker)
    return AssignRunner(settings, JobQueue(create_celery(settings)))


def ran(
    runner: AssignRunner,
    fit: Fit,
    columns: list[dict[str, Any]],
    points: Any,
    *include: AssignField,
) -> str:
    """The id of a job that was run."""
    named = [Column(name=name, type="number") for name in "xy"]
    model_id = publish_columns(runner.database, fit, named)
    with runner.database.write() as session:
        dataset = rows.dataset(session, len(points))
        dataset.points_sha256 = runner.storage.put(npy(points))
        dataset.columns, dataset.shape = columns, [*points.shape[1:]]
        job = assign_jobs.create(session, dataset, models.get(session, model_id), include)
    for job_id in (job.id, job.id, "job_x"):
        runner.run(job_id)
    return job.id


def test_what_workers_find_is_what_the_model_says(runner: AssignRunner, fit: Fit) -> None:
    columns = [{"name": name, "type": "number"} for name in "yx"]
    job_id = ran(runner, fit, columns, POINTS[:, ::-1], "outlier_score")
    with runner.database.read() as session:
        source = assignments.of_job(assign_jobs.result(session, job_id))
        found = np.concatenate(list(assignments.pieces(session, source, None)))
    np.testing.assert_array_equal(found["component"], fit.mixture.assign(POINTS))
    posterior = fit.mixture.posterior(POINTS).max(1)
    np.testing.assert_allclose(found["confidence"], posterior, atol=1e-4)
    scores = fit.mixture.outlier_score(POINTS)
    np.testing.assert_allclose(found["outlier_score"], scores, atol=1e-4)


def test_a_bad_value_fails_the_job_and_is_named(runner: AssignRunner, fit: Fit) -> None:
    columns: list[dict[str, Any]] = [{"name": name, "type": "number"} for name in "yx"]
    points = POINTS.copy()
    points[200, 0] = np.nan  # no upload has it
    job_id = ran(runner, fit, columns, points)
    with runner.database.read() as session:
        job = jobs.view(jobs.get(session, job_id))
    assert job.status == "failed"
    assert job.progress.fraction == 128 / 300
    assert job.error
    assert job.error.code == "invalid_points"
    assert job.error.message == "row 200, column 'y': the value is missing or NaN"


def test_a_database_that_fails_is_no_end(
    runner: AssignRunner, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [{"name": name, "type": "number"} for name in "xy"]

    def fail(*_: Any) -> None:
        raise OperationalError("", None, Exception("the server went away"))

    with monkeypatch.context() as patch:
        patch.setattr(assigning, "load", fail)
        job_id = ran(runner, fit, columns, POINTS)
    with runner.database.write() as session:
        assert jobs.get(session, job_id).status == "running"
        for part in session.scalars(select(JobPartRow)):
            part.lease_expires_at = utc_now() - timedelta(seconds=1)
        session.flush()
        assert assign_jobs.give_up_expired(session, 3) == [job_id]
    runner.run(job_id)
    with runner.database.read() as session:
        assert jobs.get(session, job_id).status == "succeeded"


def test_a_worker_that_stops_gives_its_part_back(runner: AssignRunner, fit: Fit) -> None:
    columns = [{"name": name, "type": "number"} for name in "xy"]
    asked = count()
    runner.is_stopping = lambda: next(asked) > 0  # once it has begun a part
    job_id = ran(runner, fit, columns, POINTS)
    with runner.database.read() as session:
        assert jobs.get(session, job_id).status == "running"
        parts = session.scalars(select(JobPartRow).order_by(JobPartRow.number)).all()
        assert [part.attempt for part in parts] == [1, 0, 0]
        assert {(part.lease_expires_at, part.losses) for part in parts} == {(None, 0)}
    runner.is_stopping = lambda: False
    runner.run(job_id)
    with runner.database.read() as session:
        assert jobs.get(session, job_id).status == "succeeded"
