"""The kinds of generators by name."""

import torch
from torch import Generator

from trainer.architecture import Architecture
from trainer.centroids import Centroids
from trainer.estimators import DensityEstimator, new_estimator
from trainer.gan import GANStack
from trainer.generators import Generators
from trainer.vae import VAEStack


def new_generators(k: int, architecture: Architecture, rng: Generator) -> Generators:
    """K generators of the kind that the architecture names, freshly initialised."""
    if architecture.generator == "gan":
        return GANStack(k, architecture, rng)
    if architecture.generator == "centroid":
        return Centroids(k, architecture, rng)
    return VAEStack(k, architecture, rng)


def rebuilt_networks(
    k: int, architecture: Architecture, device: torch.device
) -> tuple[Generators, DensityEstimator]:
    """Networks whose tensors are yet to be loaded."""
    rng = Generator(device)
    generators = new_generators(k, architecture, rng)
    return generators, new_estimator(generators, rng)
