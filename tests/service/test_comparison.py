"""How far two models' partitions agree."""

import numpy as np
import pytest

from service import assignments, comparison, models
from service.database import Database
from service.errors import InvalidInput
from service.tables import ModelRow
from tests.service.fits import fit_blobs, publish
from trainer import Fit


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


def on_one_dataset(database: Database, *ids: str) -> None:
    with database.write() as session:
        for row in session.query(ModelRow).where(ModelRow.id.in_(ids)):
            row.provenance = {**row.provenance, "dataset": "ds_same"}


def test_other_names_and_a_split(
    database: Database, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignments, "CHUNK_ROWS", 64)
    renamed = np.array([2, 0, 1])[fit.partition]
    one = publish(database, fit)
    other = publish(database, fit._replace(partition=renamed))
    merged = publish(database, fit._replace(partition=np.minimum(fit.partition, 1)))
    on_one_dataset(database, one, other, merged)
    with database.read() as session:
        first, second, third = (models.get(session, ref) for ref in (one, other, merged))
        same = comparison.compare(session, first, second)
        coarser = comparison.compare(session, first, third)
    sizes = np.bincount(fit.partition)
    np.testing.assert_array_equal(same.contingency, np.diag(sizes)[:, [1, 2, 0]])
    assert (same.rows, same.matching) == (300, [2, 0, 1])
    assert [same.ari, same.nmi, same.accuracy] == pytest.approx([1, 1, 1])
    assert coarser.accuracy == pytest.approx((sizes[0] + sizes[1:].max()) / 300)
    assert coarser.ari < 1
    assert None in coarser.matching or sizes[1] == sizes[2]


def test_other_data_can_t_be_compared(database: Database, fit: Fit) -> None:
    one, other = publish(database, fit), publish(database, fit)
    with database.read() as session:
        both = models.get(session, one), models.get(session, other)
        with pytest.raises(InvalidInput, match="was trained on another data set"):
            comparison.compare(session, *both)
