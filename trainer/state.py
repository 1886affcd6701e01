"""Everything a run has come to: what a checkpoint holds and each iteration takes and returns."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.architecture import Architecture, choose_architecture
from trainer.errors import InvalidConfig, InvalidPoints
from trainer.estimators import DensityEstimator
from trainer.generators import Generators
from trainer.kinds import new_generators
from trainer.points import inner_shape
from trainer.random import random_stream
from trainer.scaling import Scaling
from trainer.stopping import Begun

SLACK = 0.05  # scores that differ by less are equal; of equal iterations the last has learned most


@dataclass
class Best:
    """The iteration to keep: the model and its partition."""

    lowest: float  # score of any iteration of its run so far
    iteration: int
    generators: Generators
    estimator: DensityEstimator
    partition: Tensor
    shares: Tensor | None


@dataclass
class TrainingState:
    """Position in the outer loop. Random streams derive from (seed, iteration): none is kept but
    that of an iteration that has begun."""

    config: TrainingConfig
    architecture: Architecture
    point_shape: tuple[int, ...]
    scaling: Scaling
    generators: Generators
    estimator: DensityEstimator
    partition: Tensor  # (N,) of 0..K-1, or EVERYWHERE before the first assignment
    shares: Tensor | None = None  # (N, K), posterior of each point, with the soft assignment
    iteration: int = 0  # iterations completed, over all restarts
    quiet: int = 0  # iterations in a row in which hardly a point moved
    best: Best | None = None
    begun: Begun | None = None  # of the next iteration, where it was stopped

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise InvalidPoints unless the run can go on with points of shape (N, *point_shape)."""
        begun = (len(self.partition), *self.point_shape)
        if shape != begun:
            raise InvalidPoints(f"the run began with points of shape {begun}; these have {shape}")

    def keep_if_best(self, score: float) -> None:
        """Remember this iteration when none before it in its run scores clearly lower, and no
        earlier run scores lower at all."""
        lowest = min(score, self.best.lowest) if self.best else score
        begun = (self.iteration - 1) // self.config.iterations * self.config.iterations
        of_this_run = self.best is None or self.best.iteration > begun
        if score <= lowest * (1 + SLACK * of_this_run):
            k = len(self.generators)
            self.best = Best(
                lowest=lowest,
                iteration=self.iteration,
                generators=self.generators.select(list(range(k))),
                estimator=deepcopy(self.estimator),
                partition=self.partition.clone(),
                shares=None if self.shares is None else self.shares.clone(),
            )


def check_config(config: TrainingConfig, shape: tuple[int, ...]) -> None:
    """Raise InvalidConfig unless points of shape (N, *point_shape) can be trained this way."""
    k = 1 if config.components == "auto" else config.k
    a = choose_architecture(inner_shape(shape[1:]), config)
    rows = len(shape) == 2
    conv = a.network == "conv"
    objections = (
        (
            k > shape[0],
            "components",
            f"{k} components need at least as many points; there are {shape[0]}",
        ),
        (
            conv and not rows and config.batch_size == 1,
            "batch_size",
            "convolutions are normalised over a batch of 2 or more",
        ),
        (conv and rows, "network", "'conv' needs images; these points are rows of numbers"),
        (
            rows and config.likelihood == "bernoulli",
            "likelihood",
            "'bernoulli' needs images; these points are rows of numbers",
        ),
        (
            config.restarts > 1 and not config.keep_best,
            "restarts",
            "of several runs the best is kept: they need keep_best",
        ),
        (
            config.generator == "gan" and config.estimator == "generators",
            "estimator",
            "a GAN has no density of its own; 'classifier' and 'discriminators' need none",
        ),
        (
            config.generator == "centroid" and config.assignment == "soft",
            "assignment",
            "centroids are the means of their own points; 'soft' needs a VAE or a GAN",
        ),
    )
    for wrong, param, message in objections:
        if wrong:
            raise InvalidConfig(param, message)


def fresh_generators(
    config: TrainingConfig, architecture: Architecture, run: int, device: torch.device
) -> Generators:
    """The generators that a run begins with, ready to train."""
    rng = random_stream(device, config.seed, run, "initial generators")
    generators = new_generators(config.k, architecture, rng)
    generators.start_training()
    return generators.eval()
