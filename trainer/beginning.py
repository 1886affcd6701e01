"""A run before its first iteration."""

import torch

from api_schemas.training import TrainingConfig
from trainer.architecture import choose_architecture
from trainer.estimators import new_estimator
from trainer.points import Points, check_points, inner_shape
from trainer.random import derived_seed, random_stream
from trainer.scaling import ScaledPoints, Scaling
from trainer.starts import gaussians
from trainer.starts.count import MAX_CLUSTERS, count_clusters
from trainer.starts.sketch import Sketch
from trainer.starts.tails import fit_log_transform
from trainer.state import TrainingState, check_config, fresh_generators

LEADING = 5  # principal components, in which clusters of an embedding are counted


def settle_components(points: Points, config: TrainingConfig) -> TrainingConfig:
    """The configuration with K chosen from the points where it is to be. Raises InvalidPoints."""
    check_points(points)
    return _settle(points, config)[0]


def initial_state(points: Points, config: TrainingConfig, device: torch.device) -> TrainingState:
    """The state from which the first iteration will choose a partition and train.

    Raises InvalidPoints or InvalidConfig when the points or the configuration can't be trained.
    """
    check_points(points)
    check_config(config, points.shape)
    config, scaling = _settle(points, config)
    point_shape = points.shape[1:]
    architecture = choose_architecture(inner_shape(point_shape), config)
    generators = fresh_generators(config, architecture, 0, device)
    return TrainingState(
        config=config,
        architecture=architecture,
        point_shape=point_shape,
        scaling=scaling,
        generators=generators,
        estimator=new_estimator(
            generators, random_stream(device, config.seed, 0, "initial estimator")
        ),
        partition=torch.zeros(len(points), dtype=torch.int64, device=device),
    )


def _settle(points: Points, config: TrainingConfig) -> tuple[TrainingConfig, Scaling]:
    scaling = _scaling(points, config)
    if config.components == "auto":
        x = ScaledPoints(points, scaling, torch.device("cpu"))
        k = _count(Sketch(x, config.seed), config.seed)
        config = config.model_copy(update={"components": k})
    return config, scaling


def _scaling(points: Points, config: TrainingConfig) -> Scaling:
    if points.ndim > 2 or not config.log_transform:
        return Scaling.fit(points)
    seed = derived_seed(config.seed, "tails", bits=31)
    return Scaling.fit(points, fit_log_transform(points, seed))


def _count(sketch: Sketch, seed: int) -> int:
    if sketch.is_reduced:  # in all its dimensions no distance tells clusters apart
        k = gaussians.count(sketch.smooth[:, :LEADING], MAX_CLUSTERS, seed)
        if k is not None:
            return k
    return count_clusters(sketch, seed)
