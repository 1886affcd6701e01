"""Assignments in the order of their confidence or outlier score."""

import numpy as np
import pytest

from service import assignments, models, rankings
from service.assignments import Assigned
from service.database import Database
from service.errors import InvalidInput
from service.rankings import Order
from tests.service.fits import fit_blobs, publish
from trainer import Fit


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "CHUNK_ROWS", 64)


def ranked(database: Database, order: Order, component: int | None = None) -> list[int]:
    """The rows, page by page."""
    found: list[int] = []
    with database.read() as session:
        source = assignments.of_model(models.get(session, "default"))
        after, has_more = -1, True
        while has_more:
            page = rankings.page(session, source, order, component, after, 70)
            found += [row.row for row in page.data]
            after, has_more = int(page.last_id or 0), page.has_more
        assert rankings.page(session, source, order, component, 10_000, 5).data == []
    return found


def stored(database: Database) -> Assigned:
    with database.read() as session:
        source = assignments.of_model(models.get(session, "default"))
        return np.concatenate(list(assignments.pieces(session, source, None)))


@pytest.mark.parametrize("component", [None, 1])
def test_borders_and_outliers_come_first(
    database: Database, fit: Fit, component: int | None
) -> None:
    publish(database, fit)
    every = stored(database)
    some = every if component is None else every[every["component"] == component]
    confidence, outlier_score = some["confidence"], some["outlier_score"]
    assert len({*confidence.tolist()}) < len(some)  # some are equal: the row decides
    by_confidence = some["row"][np.argsort(confidence, kind="stable")].tolist()
    assert ranked(database, "confidence", component) == by_confidence
    by_score = some["row"][np.argsort(-outlier_score, kind="stable")].tolist()
    assert ranked(database, "outlier_score", component) == by_score


def test_what_was_not_kept_orders_nothing(database: Database, fit: Fit) -> None:
    mixture = fit.mixture
    without = fit._replace(mixture=type(mixture)(**{**vars(mixture), "reference": None}))
    publish(database, without)
    assert np.isnan(stored(database)["outlier_score"]).all()
    with pytest.raises(InvalidInput, match="no outlier_score of these points was kept"):
        ranked(database, "outlier_score")
