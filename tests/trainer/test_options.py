"""The named options beyond the paper, and the paper's presets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.datasets import load_wine
from sklearn.metrics import adjusted_rand_score
from torch import nn

from api_schemas.training import TrainingConfig, preset_options, training_config
from tests.points import three_blobs
from trainer import (
    DamagedState,
    InvalidConfig,
    Report,
    TrainingState,
    checkpoint_bytes,
    restore,
    train,
)
from trainer.beginning import initial_state, settle_components
from trainer.checkpoint import forget_checkpoints, keep_checkpoint, last_checkpoint
from trainer.generators import Schedule
from trainer.networks import StackedConv2d
from trainer.partition import EVERYWHERE, mixture_weights
from trainer.phases import rescue, train_estimator, train_generators, twins
from trainer.ranks import Ranks
from trainer.scaling import ScaledPoints, Scaling
from trainer.starts.choose import initial_partition
from trainer.starts.judge import Judge
from trainer.starts.sketch import Sketch
from trainer.steps import Steps

CPU = torch.device("cpu")
QUICK = {"pretraining_epochs": 20, "epochs": 5, "estimator_epochs": 10, "batch_size": 32}


def quick(**fields: Any) -> TrainingConfig:
    return TrainingConfig(**{"components": 3, "iterations": 2, **QUICK, **fields})


def reports(config: TrainingConfig) -> list[Report]:
    seen: list[Report] = []
    train(three_blobs()[0], config, on_iteration=lambda state, report: seen.append(report))
    return seen


def test_auto_counts_the_clusters() -> None:
    points, labels = three_blobs()
    saved: list[bytes] = []
    config = quick(components="auto")
    fit = train(points, config, on_iteration=lambda s, r: saved.append(checkpoint_bytes(s)))
    assert fit.mixture.components == 3
    assert adjusted_rand_score(labels, fit.partition) == 1
    resumed = train(points, config, resume=restore(saved[0], CPU))
    np.testing.assert_array_equal(resumed.partition, fit.partition)


def test_auto_finds_one_cluster() -> None:
    points = np.random.default_rng(0).normal(size=(300, 2)) @ [[2, 1], [0, 1]]
    assert settle_components(points, quick(components="auto")).k == 1


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_auto_counts_few_points(n: int) -> None:
    points = np.arange(2.0 * n).reshape(n, 2) ** 2
    fit = train(points, quick(components="auto", pretraining_epochs=1, iterations=1))
    assert 1 <= fit.mixture.components <= n


def test_soft_assignment_keeps_a_posterior() -> None:
    saved: list[bytes] = []
    points, labels = three_blobs()
    config = quick(assignment="soft")
    fit = train(points, config, on_iteration=lambda s, r: saved.append(checkpoint_bytes(s)))
    state = restore(saved[0], CPU)
    assert state.shares is not None
    torch.testing.assert_close(state.shares.sum(1), torch.ones(300))
    resumed = train(points, config, resume=state)
    assert resumed.mixture.to_bytes() == fit.mixture.to_bytes()
    assert adjusted_rand_score(labels, fit.partition) == 1


def test_restarts_count_on() -> None:
    seen = reports(quick(restarts=2, initial_partition="voronoi"))
    assert [report.iteration for report in seen] == [1, 2, 3, 4]
    assert all(report.of == 4 for report in seen)


@pytest.mark.parametrize("seed", range(3))
def test_the_number_of_components_does_not_hang_on_the_seed(seed: int) -> None:
    config = quick(components="auto", seed=seed)
    assert settle_components(load_wine().data, config).k == 3
    one = np.random.default_rng(0).normal(size=(300, 4))
    assert settle_components(one, config).k == 1


@pytest.mark.parametrize("name", ["auto", "graph", "kmeans", "gaussian", "voronoi"])
def test_each_restart_begins_elsewhere(name: str) -> None:
    points = np.random.default_rng(0).random((300, 2))
    config = quick(components=9, restarts=2, initial_partition=name)
    x = ScaledPoints(points, Scaling.fit(points), CPU)
    judge = Judge(Sketch(x, config.seed), 9, config.seed)
    first, second = (initial_partition(x, judge, config, run, lambda: None) for run in range(2))
    assert adjusted_rand_score(first, second) < 1


def test_a_settled_run_ends_early() -> None:
    fractions: list[float] = []
    points, _ = three_blobs()
    states: list[int] = []
    train(
        points,
        quick(iterations=9, tolerance=0.01),
        on_step=fractions.append,
        on_iteration=lambda state, report: states.append(report.iteration),
    )
    assert states == [1, 2]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


def test_without_a_tolerance_all_iterations_run() -> None:
    seen = reports(quick(iterations=4))
    assert len(seen) == 4


@pytest.mark.parametrize("polish", [False, True])
def test_the_best_iteration_is_kept(polish: bool) -> None:
    points, labels = three_blobs()

    def spoil(state: TrainingState, report: Report) -> None:
        if report.iteration == 2:  # from here on the competition is lost
            for parameter in state.estimator.parameters():
                parameter.data.zero_()
            state.partition = torch.zeros_like(state.partition)

    fit = train(points, quick(iterations=3, polish=polish, rescue="none"), on_iteration=spoil)
    assert adjusted_rand_score(labels, fit.partition) == 1
    lost = quick(iterations=2, polish=polish, rescue="none", keep_best=False)
    assert adjusted_rand_score(labels, train(points, lost, on_iteration=spoil).partition) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"iterations": 9, "tolerance": 0.01},
        {"restarts": 2, "initial_partition": "voronoi"},
        {"components": 7, "initial_partition": "uniform"},
        {"components": 7, "rescue": "reseed", "assignment": "soft"},
        {"estimator": "generators"},
        {"estimator": "discriminators", "estimator_reset": True},
    ],
    ids=lambda fields: " ".join(fields),
)
def test_a_run_with_options_resumes_to_the_same_bytes(fields: dict[str, Any]) -> None:
    points, _ = three_blobs()
    config = quick(**fields)
    saved: list[bytes] = []
    whole = train(points, config, on_iteration=lambda s, r: saved.append(checkpoint_bytes(s)))
    for checkpoint in (saved[0], saved[-1]):
        resumed = train(points, config, resume=restore(checkpoint, CPU))
        assert resumed.mixture.to_bytes() == whole.mixture.to_bytes()


def test_convolutions_from_a_uniform_start_resume_to_the_same_bytes() -> None:
    images = np.random.default_rng(0).random((48, 8, 8))
    fields = {"network": "conv", "initial_partition": "uniform", "polish": False}
    config = quick(components=2, batch_size=8, **fields)
    saved: list[bytes] = []
    whole = train(images, config, on_iteration=lambda s, r: saved.append(checkpoint_bytes(s)))
    resumed = train(images, config, resume=restore(saved[0], CPU))
    assert resumed.mixture.to_bytes() == whole.mixture.to_bytes()


def test_generators_that_judge_are_the_ones_that_sample() -> None:
    points, _ = three_blobs()
    mixture = train(points, quick(estimator="generators")).mixture
    x = mixture.scaling.apply(points, CPU)
    highest = mixture.generators.log_density(x).argmax(1)
    np.testing.assert_array_equal(mixture.assign(points), highest.numpy())


def test_clearly_worse_iterations_are_not_kept() -> None:
    state = initial_state(three_blobs()[0], quick(iterations=6), CPU)
    assert kept_at(state, [0.10, 0.104, 0.14, 0.05, 0.07, 0.052]) == [1, 2, 2, 4, 4, 6]


def test_a_later_run_must_be_better() -> None:
    state = initial_state(three_blobs()[0], quick(iterations=2, restarts=3), CPU)
    assert kept_at(state, [0.10, 0.104, 0.102, 0.09, 0.10, 0.08]) == [1, 2, 2, 4, 4, 6]


def kept_at(state: TrainingState, scores: list[float]) -> list[int]:
    """The iteration that is kept after each of these scores."""
    found = []
    for iteration, score in enumerate(scores, 1):
        state.iteration = iteration
        state.keep_if_best(score)
        assert state.best is not None
        found.append(state.best.iteration)
    return found


@pytest.mark.parametrize("way", ["split", "reseed"])
def test_an_empty_component_is_rescued(way: str) -> None:
    points, _ = three_blobs()
    state = initial_state(points, quick(components=4, rescue=way), CPU)
    x = ScaledPoints(points, state.scaling, CPU)
    state.partition = torch.arange(300) % 3
    rescue(state, x)
    assert (mixture_weights(state.partition, 4) > 0).all()


def test_twins_are_found_and_parted() -> None:
    points, _ = three_blobs()
    seen: list[TrainingState] = []
    few = {"iterations": 1, "pretraining_epochs": 60, "estimator_epochs": 60}
    config = quick(components=2, estimator_reset=True, latent_gaussians=0, **few)
    train(points, config, on_iteration=lambda state, report: seen.append(state))
    state = seen[0]
    x = ScaledPoints(points, state.scaling, CPU)
    assert twins(state, x) == []
    state.generators.put([1], state.generators.select([0]))
    train_estimator(state, x, 100, lambda: None)
    assert len(twins(state, x)) == 1
    rescue(state, x)
    assert (mixture_weights(state.partition, 2) > 0.2).all()


def test_one_generator_is_trained_for_all() -> None:
    points, _ = three_blobs()
    one = initial_state(points, quick(initial_partition="uniform"), CPU)
    one.partition = torch.full((300,), EVERYWHERE)
    train_generators(
        one, ScaledPoints(points, one.scaling, CPU), Schedule(5, lambda i: 0.01), Ranks()
    )
    for tensor in one.generators.state_dict().values():
        assert all(torch.equal(tensor[0], tensor[j]) for j in (1, 2))


APPENDIX = {  # A of Locatello et al. (2018), and what this project adds turned off
    "batch_size": 32,
    "learning_rate": 0.005,
    "epochs": 10,
    "assignment": "hard",
    "initial_partition": "uniform",
    "estimator": "discriminators",
    "latent_gaussians": 0,
    **dict.fromkeys(("sample_noise", "component_scaling", "pretrain_one"), False),
    **dict.fromkeys(("keep_best", "polish", "anneal"), False),
    "log_transform": False,
    "weight_decay": 0.0,
    "rescue": "none",
    "restarts": 1,
    "tolerance": None,
}


def test_paper_synthetic_is_the_appendix() -> None:
    config = training_config(5, preset="paper-synthetic")
    layers = {"network": "mlp", "hidden": 50, "latent": 5, "estimator_width": 50}
    lengths = {"iterations": 100, "pretraining_epochs": 100, "estimator_epochs": 2}
    assert config.model_dump().items() >= {**APPENDIX, **layers, **lengths}.items()
    assert config.estimator_reset
    assert training_config(9, preset="paper-synthetic").estimator_epochs == 5


def test_paper_mnist_is_the_appendix() -> None:
    config = training_config(15, preset="paper-mnist")
    layers = {"network": "conv", "likelihood": "bernoulli", "latent": 8, "estimator_width": 64}
    lengths = {"iterations": 10, "pretraining_epochs": 10}
    assert config.model_dump().items() >= {**APPENDIX, **layers, **lengths}.items()
    assert not config.estimator_reset
    assert Steps(config, 60_000, 0, lambda fraction: None).of_estimator == 1  # batch an iteration
    state = initial_state(np.zeros((32, 28, 28)), config, CPU)

    def filters(network: nn.Module) -> list[int]:
        """Of its convolutions, each of 4 x 4."""
        found = [module for module in network.modules() if isinstance(module, StackedConv2d)]
        assert all(module.weight.shape[-2:] == (4, 4) for module in found)
        return [module.weight.shape[1] for module in found]

    assert filters(state.generators) == [8, 16, 32, 64]
    assert filters(state.estimator) == [64, 128, 256]
    for optimiser in state.generators.optimisers:
        assert optimiser.betas[0] == 0.5


@pytest.mark.parametrize("preset", ["paper-synthetic", "paper-mnist"])
def test_presets_train(preset: Any) -> None:
    points = np.random.default_rng(0).random((96, 16, 16))
    points = points if preset == "paper-mnist" else points[:, 0, :2]
    short = {"iterations": 2, "pretraining_epochs": 1, "epochs": 1}
    config = training_config(3, preset=preset, **short)
    saved: list[bytes] = []
    whole = train(points, config, on_iteration=lambda s, r: saved.append(checkpoint_bytes(s)))
    again = train(points, config, resume=restore(saved[0], CPU))
    assert whole.mixture.to_bytes() == again.mixture.to_bytes()


def test_a_preset_can_be_changed() -> None:
    config = training_config(5, preset="paper-synthetic", hidden=20)
    assert (config.hidden, config.latent) == (20, 5)
    assert preset_options("default", 3) == {}
    with pytest.raises(ValidationError, match="hiden"):
        training_config(5, preset="paper-synthetic", hiden=20)


def test_restarts_need_a_best_to_keep() -> None:
    with pytest.raises(InvalidConfig, match="keep_best"):
        train(three_blobs()[0], quick(restarts=2, keep_best=False))


def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    assert last_checkpoint(path, CPU, "run") is None
    train(three_blobs()[0], quick(), on_iteration=lambda s, r: keep_checkpoint(path, s, "run"))
    whole = last_checkpoint(path, CPU, "run")
    bytes_of_whole = path.read_bytes()
    for damaged in (bytes_of_whole[:-1], bytes_of_whole[:-400] + bytes(400)):
        path.write_bytes(damaged)
        before = last_checkpoint(path, CPU, "run")
        assert before is not None
        assert before.iteration == 1
    assert whole is not None
    assert whole.iteration == 2
    before_path = tmp_path / "checkpoint.previous.safetensors"
    before_path.write_bytes(b"torn")
    with pytest.raises(DamagedState, match=r"checkpoint\.safetensors: .*; remove it to train anew"):
        last_checkpoint(path, CPU, "run")
    forget_checkpoints(path)
    assert not list(tmp_path.iterdir())
