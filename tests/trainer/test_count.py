"""How many clusters are found where nobody says."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_circles

from api_schemas.training import TrainingConfig
from tests.points import digits, two_moons
from trainer.beginning import settle_components
from trainer.points import Points
from trainer.starts.count import dimension


def counted(points: Points) -> int:
    return settle_components(points, TrainingConfig(components="auto")).k


@pytest.mark.parametrize(("k", "d", "n"), [(2, 2, 100), (5, 10, 600), (20, 30, 1000)])
def test_blobs(k: int, d: int, n: int) -> None:
    assert counted(make_blobs(n, d, centers=k, random_state=1)[0]) == k


def test_blobs_that_touch() -> None:
    """Four of them, two and two with a wide gap between the pairs."""
    centres = [[0, 0, 0], [0, 6, 0], [30, 0, 0], [30, 6, 0]]
    assert counted(make_blobs(1000, centers=centres, random_state=0)[0]) == 4


@pytest.mark.parametrize("n", [300, 1500])
def test_shapes(n: int) -> None:
    assert counted(two_moons(n)[0]) == 2
    assert counted(make_circles(n, noise=0.03, factor=0.4, random_state=0)[0]) == 2


@pytest.mark.parametrize("d", [2, 8])
def test_a_cloud_is_one(d: int) -> None:
    rng = np.random.default_rng(0)
    assert counted(rng.random((1000, d))) == 1
    assert counted(rng.normal(size=(1000, d)) + rng.normal(0, 5, (1000, 1))) == 1  # a thin one


def test_kinds_of_images() -> None:
    """That no gap parts: about as many as there are digits."""
    assert 9 <= counted(digits()[0]) <= 12


@pytest.mark.parametrize("points", [np.ones((50, 3)), np.repeat(np.eye(3), 20, 0)])
def test_few_distinct_points(points: Points) -> None:
    assert 1 <= counted(points) <= 3


def test_the_dimension_is_that_of_the_surface() -> None:
    rng = np.random.default_rng(0)
    plane = (rng.random((2000, 2)) @ rng.normal(size=(2, 10))).astype(np.float32)
    assert dimension(plane) == pytest.approx(2, abs=0.2)
    assert dimension(rng.normal(size=(2000, 5)).astype(np.float32)) == pytest.approx(5, abs=0.5)
    assert dimension(np.eye(4, dtype=np.float32)) == 4
