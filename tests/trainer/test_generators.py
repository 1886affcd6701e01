"""The other kinds of generators: GANs, and the centroids of the k-means limit."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from api_schemas.training import TrainingConfig
from tests.points import three_blobs
from tests.trainer.stacks import stack
from trainer import InvalidConfig, TrainingState, train
from trainer.evaluation.synthetic import synthetic


def test_a_centroid_run_is_lloyds_algorithm_step_by_step() -> None:
    points = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    config = TrainingConfig(
        components=6,
        generator="centroid",
        estimator="generators",
        initial_partition="voronoi",
        iterations=12,
        rescue="none",
        keep_best=False,
        polish=False,
        sample_noise=False,
        latent_gaussians=0,
    )
    found: list[torch.Tensor] = []
    train(points, config, on_iteration=lambda state, report: found.append(state.partition))
    x = (points - points.mean(0, np.float64)) / points.std(0, dtype=np.float64)
    x = x.astype(np.float32).astype(np.float64)
    labels = voronoi_start(points, config)
    for partition in found:
        centroids = np.stack([x[labels == j].mean(0) for j in range(6)]).astype(np.float32)
        labels = np.square(x[:, None] - centroids).sum(2).argmin(1)
        np.testing.assert_array_equal(partition.numpy(), labels)
    assert not torch.equal(found[0], found[-1])


def voronoi_start(points: np.ndarray, config: TrainingConfig) -> np.ndarray:
    """The partition that the run began with."""
    from trainer.beginning import initial_state
    from trainer.loop import Run
    from trainer.ranks import Ranks
    from trainer.scaling import ScaledPoints
    from trainer.starts.choose import initial_partition
    from trainer.steps import Steps

    state = initial_state(points, config, torch.device("cpu"))
    x = ScaledPoints(points, state.scaling, torch.device("cpu"))
    run = Run(state, points, x, Steps(config, len(x), 0, lambda fraction: None), Ranks())
    return initial_partition(x, run.judge, config, 0, lambda: None).numpy()


def gan(**fields: object) -> TrainingConfig:
    chosen = {"components": 3, "generator": "gan", "iterations": 2, "latent": 2, "polish": False}
    return TrainingConfig(**(chosen | fields))


def test_gans_compete() -> None:
    points, labels = synthetic(3, 600, seed=0)
    fit = train(points, gan())
    assert adjusted_rand_score(labels, fit.partition) > 0.95
    samples = fit.mixture.sample(300, component=1, seed=0).points
    centres = np.stack([points[fit.partition == j].mean(0) for j in range(3)])
    nearest = np.square(samples[:, None] - centres).sum(2).argmin(1)
    assert (nearest == 1).mean() > 0.95


def test_a_gan_resumes_to_the_same_bytes() -> None:
    from trainer import checkpoint_bytes, restore

    points, _ = three_blobs()
    config = gan(pretraining_epochs=20, epochs=5, estimator_epochs=5)
    saved: list[bytes] = []

    def save(state: TrainingState, report: object) -> None:
        saved.append(checkpoint_bytes(state))

    whole = train(points, config, on_iteration=save)
    resumed = train(points, config, resume=restore(saved[0], torch.device("cpu")))
    assert whole.mixture.to_bytes() == resumed.mixture.to_bytes()


def test_a_gan_has_no_density() -> None:
    with pytest.raises(InvalidConfig, match="no density of its own"):
        train(three_blobs()[0], gan(estimator="generators"))
    with pytest.raises(NotImplementedError):
        stack(2, generator="gan").log_density(torch.zeros(1, 2))
