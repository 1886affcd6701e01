"""What judges models: each against a case whose answer is known."""

from math import e, log, pi
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics.cluster import contingency_matrix

from trainer.evaluation.clustering import agreement, agreement_of
from trainer.evaluation.coverage import coverage
from trainer.evaluation.density import choose_bandwidth, mean_log_likelihood
from trainer.evaluation.frechet import frechet_distance
from trainer.evaluation.inception import Inception
from trainer.evaluation.lenet import LeNet
from trainer.evaluation.synthetic import log_density, synthetic
from trainer.vision import torchvision_module


def normal(n: int, d: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=(n, d))


def test_kernel_density_of_a_gaussian() -> None:
    found = mean_log_likelihood(normal(8000, 2, 0), normal(500, 2, 1), normal(4000, 2, 2))
    assert found == pytest.approx(-log(2 * pi * e), abs=0.05)


def test_bandwidth_suits_the_held_out_points() -> None:
    samples, held_out = normal(2000, 1, 0), normal(500, 1, 1)
    assert 0.1 < choose_bandwidth(samples, held_out) < 0.5
    assert choose_bandwidth(samples * 1e-3, held_out * 1e-3) == pytest.approx(
        choose_bandwidth(samples, held_out) * 1e-3, rel=0.1
    )
    assert choose_bandwidth(samples[:20], held_out) > choose_bandwidth(samples, held_out)


@pytest.mark.parametrize("modes", [3, 5, 9])
def test_oracle_integrates_to_one(modes: int) -> None:
    axis = np.linspace(-25, 25, 1001)
    plane = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    mass = np.exp(log_density(plane, modes)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-3)


def test_oracle_agrees_with_the_samples() -> None:
    points, labels = synthetic(3, 20_000, seed=1)
    assert np.bincount(labels) / 20_000 == pytest.approx(1 / 3, abs=0.02)
    assert log_density(points, 3).mean() == pytest.approx(-4.56, abs=0.02)
    np.testing.assert_array_equal(points, synthetic(3, 20_000, seed=1)[0])


def test_frechet_distance_by_hand() -> None:
    """Of commuting covariances it is |mu - nu|^2 + sum (s - t)^2 over the axes."""
    one = normal(500, 3, 0)
    one = (one - one.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(one.T))).T
    other = one * [1, 2, 3] + [0, 3, 4]
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(one, other) == pytest.approx(9 + 16 + 1 + 4)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other))


def test_frechet_distance_of_flat_and_few_features() -> None:
    flat = np.zeros((4, 10), np.float32)
    assert frechet_distance(flat, flat + 1) == pytest.approx(10)
    assert frechet_distance(normal(4, 10, 0), flat) > 0
    with pytest.raises(ValueError, match="two rows"):
        frechet_distance(flat, flat[:1])


def test_lenet_shapes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"convnet.c1": (6, 1, 5, 5), "fc.f6": (84, 120)}
    shapes |= {"convnet.c3": (16, 6, 5, 5), "convnet.c5": (120, 16, 5, 5)}
    arrays = {f"{name}.weight": rng.normal(size=shape) for name, shape in shapes.items()}
    arrays |= {f"{name}.bias": rng.normal(size=shape[0]) for name, shape in shapes.items()}
    weights = tmp_path / "lenet.npz"
    np.savez(weights, **{name: array.astype(np.float32) for name, array in arrays.items()})  # type: ignore[arg-type]
    extract, images = LeNet(weights), rng.random((3, 28, 28))
    features = extract(images)
    assert features.shape == (3, 84)
    np.testing.assert_array_equal(features, extract(images[:, None]))
    with pytest.raises(ValueError, match="grey"):
        extract(rng.random((3, 3, 28, 28)))


def test_lenet_tells_digits_from_noise(data_folder: Path) -> None:
    """Features of two halves of one set are near, those of noise far."""
    from benchmarks.data import mnist

    extract = LeNet(data_folder / "mnist_lenet5.npz")
    images = extract(mnist(data_folder, train=False)[0][:2000] / 255)
    noise = extract(np.random.default_rng(0).random((1000, 28, 28)))
    near = frechet_distance(images[:1000], images[1000:])
    assert 100 * near < frechet_distance(images[:1000], noise)


def test_inception_shapes(tmp_path: Path) -> None:
    network = torchvision_module("models").inception_v3(weights=None, init_weights=False)
    save_file(network.state_dict(), tmp_path / "inception.safetensors")
    features = Inception(tmp_path / "inception.safetensors")(np.zeros((1, 28, 28)))
    assert features.shape == (1, 2048)
    assert torch.get_default_dtype() == torch.float32


def test_agreement_ignores_names() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert agreement(labels, np.array([5, 5, 0, 0, 3, 3])) == pytest.approx((1, 1, 1))
    assert agreement(labels, np.array([0, 0, 1, 1, 1, 1])).accuracy == pytest.approx(4 / 6)
    split = np.array([0, 1, 2, 3, 4, 5])  # more components than labels
    assert agreement(labels, split).accuracy == pytest.approx(3 / 6)


def test_coverage_counts_the_modes_that_are_reached() -> None:
    points = np.concatenate([normal(300, 2, 0), normal(300, 2, 1) + 50])
    assert coverage(points, points) == 1
    assert coverage(points, normal(600, 2, 2)) == pytest.approx(0.5, abs=0.02)
    assert coverage(normal(1000, 2, 3), normal(1000, 2, 4)) == pytest.approx(1 - 2**-5, abs=0.02)


def test_agreement_by_a_table_is_that_of_the_labels() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 500)
    partition = np.where(rng.random(500) < 0.7, labels, rng.integers(0, 6, 500))
    table = contingency_matrix(labels, partition)
    assert agreement_of(table) == pytest.approx(agreement(labels, partition))
    assert agreement_of(np.array([[7]])) == (1, 1, 1)
