"""Which networks fit the data: the part of a model's description that rebuilds its networks."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from api_schemas.training import EstimatorName, GeneratorName, TrainingOptions

BERNOULLI_FROM = 16  # pixels; a smaller image is learnt with the Gaussian
CONV_FROM = 33  # pixels; a smaller image is a vector to an MLP
VAE_FILTERS = (8, 16, 32, 64)  # Locatello et al. (2018), appendix A.1
ESTIMATOR_LAYERS = 3  # each with twice the filters of the one before
ESTIMATOR_FILTERS, ESTIMATOR_UNITS = 16, 64


@dataclass(frozen=True)
class Architecture:
    """Sizes of the K generators and of the estimator.

    ``shape`` is one point's: (D,) for tables, (C, H, W) for images.
    """

    shape: tuple[int, ...]
    generator: GeneratorName
    network: Literal["mlp", "conv"]
    likelihood: Literal["gaussian", "bernoulli"]
    hidden: int
    latent: int
    latent_gaussians: int
    component_scaling: bool
    sample_noise: bool
    estimator: EstimatorName
    estimator_width: int
    filters: tuple[int, ...] = VAE_FILTERS  # of each convolution of a generator
    weight_decay: float = 0.0

    @property
    def dimensions(self) -> int:
        return prod(self.shape)

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Architecture":
        """Inverse of dataclasses.asdict by way of JSON, which has no tuples."""
        filters = tuple(fields.get("filters", VAE_FILTERS))
        return cls(**{**fields, "shape": tuple(fields["shape"]), "filters": filters})

    def flops_a_point(self) -> float:
        """Arithmetic of one training step of one VAE on one point, roughly."""
        if self.network == "conv":
            return 12 * 16 * 25 * self.dimensions
        return 12 * self.hidden * (self.dimensions + self.hidden + self.latent)


def choose_architecture(shape: tuple[int, ...], options: TrainingOptions) -> Architecture:
    """Fill what the options leave open from the shape of a point."""
    image = len(shape) == 3
    dimensions = prod(shape)
    network = options.network
    if network == "auto":
        network = "conv" if image and min(shape[1:]) >= CONV_FROM else "mlp"
    hidden = options.hidden or _hidden(dimensions)
    width = ESTIMATOR_FILTERS if network == "conv" else max(ESTIMATOR_UNITS, hidden)
    gaussians, decay = options.latent_gaussians, options.weight_decay
    return Architecture(
        shape=shape,
        generator=options.generator,
        network=network,
        likelihood=_likelihood(shape) if options.likelihood == "auto" else options.likelihood,
        hidden=hidden,
        latent=options.latent or min(dimensions, 16 if image else 8),
        component_scaling=options.component_scaling,
        latent_gaussians=(5 if image else 1) if gaussians is None else gaussians,
        sample_noise=options.sample_noise,
        estimator=options.estimator,
        estimator_width=options.estimator_width or width,
        weight_decay=(0.0 if image else 1.0) if decay is None else decay,
    )


def _likelihood(shape: tuple[int, ...]) -> Literal["gaussian", "bernoulli"]:
    """What measured best: the cross-entropy for images, but for very small ones."""
    is_large = len(shape) == 3 and min(shape[1:]) >= BERNOULLI_FROM
    return "bernoulli" if is_large else "gaussian"


def _hidden(dimensions: int) -> int:
    """Units that measured best for their cost."""
    return 50 if dimensions <= 16 else 64 if dimensions <= 256 else 128
