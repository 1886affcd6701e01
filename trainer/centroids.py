"""The k-means limit: VAEs with a constant encoder and the identity as decoder."""

import torch
from torch import Generator, Tensor

from trainer.architecture import Architecture
from trainer.generators import Generators, Schedule
from trainer.partition import Members
from trainer.random import Draws
from trainer.scaling import ScaledPoints


class Centroids(Generators):
    """Each generator is a point, the mean of its members (Locatello et al., 2018, appendix C).

    With the generators' own densities, -||x - mu_j||^2 / 2, as the estimator, an iteration is one
    of Lloyd's.
    """

    has_density = True

    means: Tensor

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, architecture, rng)
        self.register_buffer("means", torch.zeros(k, *architecture.shape, device=rng.device))

    def fit(self, x: ScaledPoints, members: Members, schedule: Schedule, draws: Draws) -> Tensor:
        """The minimiser in closed form; a component without members keeps its place."""
        sums, counts = members.sums(x)
        some = counts > 0
        self.means[some] = (sums[some] / counts[some].view(-1, *[1] * (sums.dim() - 1))).float()
        schedule.advance()
        return -members.mean_log_density(x, self.log_density)

    @torch.no_grad()
    def sample(self, n: int, draws: Draws, noise: bool = True) -> Tensor:
        return self.means[:, None].expand(len(self), n, *self.architecture.shape).clone()

    def log_density(self, x: Tensor) -> Tensor:
        """Nearest centroid wins; in float64, where rounding can't reorder near ties."""
        points, means = x.flatten(1).double(), self.means.flatten(1).double()
        return -0.5 * torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist") ** 2
