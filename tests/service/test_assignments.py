"""The components of the training points: stored with confidence, paged, filtered, whole."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from service import assignments, media, models, records
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


def whole(database: Database, media_type: str, component: int | None = None) -> bytes:
    with database.read() as session:
        model = models.get(session, "default")
        chunks = assignments.stream(session, database, model, component)
    count = sum(model.sizes) if component is None else model.sizes[component]
    return b"".join(records.encoded(media_type, assignments.ASSIGNED, count, chunks))


def test_components_and_their_posterior_are_stored(database: Database, fit: Fit) -> None:
    publish(database, fit)
    stored = np.load(io.BytesIO(whole(database, media.NPY)))
    posterior = fit.mixture.posterior(three_blobs()[0])
    np.testing.assert_array_equal(stored["row"], np.arange(300))
    np.testing.assert_array_equal(stored["component"], fit.partition)
    own = posterior[stored["row"], stored["component"]]
    np.testing.assert_allclose(stored["confidence"], own, atol=1e-5)


def test_every_format_says_the_same(database: Database, fit: Fit) -> None:
    publish(database, fit)
    for component in (None, 2):
        expected = np.load(io.BytesIO(whole(database, media.NPY, component)))
        assert component is None or set(expected["component"]) == {component}
        csv = pa.csv.read_csv(io.BytesIO(whole(database, media.CSV, component)))
        parquet = pa.parquet.read_table(io.BytesIO(whole(database, media.PARQUET, component)))
        for table in (csv, parquet):
            assert table.column_names == ["row", "component", "confidence"]
            for name in table.column_names:
                np.testing.assert_allclose(table[name].to_numpy(), expected[name], rtol=1e-6)


@pytest.mark.parametrize("component", [None, 1])
def test_pages(database: Database, fit: Fit, component: int | None) -> None:
    publish(database, fit)
    found: list[int] = []
    with database.read() as session:
        model = models.get(session, "default")
        after, has_more = -1, True
        while has_more:
            page = assignments.page(session, model, component, after, 7)
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
        model = models.get(session, "default")
        first_rows = assignments._first_rows(session, model, 1, 0)
        page = assignments.page(session, model, 1, -1, 7)
    assert ([row.row for row in page.data], first_rows) == ([299], [256])
