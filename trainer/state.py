"""Everything a run has come to: what a checkpoint holds and each iteration takes and returns."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.architecture import Architecture, choose_architecture
from trainer.errors import InvalidConfig
from trainer.estimators import DensityEstimator, new_estimator
from trainer.partition import initial_partition
from trainer.points import Points, Scaling, check_points, inner_shape
from trainer.random import random_stream
from trainer.vae import VAEStack


@dataclass
class TrainingState:
    """Position in the outer loop. Random streams derive from (seed, iteration): none is stored."""

    config: TrainingConfig
    architecture: Architecture
    point_shape: tuple[int, ...]
    scaling: Scaling
    generators: VAEStack
    optimiser: torch.optim.Adam
    estimator: DensityEstimator
    partition: Tensor  # (N,) of 0..K-1, or EVERYWHERE before the first assignment
    iteration: int = 0  # iterations completed

    def restart_components(self, sources: dict[int, int]) -> None:
        """Make each component that is a key a copy of its value, with no memory of its own."""
        self.generators.copy_components(sources)
        for moments in self.optimiser.state.values():
            for component in sources:
                moments["exp_avg"][component] = 0
                moments["exp_avg_sq"][component] = 0


def new_optimiser(generators: VAEStack, config: TrainingConfig) -> torch.optim.Adam:
    """The paper's Adam over the whole stack (beta1 0.5)."""
    return torch.optim.Adam(
        generators.parameters(), lr=config.learning_rate, betas=(0.5, 0.999), fused=True
    )


def check_config(config: TrainingConfig, shape: tuple[int, ...]) -> None:
    """Raise InvalidConfig unless points of shape (N, *point_shape) can be trained this way."""
    if config.components > shape[0]:
        raise InvalidConfig(
            "components",
            f"{config.components} components need at least as many points; there are {shape[0]}",
        )
    architecture = choose_architecture(inner_shape(shape[1:]), config)
    if architecture.generator == "conv" and config.batch_size == 1:
        raise InvalidConfig("batch_size", "convolutions are normalised over a batch of 2 or more")
    if len(shape) == 2 and config.generator == "conv":
        raise InvalidConfig("generator", "'conv' needs images; these points are rows of numbers")
    if len(shape) == 2 and config.likelihood == "bernoulli":
        raise InvalidConfig(
            "likelihood", "'bernoulli' needs images; these points are rows of numbers"
        )


def is_of_run(state: TrainingState, points: Points, config: TrainingConfig) -> bool:
    """Whether a state came from training these points this way, as far as it can tell."""
    if state.config != config or (len(state.partition), *state.point_shape) != points.shape:
        return False
    scaling = Scaling.fit(points)
    return np.array_equal(scaling.shift, state.scaling.shift) and np.array_equal(
        scaling.scale, state.scaling.scale
    )


def initial_state(points: Points, config: TrainingConfig, device: torch.device) -> TrainingState:
    """Line 1 of Algorithm 1.

    Raises InvalidPoints or InvalidConfig when the points or the configuration can't be trained.
    """
    check_points(points)
    check_config(config, points.shape)
    point_shape = points.shape[1:]
    architecture = choose_architecture(inner_shape(point_shape), config)
    scaling = Scaling.fit(points)
    k, seed = config.components, config.seed
    generators = VAEStack(k, architecture, random_stream(device, seed, "generators"))
    return TrainingState(
        config=config,
        architecture=architecture,
        point_shape=point_shape,
        scaling=scaling,
        generators=generators,
        optimiser=new_optimiser(generators, config),
        estimator=new_estimator(k, architecture, random_stream(device, seed, "estimator")),
        partition=initial_partition(
            scaling.apply(points, device), k, config.initial_partition, seed
        ),
    )
