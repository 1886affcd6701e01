"""The Python client against the running service."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from api_schemas.models import Model
from client import KVAE, Conflict, InvalidInput, JobCancelled, NotFound
from tests.e2e.conftest import SHORT, Client
from tests.points import Points, three_blobs

POINTS, LABELS = three_blobs()
FRAME = pd.DataFrame(
    {"x": POINTS[:, 0], "y": POINTS[:, 1], "kind": ["a", "b"] * 150}, range(7, 307)
)


@pytest.fixture(scope="module")
def kvae(client: Client) -> Iterator[KVAE]:
    with KVAE(str(client.http.base_url)) as kvae:
        yield kvae


@pytest.fixture(scope="module")
def model(kvae: KVAE) -> Model:
    """Of rows of two numbers."""
    return kvae.train(POINTS, 3, config=SHORT, progress=False)


@pytest.fixture(scope="module")
def mixed(kvae: KVAE) -> Model:
    """Of a table with categories."""
    columns = ["x", "kind", "y"]
    return kvae.train(FRAME, 3, config=SHORT, progress=False, categories="onehot", columns=columns)


def test_from_a_file_to_a_model(
    kvae: KVAE, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    FRAME[["y", "x"]].to_csv(tmp_path / "blobs.csv", index=False)  # what no other test uploads
    model = kvae.train(tmp_path / "blobs.csv", 3, config=SHORT, seed=3)
    assert (model.name, model.config.seed, model.rows) == ("blobs.csv", 3, 300)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("iteration 1 of 2: alpha") == 1
    assert "moved" in err
    assert "Succeeded" in err


def test_arrays_in_and_out(kvae: KVAE, model: Model) -> None:
    components = kvae.assign(POINTS, model=model.id)
    assert components.dtype == np.int64
    assert adjusted_rand_score(LABELS, components) > 0.99
    fields = kvae.assign(
        POINTS, include=["posterior", "confidence", "log_densities"], model=model.id
    )
    np.testing.assert_array_equal(fields["components"], components)
    np.testing.assert_array_equal(fields["log_densities"].argmax(1), components)
    np.testing.assert_array_equal(fields["posterior"][range(300), components], fields["confidence"])
    stored = kvae.models.assignments(model.id)
    np.testing.assert_array_equal(stored["component"], components)


def test_tables_in_and_out(kvae: KVAE, mixed: Model) -> None:
    frame = kvae.assign(FRAME, include=["confidence"], model=mixed.id)
    assert list(frame.columns) == ["component", "confidence"]
    assert frame.index.equals(FRAME.index)
    table = kvae.assign(pa.Table.from_pandas(FRAME, preserve_index=False), model=mixed.id)
    assert table.column("component").to_pylist() == frame["component"].tolist()
    record = {"y": 8.0, "x": 8.0, "kind": "b"}
    assert len(kvae.assign([record], model=mixed.id).components) == 1
    stored = kvae.models.assignments(mixed.id, component=1, format="pandas")
    assert set(stored["component"]) == {1}


def test_samples(kvae: KVAE, mixed: Model, tmp_path: Path) -> None:
    drawn = kvae.sample(50, seed=1, model=mixed.id)
    assert drawn.points.shape == (50, 4)
    assert (drawn.seed, drawn.model) == (1, mixed.id)
    np.testing.assert_array_equal(kvae.sample(50, seed=1, model=mixed.id).points, drawn.points)
    frame = kvae.sample(50, seed=1, model=mixed.id, format="pandas")
    assert list(frame.points.columns) == ["x", "kind", "y"]
    np.testing.assert_array_equal(frame.components, drawn.components)
    table = kvae.sample(5, component=2, model=mixed.id, format="pyarrow")
    assert table.points.column_names == ["x", "kind", "y"]
    assert table.components.tolist() == [2] * 5
    kvae.sample_file(tmp_path / "s.png", 5, model=mixed.id)
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_files_in_and_out(kvae: KVAE, mixed: Model, tmp_path: Path) -> None:
    source = tmp_path / "new.csv"
    FRAME.to_csv(source)  # its index is a column that the model doesn't know
    for target in (tmp_path / "out.parquet", tmp_path / "out.csv"):
        kvae.assign_file(source, target, include=["outlier_score"], model=mixed.id)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found.columns) == ["component", "outlier_score"]
    assert found["component"].equals(pd.read_csv(tmp_path / "out.csv")["component"])


def test_a_whole_data_set(kvae: KVAE, model: Model) -> None:
    dataset = kvae.upload(POINTS)
    job = kvae.assign_dataset(dataset.id, include=["outlier_score"], model=model.id)
    assert (job.type, kvae.wait(job.id, progress=False).status) == ("assign", "succeeded")
    found = kvae.jobs.assignments(job.id, format="pandas")
    assert list(found.columns) == ["row", "component", "confidence", "outlier_score"]
    assert found["component"].tolist() == kvae.assign(POINTS, model=model.id).tolist()


def test_data_sets(kvae: KVAE) -> None:
    points: Points = np.arange(300.0).reshape(150, 2)
    dataset = kvae.upload(points, name="count")
    assert (dataset.name, dataset.shape, kvae.datasets.get(dataset.id)) == ("count", [2], dataset)
    assert [row.row for row in kvae.datasets.rows(dataset.id)] == list(range(150))
    assert dataset in kvae.datasets.list(name=dataset.name)
    kvae.datasets.delete(dataset.id)
    with pytest.raises(NotFound, match=f"no dataset '{dataset.id}'"):
        kvae.datasets.get(dataset.id)
    with pytest.raises(InvalidInput, match="'median'") as raised:
        kvae.upload(pa.table({"x": [1.0]}), missing="sometimes")
    assert raised.value.errors[0].loc[-1] == "missing"
    with pytest.raises(TypeError, match="points are a path"):
        kvae.upload(3)


def test_a_job_from_its_log_to_its_resumption(kvae: KVAE) -> None:
    long = {**SHORT, "iterations": 500, "epochs": 100}
    job = kvae.submit(POINTS, 3, config=long, name="long")
    log = kvae.jobs.watch(job.id)
    first = next(event for event in log if event.type == "metrics")
    assert first.data["iteration"] == 1
    assert next(kvae.jobs.list(type="train", dataset=job.dataset)).id == job.id
    assert list(kvae.jobs.deliveries(job.id)) == []
    assert kvae.jobs.preview(job.id).startswith(b"\x89PNG")
    kvae.jobs.cancel(job.id)
    assert list(log)[-1].data["status"] == "cancelled"
    with pytest.raises(JobCancelled):
        kvae.wait(job.id, progress=False)
    assert next(kvae.jobs.checkpoints(job.id)).iteration == 1
    assert next(kvae.jobs.events(job.id, after=first.id)).id != first.id
    assert kvae.jobs.resume(job.id).finished_at is None
    with pytest.raises(Conflict):
        kvae.jobs.resume(job.id)
    kvae.jobs.cancel(job.id)


def test_models_and_their_names(kvae: KVAE, model: Model, tmp_path: Path) -> None:
    assert model.id in [one.id for one in kvae.models.list(name=model.name)]
    assert [one.component for one in kvae.models.components(model.id)] == [0, 1, 2]
    assert kvae.models.component(1, model.id).size == model.sizes[1]
    assert kvae.aliases.move("champion", model.id).model == model.id
    assert kvae.aliases.get("champion") in kvae.aliases.list()
    kvae.models.export(tmp_path / "model.zip", "champion")
    copy = kvae.models.load(tmp_path / "model.zip")
    assert copy.provenance.origin == model.id
    kvae.models.delete(copy.id)
    with pytest.raises(Conflict, match="champion"):
        kvae.models.delete(model.id)
    kvae.aliases.delete("champion")
    with pytest.raises(NotFound):
        kvae.models.get("champion")
