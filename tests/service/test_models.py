"""Models are published whole or not at all."""

import numpy as np
import pytest
from sqlalchemy import func, select

from service import aliases, checkpoints, events, jobs, leases, models
from service.database import Database
from service.errors import Conflict, NotFound
from service.model_cache import ModelCache
from service.table_types import Base
from service.tables import (
    AssignedChunkRow,
    AssignmentChunkRow,
    CheckpointRow,
    ComponentRow,
    EventRow,
    JobRow,
    ModelRow,
    WeightChunkRow,
)
from tests.service.fits import claimed, fit_blobs, publish
from trainer import Fit, Mixture

PARTS = (ComponentRow, WeightChunkRow, AssignmentChunkRow, AssignedChunkRow, ModelRow)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


def count(database: Database, table: type[Base]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_what_is_published_comes_back(
    database: Database, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "WEIGHT_CHUNK_BYTES", 1000)
    model_id = publish(database, fit)
    with database.read() as session:
        model = models.get(session, "default")
        view = models.view(model)
        assert model.id == model_id
        assert models.weights(session, model_id) == fit.mixture.to_bytes()
        assert Mixture.from_bytes(models.weights(session, model_id)).components == 3
        assert model.job
        assert jobs.view(model.job).model == model_id
        dataset = model.job.dataset
    assert view.aliases == ["default"]
    assert view.metrics == {"changed": 0.5}
    assert view.sizes == np.bincount(fit.partition).tolist()
    assert view.alpha == [size / view.rows for size in view.sizes]
    assert [(column.name, column.type) for column in view.columns] == [
        ("x", "number"),
        ("y", "number"),
    ]
    assert view.provenance.source == "trained"
    assert (view.provenance.dataset, view.provenance.dataset_sha256) == (dataset.id, dataset.sha256)
    assert view.provenance.torch_version
    assert view.provenance.code_version == "1+abc"


def test_a_worker_without_its_lease_publishes_nothing(database: Database, fit: Fit) -> None:
    claim = claimed(database)
    with database.write() as session:
        leases.finish(session, claim, "failed")
    with pytest.raises(leases.LeaseLost):
        publish(database, fit, claim)
    assert not any(count(database, table) for table in PARTS)
    with database.read() as session, pytest.raises(NotFound, match="no job has succeeded"):
        models.get(session, "default")


def test_the_default_follows_the_newest_until_it_is_pinned(database: Database, fit: Fit) -> None:
    first, second = publish(database, fit), publish(database, fit)

    def default() -> tuple[str, bool]:
        with database.read() as session:
            alias = aliases.get(session, "default")
            return alias.model_id, alias.pinned

    assert default() == (second, False)
    with database.write() as session:
        assert not aliases.pin(session, "default", first)
    publish(database, fit)
    assert default() == (first, True)
    with database.write() as session:
        aliases.drop(session, "default")
    newest = publish(database, fit)
    assert default() == (newest, False)


def test_aliases_move_and_are_listed(database: Database, fit: Fit) -> None:
    first, second = publish(database, fit), publish(database, fit)
    for model_id, is_new in ((first, True), (first, False), (second, False)):
        with database.write() as session:
            assert aliases.pin(session, "best", model_id) is is_new
        with database.read() as session:
            assert models.get(session, "best").id == model_id
    with database.read() as session:
        one = aliases.page(session, None, 1)
        two = aliases.page(session, one.last_id, 1)
    assert [alias.id for alias in (*one.data, *two.data)] == ["best", "default"]
    assert (one.has_more, two.has_more) == (True, False)


def test_a_model_outlives_its_job(database: Database, fit: Fit) -> None:
    model_id = publish(database, fit)
    with database.write() as session:
        job_id = models.get(session, model_id).job_id or ""
        checkpoints.add(session, job_id, 1, "0" * 64, 1)
        assert jobs.remove(session, job_id) == ["0" * 64]
    with database.read() as session:
        model = models.get(session, model_id)
        assert (model.job_id, models.view(model).provenance.job) == (None, job_id)
        with pytest.raises(NotFound):
            jobs.get(session, job_id)
    assert not any(count(database, table) for table in (EventRow, CheckpointRow, JobRow))
    with database.write() as session:
        aliases.drop(session, "default")
        models.remove(session, model_id)


def test_a_deleted_model_takes_its_parts_along(database: Database, fit: Fit) -> None:
    model_id = publish(database, fit)
    cache = ModelCache(database, 1 << 30)
    with database.read() as session:
        model = models.get(session, model_id)
    cache.get(model_id)
    with pytest.raises(Conflict, match="'default' stands for"), database.write() as session:
        models.remove(session, model_id)
    with database.write() as session:
        aliases.drop(session, "default")
        models.remove(session, model_id)
    assert not any(count(database, table) for table in PARTS)
    with database.read() as session:
        job = jobs.get(session, model.job_id or "")
        assert jobs.view(job).model is None
        assert events.page(session, job.id, 0, 100).data[-1].message.startswith("its model")
        with pytest.raises(NotFound):
            models.get(session, model_id)
    with pytest.raises(NotFound):  # which was on its way to be loaded
        ModelCache(database, 1 << 30).get(model_id)
