"""How much of the paper's experiments a run repeats."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Scale:
    """Sizes of the runs. Epochs of a single VAE pass over all points, of a bag over N/K each."""

    name: str
    points: int  # of the synthetic data, for the paper's methods; the default preset has 64,000
    pretraining_epochs: float
    iterations: int
    bag_epochs: float
    single_epochs: float
    images: int  # of MNIST
    image_pretraining_epochs: float
    image_iterations: int
    image_epochs: float  # of the bag and of VAE-64
    large_epochs: float  # of VAE-512
    discriminator_width: int  # filters of its first convolution
    seeds: int  # of the default preset


# The paper does not say how long its single VAEs trained on MNIST: as many passes as kVAEs make
FULL = Scale("full", 64_000, 100, 100, 100, 1000, 60_000, 10, 10, 100, 100, 64, 5)
QUICK = Scale("quick", 8_000, 10, 20, 100, 100, 10_000, 4, 5, 44, 6, 16, 1)


class Row(NamedTuple):
    """What one method came to on one data set."""

    data: str
    method: str
    seed: int
    figures: dict[str, float]
    seconds: float  # of training, on one thread
