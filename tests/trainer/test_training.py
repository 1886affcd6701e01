"""The whole algorithm: what it finds, that it repeats itself, that it can be interrupted."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from tests.points import three_blobs
from trainer import (
    DamagedState,
    Diverged,
    InvalidConfig,
    InvalidPoints,
    Report,
    TrainingConfig,
    TrainingState,
    checkpoint_bytes,
    restore,
    train,
)
from trainer.beginning import initial_state

CPU = torch.device("cpu")
SHORT = {"iterations": 3, "pretraining_epochs": 60, "epochs": 15, "estimator_epochs": 60}


def short(**fields: Any) -> TrainingConfig:
    return TrainingConfig(**{"components": 3, **SHORT, **fields})


@pytest.mark.parametrize("estimator", ["classifier", "discriminators"])
def test_blobs_are_found(estimator: str) -> None:
    points, labels = three_blobs()
    reports: list[Report] = []
    config = short(estimator=estimator)
    fit = train(points, config, on_iteration=lambda state, report: reports.append(report))
    assert adjusted_rand_score(labels, fit.partition) > 0.99
    assert [report.iteration for report in reports] == [1, 2, 3]
    assert all(len(report.losses) == 3 for report in reports)
    assert all(report.seconds == sum(report.phase_seconds.values()) for report in reports)
    found = fit.mixture.log_likelihood(points).mean()
    assert reports[-1].log_likelihood == pytest.approx(found, abs=1)
    assert sum(fit.mixture.alpha) == pytest.approx(1)
    np.testing.assert_array_equal(fit.mixture.alpha * 300, np.bincount(fit.partition))


def test_uniform_pretraining_runs() -> None:
    points, _ = three_blobs()
    fit = train(points, short(initial_partition="uniform", estimator="discriminators"))
    assert len(fit.partition) == 300


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_images_train(network: str, likelihood: str) -> None:
    images = np.zeros((60, 2, 8, 8), np.uint8)
    images[:30, :, :4] = 200
    images[30:, :, 4:] = 200
    config = short(components=2, network=network, likelihood=likelihood, epochs=4)
    fit = train(images, config)
    assert adjusted_rand_score([0] * 30 + [1] * 30, fit.partition) == 1
    samples = fit.mixture.sample(5, component=0)
    assert samples.points.shape == (5, 2, 8, 8)
    assert samples.points.min() >= 0
    assert samples.points.max() <= 200


def test_same_seed_same_model() -> None:
    points, _ = three_blobs()
    first, second, other = (
        train(points, short(seed=seed)).mixture.to_bytes() for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("interrupted_after", [1, 2, 3])
def test_a_resumed_run_gives_the_same_model(interrupted_after: int) -> None:
    points, _ = three_blobs()
    saved: list[bytes] = []
    undisturbed = train(
        points, short(), on_iteration=lambda state, report: saved.append(checkpoint_bytes(state))
    )
    fractions: list[float] = []
    state = restore(saved[interrupted_after - 1], CPU)
    resumed = train(points, short(), resume=state, on_step=fractions.append)
    assert resumed.mixture.to_bytes() == undisturbed.mixture.to_bytes()
    assert fractions == sorted(fractions)
    assert not fractions or fractions[-1] == pytest.approx(1)


def test_a_callback_stops_the_run() -> None:
    def stop(fraction: float) -> None:
        if fraction > 0.1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(three_blobs()[0], short(), on_step=stop)


def test_a_run_that_diverges_says_so() -> None:
    points = three_blobs()[0]
    state = initial_state(points, short(), CPU)
    with torch.no_grad():
        state.generators.get_parameter("log_scale")[1] = torch.nan
    with pytest.raises(Diverged, match="a loss is no longer finite in iteration 1"):
        train(points, short(), resume=state)


def test_a_polish_that_diverges_says_so() -> None:
    def break_down(state: TrainingState, report: Report) -> None:
        with torch.no_grad():
            state.generators.get_parameter("log_scale")[1] = torch.nan

    config = short(iterations=1, keep_best=False)
    with pytest.raises(Diverged, match="a loss is no longer finite in the polish"):
        train(three_blobs()[0], config, on_iteration=break_down)


def test_a_run_goes_on_with_its_own_points_only() -> None:
    points = three_blobs()[0]
    state = initial_state(points, short(), CPU)
    for others in (points[:-1], points[:, :1]):
        with pytest.raises(InvalidPoints, match=r"the run began with points of shape \(300, 2\)"):
            train(others, short(), resume=state)


def test_annealing_never_raises_the_step_size() -> None:
    sizes: list[float] = []
    points = three_blobs()[0]
    config = short(learning_rate=1e-5, polish=False, keep_best=False)
    state = initial_state(points, config, CPU)
    train(
        points,
        state.config,
        resume=state,
        on_step=lambda _: sizes.append(state.generators.optimisers[0].step_size),
    )
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) == 1e-5


def test_equal_checkpoints_of_two_runs_differ() -> None:
    state = initial_state(three_blobs()[0], short(), CPU)
    assert checkpoint_bytes(state, "a") == checkpoint_bytes(state, "a")
    assert checkpoint_bytes(state, "a") != checkpoint_bytes(state, "b")


def test_a_torn_checkpoint_is_told() -> None:
    saved: list[bytes] = []

    def save(state: TrainingState, report: Report) -> None:
        saved.append(checkpoint_bytes(state))

    train(three_blobs()[0], short(iterations=1), on_iteration=save)
    for torn in (saved[0][:-1], saved[0][:100], b"", b"\0" * 100):
        with pytest.raises(DamagedState):
            restore(torn, CPU)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"components": 301}, "301 components need at least as many points; there are 300"),
        ({"network": "conv"}, "needs images"),
        ({"likelihood": "bernoulli"}, "needs images"),
        ({"generator": "centroid", "assignment": "soft"}, "'soft' needs a VAE or a GAN"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        train(three_blobs()[0], short(**fields))


def test_convolutions_need_a_batch() -> None:
    with pytest.raises(InvalidConfig, match="batch of 2 or more"):
        train(np.zeros((9, 16, 16)), short(batch_size=1, network="conv"))


@pytest.mark.parametrize(
    ("points", "components"),
    [
        (np.zeros((1, 3)), 1),
        (np.arange(200.0)[None], 1),
        (np.zeros((50, 3)), 4),
        (np.arange(4.0)[:, None], 4),
        (np.array([[1e30, -1e30], [1e30, 5], [3, 4]]), 2),
    ],
    ids=[
        "one point",
        "one wide point",
        "duplicates",
        "as many components as points",
        "huge values",
    ],
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_degenerate_points_give_a_sound_model(points: Any, components: int) -> None:
    fit = train(points, short(components=components, epochs=2, pretraining_epochs=2))
    assert fit.mixture.alpha.sum() == pytest.approx(1)
    assert np.isfinite(fit.mixture.sample(10).points).all()
    assert np.isfinite(fit.mixture.log_densities(points)).all()
