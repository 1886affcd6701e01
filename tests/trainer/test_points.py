"""What counts as points, and their scaling."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainer import InvalidPoints
from trainer.points import check_points
from trainer.scaling import Scaling

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((0, 2)), "no points"),
        (np.zeros((3, 0)), "1 to"),
        (np.zeros((2, 28, 28, 3)), "channels first"),
        (np.array([["a"]]), "numbers"),
        (np.zeros((2, 2), complex), "numbers"),
        (np.array([[1, 2], [3, np.nan]]), "row 1, column 1: nan"),
        (np.array([[1, 2], [np.inf, 4]]), "row 1, column 0: inf"),
        (np.array([[1, 1e200]]), r"row 0, column 1: 1e\+200"),
    ],
)
def test_bad_points_are_named(points: NDArray[Any], said: str) -> None:
    with pytest.raises(InvalidPoints, match=said):
        check_points(points)


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "f2", "f4", "f8", "?"])
def test_every_numeric_type_is_taken(dtype: str) -> None:
    check_points(np.ones((3, 2), dtype))


def test_tables_are_standardised_and_back() -> None:
    points = np.random.default_rng(0).normal([1e9, -3], [2, 1e-3], (500, 2))
    scaling = Scaling.fit(points)
    x = scaling.apply(points, CPU)
    torch.testing.assert_close(x.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std(0), torch.ones(2), atol=1e-2, rtol=0)
    np.testing.assert_allclose(scaling.undo(x, (2,)), points, atol=1e-3)


def test_a_wild_value_sets_no_scale() -> None:
    points = np.random.default_rng(0).normal(0, 2, (1_000, 2))
    points[7, 0], points[8, 1] = 1e6, -1e30
    scaling = Scaling.fit(points)
    x = scaling.apply(points, CPU)
    assert (scaling.scale < 3).all()
    assert torch.isfinite(x.square()).all()
    points[8, 1] = scaling.undo(x, (2,))[8, 1]
    np.testing.assert_allclose(scaling.undo(x, (2,)), points, rtol=1e-4)


@pytest.mark.parametrize("turns", [2, 24])
def test_what_takes_turns_is_seen_at_all_of_them(turns: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(24_000, 1)) * np.where(np.arange(24_000) % turns, 100.0, 1.0)[:, None]
    shuffled = Scaling.fit(rng.permutation(points)).scale
    assert Scaling.fit(points).scale == pytest.approx(shuffled, rel=0.15)


def test_a_rare_feature_keeps_its_spread() -> None:
    points = np.zeros((100, 1))
    points[:10, 0] = np.arange(1, 11)
    assert Scaling.fit(points).scale == pytest.approx(points.std())


@pytest.mark.parametrize(("centre", "unit"), [(0, 1e-15), (0, 1e-165), (1e13, 2), (-1e9, 1e-3)])
def test_small_units_are_not_constant(centre: float, unit: float) -> None:
    points = np.random.default_rng(0).normal(centre, unit, (100, 1))
    assert Scaling.fit(points).apply(points, CPU).std() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.5])
@pytest.mark.parametrize("values", [(0, 1), (-5, 20), (1e9, 1e9 + 3)])
def test_two_values_are_one_apart(share: float, values: tuple[float, float]) -> None:
    points = np.where(np.arange(5_000) < 5_000 * share, *map(float, values))[:, None]
    x = Scaling.fit(points).apply(points, CPU)
    assert (x.max() - x.min()).item() == pytest.approx(1, abs=1e-6)
    third = points.copy()
    third[7] = values[0] / 2 + values[1] / 2
    assert Scaling.fit(third).scale == pytest.approx(third.std())


def test_constant_columns_stay_as_they_are() -> None:
    points = np.full((10, 2), [7.3, -1e9])
    scaling = Scaling.fit(points)
    assert (scaling.apply(points, CPU) == 0).all()
    assert (scaling.apply(points + 2, CPU) == 2).all()
    np.testing.assert_array_equal(scaling.undo(torch.randn(10, 2), (2,)), points)
    assert (scaling.log_slopes(points) == 0).all()


def test_images_are_mapped_to_the_unit_range_and_back() -> None:
    images = np.random.default_rng(0).integers(3, 17, (20, 4, 5)).astype(np.uint8)
    scaling = Scaling.fit(images)
    x = scaling.apply(images, CPU)
    assert x.shape == (20, 1, 4, 5)
    assert (x.min().item(), x.max().item()) == (0, 1)
    np.testing.assert_allclose(scaling.undo(x, (4, 5)), images)
    assert scaling.undo(x * 9 - 4, (4, 5)).max() == images.max()
