"""Columns with long tails, for the start and the judge."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from trainer.points import ScaledPoints, Scaling
from trainer.starts.choose import best_of_all
from trainer.starts.judge import Judge
from trainer.starts.sketch import Sketch
from trainer.starts.skewness import Unskewed

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


def prices() -> tuple[Points, Labels]:
    """Three kinds of thing by four prices each, (2000, 4)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=2000)
    return np.exp(rng.normal(0, 2, (3, 4))[labels] + rng.normal(0, 0.7, (2000, 4))), labels


def small_and_far() -> tuple[Points, Labels]:
    """A large Gaussian and two small ones that lie in one direction, (2000, 2)."""
    rng = np.random.default_rng(1)
    labels = rng.choice(3, size=2000, p=[0.9, 0.07, 0.03])
    centres = np.array([[0, 0], [7, 2], [14, 0]])
    return centres[labels] + rng.normal(size=(2000, 2)), labels


def sketch(points: Points) -> Sketch:
    return Sketch(ScaledPoints(points, Scaling.fit(points), torch.device("cpu")), 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_kinds_with_long_tails_are_told_apart(sign: int) -> None:
    points, labels = prices()
    found = best_of_all(Judge(sketch(sign * points), 3, 0), 3, 0)
    assert adjusted_rand_score(labels, found) > 0.95
    logarithms = best_of_all(Judge(sketch(np.log(points)), 3, 0), 3, 0)
    assert adjusted_rand_score(logarithms, found) > 0.95


def test_small_clusters_are_no_tail() -> None:
    points, labels = small_and_far()
    rows = points.astype(np.float32)
    np.testing.assert_array_equal(Unskewed.fit(rows, 0)(rows), rows)
    found = best_of_all(Judge(sketch(points), 3, 0), 3, 0)
    assert adjusted_rand_score(labels, found) > 0.95


def test_bending_keeps_order_and_variance_and_takes_new_points() -> None:
    rows = prices()[0].astype(np.float32)
    bend = Unskewed.fit(rows[:1500], 0)
    bent = bend(rows)
    assert not np.array_equal(bent, rows)
    np.testing.assert_array_equal(np.argsort(rows[:, 0]), np.argsort(bent[:, 0], kind="stable"))
    np.testing.assert_allclose(bent[:1500].std(0), rows[:1500].std(0), rtol=1e-4)
    beyond = np.stack([rows.min(0) - 5, rows.max(0) * 5])
    assert np.isfinite(bend(beyond)).all()


@pytest.mark.parametrize(
    "rows", [np.ones((50, 2)), np.eye(30), np.arange(8.0).reshape(4, 2) ** 9, np.zeros((1, 3))]
)
def test_what_has_no_tail_stays(rows: Points) -> None:
    few = rows.astype(np.float32)
    np.testing.assert_array_equal(Unskewed.fit(few, 0)(few), few)
