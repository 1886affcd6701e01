"""The components of the training points: stored with confidence, paged, filtered, whole."""

import numpy as np
import pytest

from service import assignments, models
from service.database import Database
from tests.points import three_blobs
from tests.service.fits import fit_blobs, publish
from trainer import Fit


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "CHUNK_ROWS", 64)


def whole(database: Database, component: int | None = None) -> assignments.Assigned:
    with database.read() as session:
        source = assignments.of_model(models.get(session, "default"))
        return np.concatenate(list(assignments.pieces(session, source, component)))


def test_components_and_their_posterior_are_stored(database: Database, fit: Fit) -> None:
    publish(database, fit)
    stored = whole(database)
    posterior = fit.mixture.posterior(three_blobs()[0])
    np.testing.assert_array_equal(stored["row"], np.arange(300))
    np.testing.assert_array_equal(stored["component"], fit.partition)
    own = posterior[stored["row"], stored["component"]]
    np.testing.assert_allclose(stored["confidence"], own, atol=1e-5)


def test_a_component_alone_and_one_without_points(database: Database, fit: Fit) -> None:
    partition = np.where(fit.partition == 2, 1, fit.partition)
    publish(database, fit._replace(partition=partition))
    np.testing.assert_array_equal(whole(database, 1), whole(database)[partition == 1])
    assert len(whole(database, 2)) == 0


@pytest.mark.parametrize("component", [None, 1])
def test_pages(database: Database, fit: Fit, component: int | None) -> None:
    publish(database, fit)
    found: list[int] = []
    with database.read() as session:
        source = assignments.of_model(models.get(session, "default"))
        after, has_more = -1, True
        while has_more:
            page = assignments.page(session, source, component, after, 7)
            assert component is None or {row.component for row in page.data} == {component}
            assert all(0 <= (row.confidence or 0) <= 1 for row in page.data)
            found += [row.row for row in page.data]
            after, has_more = int(page.last_id or 0), page.has_more
    members = fit.partition == component if component is not None else fit.partition >= 0
    assert found == np.flatnonzero(members).tolist()


def test_a_rare_component_is_found_by_the_index(database: Database, fit: Fit) -> None:
    partition = np.zeros(300, np.int64)
    partition[-1] = 1
    publish(database, fit._replace(partition=partition))
    with database.read() as session:
        source = assignments.of_model(models.get(session, "default"))
        first_rows = assignments.first_rows(session, source, 1)
        page = assignments.page(session, source, 1, -1, 7)
    assert ([row.row for row in page.data], first_rows) == ([299], [256])
