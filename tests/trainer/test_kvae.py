"""The estimator: scikit-learn's own checks, images, units of the density, odd input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.points import three_blobs
from trainer import KVAE, InvalidConfig, TrainerError, TrainingConfig, train

TINY = {
    "iterations": 1,
    "pretraining_epochs": 20,
    "estimator_epochs": 20,
    "initial_partition": "kmeans",
    "polish": False,
}
MEAN, COVARIANCE = [5.0, -300.0], [[1e-4, 0.5], [0.5, 1e4]]


def tiny(components: int = 2, random_state: Any = 0, **options: Any) -> KVAE:
    return KVAE(components, options=TINY | options, random_state=random_state)


@parametrize_with_checks([tiny()])  # type: ignore[untyped-decorator]
def test_scikit_learns_checks(estimator: KVAE, check: Callable[[KVAE], None]) -> None:
    check(estimator)


def test_blobs_are_found() -> None:
    points, labels = three_blobs()
    kvae = tiny(3, iterations=2, epochs=20)
    found = kvae.fit_predict(points)
    assert adjusted_rand_score(labels, found) > 0.99
    np.testing.assert_array_equal(found, kvae.labels_)
    np.testing.assert_array_equal(found, kvae.predict(points))
    np.testing.assert_array_equal(found, kvae.predict_proba(points).argmax(1))
    np.testing.assert_array_equal(kvae.weights_ * 300, np.bincount(found))
    assert (kvae.n_iter_, kvae.n_features_in_) == (2, 2)
    assert kvae.mixture_.components == 3


def test_the_number_of_components_can_be_left_open() -> None:
    points, _ = three_blobs()
    kvae = KVAE("auto", options=TINY).fit(points)
    assert kvae.weights_.shape == (3,)
    assert kvae.predict_proba(points).shape == (300, 3)


def test_it_is_the_run_of_its_seed_preset_and_options() -> None:
    points, _ = three_blobs(60)
    kvae = KVAE(2, preset="paper-synthetic", options=TINY, random_state=5).fit(points)
    assert kvae.mixture_.architecture.estimator == "discriminators"
    kvae = tiny(random_state=np.int64(5)).set_params(n_components=np.int64(2)).fit(points)
    same = train(points, TrainingConfig(components=2, seed=5, **TINY))
    assert kvae.mixture_.to_bytes() == same.mixture.to_bytes()


def test_random_states() -> None:
    points, _ = three_blobs(60)

    def model(random_state: object) -> bytes:
        return tiny(random_state=random_state).fit(points).mixture_.to_bytes()

    assert model(1) == model(1) != model(2)
    assert model(np.random.RandomState(1)) == model(np.random.RandomState(1))
    assert model(None) != model(None)


def test_samples() -> None:
    points, _ = three_blobs()
    kvae = tiny(3).fit(points)
    made, components = kvae.sample(1000)
    assert made.shape == (1000, 2)
    assert np.mean(kvae.predict(made) == components) > 0.9
    np.testing.assert_array_equal(made, kvae.sample(1000)[0])
    assert kvae.sample()[0].shape == (1, 2)
    kvae.set_params(random_state=np.random.RandomState(0))
    assert (kvae.sample(9)[0] != kvae.sample(9)[0]).all()
    with pytest.raises(ValueError, match="n_samples must be an integer"):
        kvae.sample(0)


@pytest.mark.parametrize("shape", [(16, 16), (2, 16, 16)], ids=["grey", "two channels"])
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_images(shape: tuple[int, ...], network: str, likelihood: str) -> None:
    images = np.zeros((40, *shape), np.uint8)
    images[:20, ..., :4] = 200
    images[20:, ..., 4:] = 200
    kvae = tiny(network=network, likelihood=likelihood, batch_size=16, estimator_width=8)
    kvae.fit(images)
    assert adjusted_rand_score([0] * 20 + [1] * 20, kvae.labels_) == 1
    assert kvae.predict_proba(images).shape == (40, 2)
    assert kvae.sample(5)[0].shape == (5, *shape)
    scores = kvae.score_samples(images)
    assert scores.shape == (40,)
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="the model was trained on"):
        kvae.predict(images[..., :5])


def gaussian(n: int, dimensions: int) -> NDArray[np.float64]:
    """Correlated columns of very unlike sizes, far from the origin."""
    rows = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, n)
    return rows[:, :dimensions]


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_score_samples_is_a_density_in_the_datas_units(components: int, dimensions: int) -> None:
    points = gaussian(2000, dimensions)
    kvae = tiny(components, pretraining_epochs=40, estimator_epochs=2).fit(points)
    spread = np.sqrt(np.diag(COVARIANCE))[:dimensions]
    axes = [np.linspace(m - 6 * s, m + 6 * s, 121) for m, s in zip(MEAN, spread, strict=False)]
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, dimensions)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    assert np.exp(kvae.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.1)

    truth = multivariate_normal(
        MEAN[:dimensions], np.asarray(COVARIANCE)[:dimensions, :dimensions]
    ).logpdf(points)
    scores = kvae.score_samples(points)
    assert scores.dtype == np.float64
    assert scores.mean() == pytest.approx(truth.mean(), abs=0.15)
    assert np.abs(scores - truth).mean() < 0.5


def test_an_images_density_has_the_datas_units_too() -> None:
    images = np.random.default_rng(0).normal(0, 1, (200, 4, 4))
    bright = tiny().fit(images * 1000).score_samples(images * 1000)
    np.testing.assert_allclose(
        tiny().fit(images).score_samples(images), bright + 16 * np.log(1000), rtol=1e-3
    )


@pytest.mark.parametrize("generator", ["gan", "centroid"])
def test_without_a_density_there_is_no_score(generator: str) -> None:
    points, _ = three_blobs(60)
    kvae = tiny(generator=generator).fit(points)
    assert kvae.predict(points).shape == (60,)
    with pytest.raises(TrainerError, match=f"'{generator}' have no density"):
        kvae.score_samples(points)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.bool_, np.float16, np.float32, list])
def test_numbers_of_all_kinds(kind: type) -> None:
    points = np.random.default_rng(0).integers(0, 2, (40, 3)).astype(np.float64)
    given = points.tolist() if kind is list else points.astype(kind, order="F")
    kvae, expected = tiny().fit(given), tiny().fit(points)
    np.testing.assert_array_equal(kvae.labels_, expected.labels_)
    np.testing.assert_allclose(kvae.score_samples(given), expected.score_samples(points))


@pytest.mark.parametrize(
    ("points", "components"),
    [
        (np.zeros((1, 3)), 1),
        (np.zeros((30, 3)), 3),
        (np.arange(4.0)[:, None], 4),
        (np.column_stack([np.arange(30.0), np.full(30, 1e9)]), 2),
        (np.array([[1e30, -1e30], [1e30, 5], [3, 4]]), 2),
        (np.arange(30.0)[:, None] * 1e-30, 2),
        (np.full((9, 3, 3), 7, np.uint8), 2),
    ],
    ids=["one", "duplicates", "K = N", "constant column", "huge", "minute", "constant images"],
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_degenerate_points_give_a_sound_model(points: NDArray[Any], components: int) -> None:
    kvae = tiny(components).fit(points)
    assert set(kvae.labels_) <= set(range(components))
    assert kvae.weights_.sum() == pytest.approx(1)
    np.testing.assert_allclose(kvae.predict_proba(points).sum(1), 1, rtol=1e-5)
    assert np.isfinite(kvae.score_samples(points)).all()
    assert np.isfinite(kvae.sample(10)[0]).all()


def test_a_wild_point_hides_no_cluster() -> None:
    points, labels = three_blobs()
    kvae = KVAE(4, options={"iterations": 1}).fit(np.vstack([points, [[1e30, 0]]]))
    assert adjusted_rand_score(labels, kvae.labels_[:-1]) == 1


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((1, 3)), "2 components need at least as many points; there are 1"),
        (np.full((9, 3), np.nan), "contains NaN"),
        (np.full((9, 3), -np.inf), "contains infinity"),
        (np.full((9, 3), 1e39), "row 0, column 0: 1e\\+39 is not a finite number below"),
        (np.zeros((9, 3), complex), "Complex data not supported"),
        (np.full((9, 3), "a"), "arrays of bytes/strings"),
        (np.zeros((9, 3), "datetime64[s]"), "must be numbers"),
        (np.zeros(9), "Expected 2D array"),
        (np.float64(9), "Expected 2D array"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((9, 0)), "0 feature"),
        (np.zeros((9, 1, 0, 5)), "a point must have 1 to"),
        (np.zeros((9, 1, 1, 5, 5)), "must have shape"),
        (np.zeros((9, 32, 32, 3)), "looks like channels last"),
        ([[1.0], [1.0, 2.0]], "inhomogeneous"),
    ],
)
def test_bad_points_are_told(points: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tiny().fit(points)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"n_components": 0}, "n_components: Input should be greater than or equal to 1, not 0"),
        ({"n_components": 1.5}, "n_components: an integer or 'auto', not 1.5"),
        ({"n_components": "many"}, "n_components: an integer or 'auto', not 'many'"),
        ({"n_components": True}, "n_components: an integer or 'auto', not True"),
        ({"n_components": "2"}, "n_components: an integer or 'auto', not '2'"),
        ({"n_components": 61}, "61 components need at least as many points; there are 60"),
        ({"preset": "best"}, "preset: there is none named 'best'"),
        ({"options": {"epoch": 3}}, "options: there is none named 'epoch'"),
        ({"options": {"seed": 3}}, "options: there is none named 'seed'"),
        ({"options": {"epochs": -3}}, "epochs: Input should be greater than or equal to 0"),
        ({"options": {"network": "conv"}}, "'conv' needs images"),
        ({"random_state": -1}, "random_state: Input should be greater than or equal to 0"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
        ({"device": "abacus"}, "'abacus' can't be used"),
    ],
)
def test_bad_parameters_are_told(parameters: dict[str, Any], said: str) -> None:
    points, _ = three_blobs(60)
    with pytest.raises(ValueError, match=said):
        clone(tiny()).set_params(**parameters).fit(points)


def test_a_search_for_the_number_of_components() -> None:
    points, _ = three_blobs(150)
    search = GridSearchCV(tiny(), {"n_components": [1, 3]}, cv=2).fit(points)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    held_out = search.best_estimator_.score_samples(points)
    assert search.score(points) == pytest.approx(held_out.mean(), rel=1e-3)


def test_the_wrong_parameter_is_named() -> None:
    with pytest.raises(InvalidConfig) as error:
        KVAE(0).fit(np.zeros((9, 3)))
    assert error.value.param == "n_components"


@pytest.mark.parametrize("n", [0, 2.5, "3", True])
def test_samples_are_counted(n: Any) -> None:
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        tiny().fit(three_blobs(60)[0]).sample(n)


def test_an_estimator_that_is_not_fitted_says_so() -> None:
    for method in (KVAE.predict, KVAE.predict_proba, KVAE.score_samples):
        with pytest.raises(NotFittedError):
            method(KVAE(), np.zeros((9, 3)))
    with pytest.raises(NotFittedError):
        KVAE().sample()
