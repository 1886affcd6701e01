"""Initial partitions and the score that chooses among them."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_circles
from sklearn.metrics import adjusted_rand_score

from api_schemas.training import TrainingConfig
from tests.trainer.stacks import unscaled
from trainer.beginning import settle_components
from trainer.partition import EVERYWHERE
from trainer.scaling import ScaledPoints, Scaling
from trainer.starts import classical, gaussians
from trainer.starts.choose import best_of_all, initial_partition
from trainer.starts.judge import Judge
from trainer.starts.learned import merge_confused
from trainer.starts.sketch import Sketch


def rings() -> tuple[torch.Tensor, np.ndarray]:
    x, labels = make_circles(800, noise=0.05, factor=0.5, random_state=0)
    return torch.from_numpy((x / x.std(0)).astype(np.float32)), labels


def blobs(n: int = 900) -> tuple[torch.Tensor, np.ndarray]:
    x, labels = make_blobs(n, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    return torch.from_numpy((x / x.std(0)).astype(np.float32)), labels


def start(x: torch.Tensor, name: str, k: int, steps: list[int] | None = None) -> torch.Tensor:
    points = unscaled(x)
    config = TrainingConfig(components=k, initial_partition=name)
    advance = (steps if steps is not None else []).append
    judge = Judge(Sketch(points, 0), k, 0)
    return initial_partition(points, judge, config, 0, lambda: advance(1))


@pytest.mark.parametrize("name", ["auto", "kmeans", "gaussian", "graph", "merge", "embedding"])
def test_blobs_are_told_apart(name: str) -> None:
    x, labels = blobs()
    assert adjusted_rand_score(labels, start(x, name, 3).numpy()) > 0.95


@pytest.mark.parametrize("name", ["auto", "graph", "merge"])
def test_rings_are_told_apart(name: str) -> None:
    x, labels = rings()
    assert adjusted_rand_score(labels, start(x, name, 2).numpy()) == 1


@pytest.mark.parametrize("n", [300, 1500])
def test_rings_that_gaussians_would_halve(n: int) -> None:
    x, labels = make_circles(n, noise=0.03, factor=0.4, random_state=0)
    found = start(torch.from_numpy((x / x.std(0)).astype(np.float32)), "auto", 2)
    assert adjusted_rand_score(labels, found.numpy()) == 1


def test_a_voronoi_start_has_k_cells() -> None:
    assert set(start(blobs()[0], "voronoi", 7).tolist()) == set(range(7))


def test_a_uniform_start_is_everywhere() -> None:
    assert (start(blobs()[0], "uniform", 7) == EVERYWHERE).all()


@pytest.mark.parametrize("name", ["merge", "embedding"])
def test_learned_starts_count_their_steps(name: str) -> None:
    steps: list[int] = []
    start(blobs()[0], name, 3, steps)
    assert len(steps) == 2000


def test_points_outside_the_sketch_follow_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.starts.sketch.SKETCH_POINTS", 200)
    monkeypatch.setattr("trainer.points.CHUNK_VALUES", 500)
    x, labels = blobs()
    assert adjusted_rand_score(labels, start(x, "auto", 3).numpy()) == 1


def test_outliers_may_be_clusters_or_not() -> None:
    x, labels = blobs(300)
    far = torch.tensor([[20.0, 20.0], [20.1, 20.0], [20.0, 20.1]])
    sketch = Sketch(unscaled(torch.cat([x, far])), 0)
    small, fair = classical.graph_cuts(sketch.graph, 3)
    assert np.bincount(small).min() == 3
    assert adjusted_rand_score(labels, fair[:300]) > 0.95


def test_the_normalised_cut_prefers_what_is_apart() -> None:
    x, labels = rings()
    judge = Judge(Sketch(unscaled(x), 0), 2, 0)
    assert judge.trusted is None
    halves = (x[:, 0] > 0).long()
    assert judge.score(torch.from_numpy(labels)) < 0.01
    assert judge.score(halves) > 0.01
    alone = torch.zeros(800).long()
    alone[0] = 1
    assert judge.score(alone) > 0.4  # a point by itself is no cluster
    assert judge.score(torch.zeros(800).long()) == 0.5  # nor is nothing


def test_of_overlapping_gaussians_the_misfit_prefers_their_own_partition() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 1500, p=[0.8, 0.15, 0.05])
    centres = np.array([[0, 0], [3, 0], [0, 4]])
    x = (centres[labels] + rng.normal(size=(1500, 2))).astype(np.float32)
    judge = Judge(Sketch(unscaled(torch.from_numpy(x)), 0), 3, 0)
    found = best_of_all(judge, 3, 0)
    assert judge.trusted is not None
    assert adjusted_rand_score(labels, found) > 0.75
    distances = np.square(x[:, None] - centres).sum(2)
    nearest = distances.argmin(1)  # as if the clusters were of one size
    own, equal, renamed = (judge.score_sketch(of) for of in (found, nearest, (found + 1) % 3))
    assert own == renamed
    assert own < equal


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_points_get_a_start(n: int) -> None:
    x = torch.arange(2.0 * n).view(n, 2)
    for k in range(1, n + 1):
        partition = start(x, "auto", k)
        assert partition.shape == (n,)
        assert set(partition.tolist()) <= set(range(k))


@pytest.mark.parametrize("name", ["auto", "kmeans"])
def test_points_that_are_equal_get_a_start_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        partition = start(torch.ones(20, 2), name, 3)
    assert set(partition.tolist()) <= {0, 1, 2}


def test_confused_cells_are_merged() -> None:
    joint = np.array([[0.2, 0.1, 0, 0], [0.1, 0.2, 0, 0], [0, 0, 0.1, 0.02], [0, 0, 0.02, 0.26]])
    alpha = np.array([0.3, 0.3, 0.12, 0.28])
    assert merge_confused(joint, alpha, 3).tolist() == [0, 0, 1, 2]
    assert merge_confused(joint, alpha, 2).tolist() == [0, 0, 1, 1]


def test_many_values_are_reduced() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 400)).astype(np.float32)
    x[:150, :40] += 4
    sketch = Sketch(unscaled(torch.from_numpy(x)), 0)
    assert sketch.rows.shape == (300, 50)
    found = best_of_all(Judge(sketch, 2, 0), 2, 0)
    assert adjusted_rand_score([0] * 150 + [1] * 150, found) == 1


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_categories_that_cut_the_points_anyhow_decide_nothing(seed: int) -> None:
    """Three groups by name, height and weight; who smokes is another matter."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, 600)
    height, weight = rng.normal(160 + 10 * group, 4), rng.normal(60 + 15 * group, 5)
    weight[:40] = np.median(weight)  # in place of missing ones
    smokes = rng.random(600) < 0.2 + 0.2 * group
    points = np.column_stack([np.eye(3)[group], height, weight, smokes])
    points[-15:, :3] = [0, 0, 1]
    x = ScaledPoints(points, Scaling.fit(points), torch.device("cpu"))
    judge = Judge(Sketch(x, 0), 3, 0)
    assert adjusted_rand_score(group, best_of_all(judge, 3, 0)) > 0.9


