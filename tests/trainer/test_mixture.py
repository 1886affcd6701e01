"""The finished model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.points import three_blobs
from tests.trainer.test_training import short
from trainer import DamagedState, Fit, InvalidPoints, Mixture, TrainerError, train

POINTS, LABELS = three_blobs()


@pytest.fixture(scope="module", params=["classifier", "discriminators"])
def fit(request: pytest.FixtureRequest) -> Fit:
    return train(POINTS, short(estimator=request.param))


def test_assign_is_the_stored_partition_and_the_argmax(fit: Fit) -> None:
    np.testing.assert_array_equal(fit.mixture.assign(POINTS), fit.partition)
    log_densities = fit.mixture.log_densities(POINTS)
    assert log_densities.shape == (300, 3)
    np.testing.assert_array_equal(log_densities.argmax(1), fit.partition)


def test_log_densities_are_normalised_over_the_training_points(fit: Fit) -> None:
    means = np.exp(fit.mixture.log_densities(POINTS).astype(np.float64)).mean(0)
    np.testing.assert_allclose(means, 1, atol=0.05)


def test_posterior(fit: Fit) -> None:
    posterior = fit.mixture.posterior(POINTS)
    np.testing.assert_allclose(posterior.sum(1), 1, rtol=1e-5)
    expected = fit.mixture.alpha * np.exp(fit.mixture.log_densities(POINTS))
    np.testing.assert_allclose(posterior, expected / expected.sum(1, keepdims=True), atol=1e-4)


def test_membership_is_all_at_once(fit: Fit) -> None:
    mixture = fit.mixture
    apart = (mixture.assign(POINTS), mixture.log_densities(POINTS), mixture.posterior(POINTS))
    for found, expected in zip(mixture.membership(POINTS), apart, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_components_samples_are_its_own(fit: Fit) -> None:
    for j in range(3):
        samples = fit.mixture.sample(500, component=j)
        assert set(samples.components) == {j}
        assert np.mean(fit.mixture.assign(samples.points) == j) > 0.95


def test_the_mixture_follows_alpha(fit: Fit) -> None:
    components = fit.mixture.sample(3000).components
    np.testing.assert_allclose(np.bincount(components) / 3000, fit.mixture.alpha, atol=0.04)


def test_samples_repeat_with_their_seed(fit: Fit) -> None:
    seeds: list[Any] = [1, np.int64(1), 2]
    first, again, other = (fit.mixture.sample(50, seed=seed).points for seed in seeds)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert np.unique(first, axis=0).shape == first.shape


def test_temperature_scales_the_spread(fit: Fit) -> None:
    cold, usual, hot = (fit.mixture.sample(500, 0, 1, t).points.std(0) for t in (0.2, 1, 2))
    np.testing.assert_array_less(cold, usual)
    np.testing.assert_array_less(usual, hot)


def test_outlier_scores_are_shares_of_the_training_points(fit: Fit) -> None:
    scores = fit.mixture.outlier_score(POINTS)
    np.testing.assert_allclose(np.sort(scores), np.arange(300) / 300)  # each has its own rank
    far, centre = fit.mixture.outlier_score(np.array([[50.0, -50.0], [0.0, 0.0]]))
    assert far == 1
    assert centre < 0.5


def test_images_beyond_their_range_are_not_the_likeliest() -> None:
    images = np.random.default_rng(0).random((60, 16, 16)) < 0.1
    images[:30, :8] ^= True
    images[30:, 8:] ^= True
    config = short(components=2, iterations=1, likelihood="bernoulli")
    mixture = train(images.astype(np.float32), config).mixture
    usual = mixture.log_likelihood(images).mean()
    for beyond in (images * 2.0, images * 255.0, images - 0.9, images * 0.0 - 5):
        assert mixture.log_likelihood(beyond).mean() < usual + 2


def test_generators_without_a_density_know_no_outliers() -> None:
    mixture = train(POINTS, short(generator="centroid", estimator="generators")).mixture
    with pytest.raises(TrainerError, match="keeps no training points"):
        mixture.outlier_score(POINTS)


def test_samples_have_the_datas_units(fit: Fit) -> None:
    samples = fit.mixture.sample(4000).points
    np.testing.assert_allclose(samples.mean(0), POINTS.mean(0), atol=0.6)
    np.testing.assert_allclose(samples.std(0), POINTS.std(0), rtol=0.1)


def test_samples_of_time_stamps_keep_their_detail() -> None:
    stamped = POINTS + 1.7e9
    samples = train(stamped, short()).mixture.sample(4000).points
    np.testing.assert_allclose(samples.std(0), POINTS.std(0), rtol=0.1)
    assert len(np.unique(samples)) > 7900


def test_save_and_load(fit: Fit, tmp_path: Path) -> None:
    fit.mixture.save(tmp_path / "model")
    loaded = Mixture.load(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "mixture.json",
        "mixture.safetensors",
    ]
    np.testing.assert_array_equal(loaded.log_densities(POINTS), fit.mixture.log_densities(POINTS))
    np.testing.assert_array_equal(loaded.sample(9).points, fit.mixture.sample(9).points)
    np.testing.assert_array_equal(loaded.outlier_score(POINTS), fit.mixture.outlier_score(POINTS))
    assert loaded.to_bytes() == fit.mixture.to_bytes()


def test_a_damaged_file_is_told(fit: Fit) -> None:
    with pytest.raises(DamagedState):
        Mixture.from_bytes(fit.mixture.to_bytes()[:-9])


def test_points_of_another_shape_are_refused(fit: Fit) -> None:
    with pytest.raises(InvalidPoints, match="trained on"):
        fit.mixture.assign(np.zeros((4, 3)))


@pytest.mark.parametrize("component", [None, 1])
def test_no_samples_are_too_few(fit: Fit, component: int | None) -> None:
    with pytest.raises(ValueError, match="n must be at least 1, not 0"):
        fit.mixture.sample(0, component)


@pytest.mark.parametrize("component", [-1, 3])
def test_a_component_that_is_not_there(fit: Fit, component: int) -> None:
    with pytest.raises(IndexError):
        fit.mixture.sample(1, component=component)
