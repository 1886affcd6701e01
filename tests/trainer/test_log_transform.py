"""Columns with long tails, bent before anything sees them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp, skew
from sklearn.metrics import adjusted_rand_score

from api_schemas.training import training_config
from trainer import train
from trainer.log_transform import LogTransform
from trainer.scaling import ScaledPoints, Scaling
from trainer.starts.choose import best_of_all
from trainer.starts.judge import Judge
from trainer.starts.sketch import Sketch
from trainer.starts.tails import fit_log_transform

Points = NDArray[np.float64]
Labels = NDArray[np.int64]
CPU = torch.device("cpu")


def prices() -> tuple[Points, Labels]:
    """Three kinds of thing by four prices each, (2000, 4)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=2000)
    return np.exp(rng.normal(0, 1.5, (3, 4))[labels] + rng.normal(0, 0.7, (2000, 4))), labels


def small_and_far() -> tuple[Points, Labels]:
    """A large Gaussian and two small ones that lie in one direction, (2000, 2)."""
    rng = np.random.default_rng(1)
    labels = rng.choice(3, size=2000, p=[0.9, 0.07, 0.03])
    centres = np.array([[0, 0], [7, 2], [14, 0]])
    return centres[labels] + rng.normal(size=(2000, 2)), labels


def of(points: Points) -> LogTransform:
    logarithm = fit_log_transform(points, 0)
    assert logarithm is not None
    return logarithm


def start(points: Points) -> Labels:
    x = ScaledPoints(points, Scaling.fit(points, fit_log_transform(points, 0)), CPU)
    return best_of_all(Judge(Sketch(x, 0), 3, 0), 3, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_kinds_with_long_tails_are_told_apart(sign: int) -> None:
    points, labels = prices()
    found = start(sign * points)
    assert adjusted_rand_score(labels, found) > 0.95
    assert adjusted_rand_score(start(np.log(points)), found) > 0.95


def test_small_clusters_are_no_tail() -> None:
    points, labels = small_and_far()
    assert fit_log_transform(points, 0) is None
    assert adjusted_rand_score(labels, start(points)) > 0.95


def test_a_model_of_prices_makes_prices() -> None:
    points, labels = prices()
    apart = {}
    for straight in (True, False):
        config = training_config(3, log_transform=straight, iterations=1, pretraining_epochs=30)
        fit = train(points, config)
        made = fit.mixture.sample(len(points)).points
        if straight:
            assert adjusted_rand_score(labels, fit.partition) > 0.95
            assert (made >= points.min(0)).all()
        columns = zip(made.T, points.T, strict=True)
        apart[straight] = np.mean([ks_2samp(mine, theirs).statistic for mine, theirs in columns])
    assert apart[True] < 0.6 * apart[False]


def test_densities_are_in_the_units_of_the_data() -> None:
    rng = np.random.default_rng(0)
    points = np.exp(rng.normal(0, 1, (2000, 1)))
    mixture = train(points, training_config(1, iterations=1)).mixture
    assert mixture.scaling.logarithm is not None
    grid = np.linspace(0, points.max(), 20_001)[1:, None]
    density = np.exp(mixture.log_likelihood(grid))
    assert density.sum() * points.max() / 20_000 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sign", [1, -1])
def test_bending_straightens_and_goes_back(sign: int) -> None:
    rows = sign * prices()[0]
    logarithm = of(rows)
    bent = logarithm.apply(rows)
    assert (np.abs(skew(bent)) < np.abs(skew(rows)) / 4).all()
    np.testing.assert_array_equal(np.argsort(sign * rows, 0), np.argsort(bent, 0))
    np.testing.assert_allclose(logarithm.undo(bent), rows, rtol=1e-9)
    beyond = sign * np.array([[-5.0, 1e9, 0, 1e30]])
    clipped = sign * np.maximum(sign * beyond, (sign * rows).min(0))
    np.testing.assert_allclose(logarithm.undo(logarithm.apply(beyond)), clipped, rtol=1e-9)
    assert np.isfinite(logarithm.undo(np.array([[1e9, -1e9, 1e300, 0.0]]))).all()


def test_slopes_are_those_of_the_bend() -> None:
    rows = prices()[0]
    logarithm = of(rows)
    step = 1e-6
    slopes = (logarithm.apply(rows + step) - logarithm.apply(rows)) / step
    np.testing.assert_allclose(logarithm.log_slopes(rows), np.log(slopes).sum(1), atol=1e-3)


@pytest.mark.parametrize(
    "rows",
    [
        np.ones((50, 2)),
        np.eye(30),
        np.arange(8.0).reshape(4, 2) ** 9,
        np.zeros((1, 3)),
        np.ones((3, 2)),
    ],
)
def test_what_has_no_tail_stays(rows: Points) -> None:
    assert fit_log_transform(rows, 0) is None


def test_what_is_dear_is_no_outlier_for_that() -> None:
    points, _ = prices()
    mixture = train(points, training_config(3, iterations=1, pretraining_epochs=10)).mixture
    dear = points.sum(1) > np.quantile(points.sum(1), 0.9)
    assert mixture.outlier_score(points[dear]).mean() < 0.85
    assert mixture.outlier_score(points[dear] * 1e3).mean() > 0.95


def test_the_decision_does_not_hang_on_the_number_of_points() -> None:
    cents = np.exp(np.random.default_rng(0).normal(2, 1, (30_000, 1))).round(2)
    for n in (1_000, 30_000):
        assert fit_log_transform(cents[:n], 0) is not None


def kinds(wild: dict[tuple[int, int], float] | None = None) -> Points:
    """A price, a flag, a constant and a normal column, (400, 4), with wild values where told."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=400)
    price = np.exp(rng.normal(np.array([1, 3, 5])[labels], 0.4))
    flag = rng.random(400) < 0.3
    rows = np.stack([price, flag, np.full(400, 7.5), rng.normal(3 * labels)], 1)
    for at, value in (wild or {}).items():
        rows[at] = value
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_the_decision_does_not_hang_on_the_seed(seed: int) -> None:
    logarithm = fit_log_transform(kinds(), seed)
    assert logarithm is not None
    assert logarithm.unit.nonzero()[0].tolist() == [0]


@pytest.mark.parametrize("value", [-99_999, -999, -5, 50, 1e6, 1e30])
@pytest.mark.parametrize("columns", [[0], [3], [0, 1, 2, 3]])
def test_the_decision_does_not_hang_on_a_wild_value(value: float, columns: list[int]) -> None:
    logarithm = of(kinds({(7, j): value for j in columns}))
    assert logarithm.unit.nonzero()[0].tolist() == [0]
    assert logarithm.unit[0] == pytest.approx(of(kinds()).unit[0], rel=0.2)


def test_other_columns_stay_as_they_are() -> None:
    rows = np.hstack([prices()[0], np.random.default_rng(0).normal(size=(2000, 2))])
    logarithm = of(rows)
    np.testing.assert_array_equal(logarithm.apply(rows)[:, 4:], rows[:, 4:])
    np.testing.assert_array_equal(logarithm.undo(rows)[:, 4:], rows[:, 4:])


def test_a_model_keeps_its_bends() -> None:
    scaling = Scaling.fit(prices()[0], of(prices()[0]))
    again = Scaling.from_state_dict(scaling.state_dict())
    x = scaling.apply(prices()[0], CPU)
    assert torch.equal(again.apply(prices()[0], CPU), x)
    np.testing.assert_array_equal(again.undo(x, (4,)), scaling.undo(x, (4,)))