def latent_classes(seed: int, n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """0/1 columns of five questions with four answers, answered by three kinds of people."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    answers = rng.dirichlet(np.full(4, 0.2), (3, 5))
    drawn = (rng.random((n, 5, 1)) > answers[kind].cumsum(2)).sum(2).clip(max=3)
    return np.eye(4)[drawn].reshape(n, 20), kind


@pytest.mark.parametrize("seed", range(3))
def test_categories_are_no_clusters_by_themselves(seed: int) -> None:
    points, kind = latent_classes(seed)
    x = ScaledPoints(points, Scaling.fit(points), torch.device("cpu"))
    sketch = Sketch(x, 0)
    assert sketch.is_coarse
    found = best_of_all(Judge(sketch, 3, 0), 3, 0)
    assert adjusted_rand_score(kind, found) > 0.6


def test_rounded_values_leave_no_gaps() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=1500)
    points = np.round(np.array([[0, 0], [6, 0], [0, 6]])[labels] + rng.normal(size=(1500, 2)))
    x = ScaledPoints(points, Scaling.fit(points), torch.device("cpu"))
    sketch = Sketch(x, 0)
    assert not sketch.is_coarse
    assert adjusted_rand_score(labels, best_of_all(Judge(sketch, 3, 0), 3, 0)) > 0.95
    assert settle_components(points, TrainingConfig(components="auto")).k == 3


def test_heavy_tails_are_no_gaussians() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_t(3, (1500, 5)).astype(np.float32))
    judge = Judge(Sketch(unscaled(x), 0), 1, 0)
    assert judge.mixture is not None
    assert gaussians.excess(judge.mixture, judge.sketch.smooth) > 1
    assert judge.trusted is None
    normal = rng.normal(size=(1500, 5)).astype(np.float32)
    one = gaussians.fit(normal, 1, 0)
    assert one is not None
    assert abs(gaussians.excess(one, normal)) < 0.02


@pytest.mark.parametrize(("clusters", "n"), [(1, 200), (5, 150), (4, 300)])
def test_clusters_of_few_embeddings_are_counted(clusters: int, n: int) -> None:
    rng = np.random.default_rng(clusters)
    centres = rng.normal(0, 0.4, (clusters, 384))
    points = centres[np.arange(n) % clusters] + rng.normal(size=(n, 384))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert settle_components(points, TrainingConfig(components="auto")).k == clusters
