"""Which networks fit the data: the part of a model's description that rebuilds its networks."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from api_schemas.training import TrainingOptions

CONV_FROM = 16  # pixels; a smaller image is a vector to an MLP
VAE_FILTERS = (8, 16, 32, 64)  # Locatello et al. (2018), appendix A.1
ESTIMATOR_FILTERS = (16, 32, 64)


@dataclass(frozen=True)
class Architecture:
    """Sizes of the K VAEs and of the estimator.

    ``shape`` is one point's: (D,) for tables, (C, H, W) for images.
    """

    shape: tuple[int, ...]
    generator: Literal["mlp", "conv"]
    likelihood: Literal["gaussian", "bernoulli"]
    hidden: int
    latent: int
    sample_noise: bool
    estimator: Literal["classifier", "discriminators"]

    @property
    def dimensions(self) -> int:
        return prod(self.shape)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Architecture":
        """Inverse of dataclasses.asdict by way of JSON, which has no tuples."""
        return cls(**{**fields, "shape": tuple(fields["shape"])})

    def flops_a_point(self) -> float:
        """Arithmetic of one training step of one VAE on one point, roughly."""
        if self.generator == "conv":
            return 12 * 16 * 25 * self.dimensions
        return 12 * self.hidden * (self.dimensions + self.hidden + self.latent)


def choose_architecture(shape: tuple[int, ...], options: TrainingOptions) -> Architecture:
    """Fill what the options leave open from the shape of a point."""
    image = len(shape) == 3
    dimensions = prod(shape)
    generator = options.generator
    if generator == "auto":
        generator = "conv" if image and min(shape[1:]) >= CONV_FROM else "mlp"
    likelihood = "gaussian" if options.likelihood == "auto" else options.likelihood
    return Architecture(
        shape=shape,
        generator=generator,
        likelihood=likelihood,
        hidden=options.hidden or (50 if dimensions <= 16 else 64 if dimensions <= 256 else 128),
        latent=options.latent or min(dimensions, 8),
        sample_noise=not image if options.sample_noise is None else options.sample_noise,
        estimator=options.estimator,
    )
