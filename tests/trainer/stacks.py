"""Small networks for tests."""

from typing import Any

import torch

from api_schemas.training import TrainingOptions
from trainer.architecture import Architecture, choose_architecture
from trainer.generators import Generators
from trainer.kinds import new_generators
from trainer.random import Draws
from trainer.scaling import ScaledPoints, Scaling

CPU = torch.device("cpu")


def architecture(shape: tuple[int, ...] = (2,), **options: Any) -> Architecture:
    """A small one, for points of a shape."""
    network = "conv" if len(shape) == 3 else "mlp"
    fields = {"hidden": 8, "latent": 2, "latent_gaussians": 0, "network": network}
    return choose_architecture(shape, TrainingOptions(**{**fields, **options}))


def stack(k: int, shape: tuple[int, ...] = (2,), **options: Any) -> Generators:
    """K small generators."""
    rng = torch.Generator().manual_seed(0)
    return new_generators(k, architecture(shape, **options), rng).eval()


def draws(k: int, seed: int = 1) -> Draws:
    """Random numbers for K components."""
    return Draws(torch.Generator().manual_seed(seed), k)


def unscaled(x: torch.Tensor) -> ScaledPoints:
    """Points that the networks see as they are."""
    return ScaledPoints(x.numpy(), Scaling(torch.zeros(1).numpy(), torch.ones(1).numpy()), CPU)
