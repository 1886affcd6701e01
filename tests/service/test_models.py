"""Models are published whole or not at all."""

import numpy as np
import pytest
from sqlalchemy import func, select

from service import jobs, models
from service.database import Database
from service.errors import InvalidInput, NotFound
from service.tables import AssignmentChunkRow, ModelRow, WeightChunkRow
from tests.points import three_blobs
from tests.service import rows
from tests.trainer.test_training import short
from trainer import Fit, Mixture, train


@pytest.fixture(scope="module")
def fit() -> Fit:
    return train(three_blobs()[0], short(iterations=1))


def claimed(database: Database) -> jobs.Claim:
    with database.write() as session:
        claim = jobs.claim(session, rows.job(session).id, 60)
    assert claim
    return claim


def publish(database: Database, fit: Fit) -> str:
    claim = claimed(database)
    with database.write() as session:
        jobs.record_iteration(session, claim, 1, {"changed": 0.5, "seconds": 1.0})
        return models.publish(session, claim, fit.mixture, fit.partition)


def test_what_is_published_comes_back(
    database: Database, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "WEIGHT_CHUNK_BYTES", 1000)
    monkeypatch.setattr(models, "ASSIGNMENT_CHUNK_ROWS", 64)
    model_id = publish(database, fit)
    with database.read() as session:
        model = models.get(session, "default")
        view = models.view(model)
        assert model.id == model_id
        assert models.weights(session, model_id) == fit.mixture.to_bytes()
        np.testing.assert_array_equal(models.assignments(session, model), fit.partition)
        assert Mixture.from_bytes(models.weights(session, model_id)).components == 3
        assert jobs.view(model.job).model == model_id
    assert view.aliases == ["default"]
    assert view.metrics == {"changed": 0.5}
    assert view.sizes == np.bincount(fit.partition).tolist()
    assert view.alpha == [size / view.rows for size in view.sizes]
    assert [(c.name, c.type) for c in view.columns] == [("x", "number"), ("y", "number")]


def test_assignments_are_paged_and_filtered(
    database: Database, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "ASSIGNMENT_CHUNK_ROWS", 64)
    publish(database, fit)
    found: list[int] = []
    with database.read() as session:
        model = models.get(session, "default")
        after, has_more = -1, True
        while has_more:
            page = models.assignments_page(session, model, 1, after, 7)
            assert {row.component for row in page.data} == {1}
            found += [row.row for row in page.data]
            after, has_more = int(page.last_id or 0), page.has_more
        with pytest.raises(InvalidInput, match="there is no component 3"):
            models.assignments_page(session, model, 3, -1, 7)
    assert found == np.flatnonzero(fit.partition == 1).tolist()


def test_the_default_moves_to_the_newest(database: Database, fit: Fit) -> None:
    first, second = publish(database, fit), publish(database, fit)
    with database.read() as session:
        assert models.get(session, "default").id == second
        assert models.view(models.get(session, first)).aliases == []


def test_aliases_move(database: Database, fit: Fit) -> None:
    first, second = publish(database, fit), publish(database, fit)
    for model_id in (first, first, second):
        with database.write() as session:
            models.move_alias(session, "best", model_id)
        with database.read() as session:
            assert models.get(session, "best").id == model_id


def test_a_worker_without_its_lease_publishes_nothing(database: Database, fit: Fit) -> None:
    claim = claimed(database)
    with database.write() as session:
        jobs.finish(session, claim, "failed")
    with pytest.raises(jobs.LeaseLost), database.write() as session:
        models.publish(session, claim, fit.mixture, fit.partition)
    with database.read() as session:
        for table in (ModelRow, WeightChunkRow, AssignmentChunkRow):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        with pytest.raises(NotFound, match="no job has succeeded"):
            models.get(session, "default")
