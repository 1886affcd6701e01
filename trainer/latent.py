"""The density that z is drawn from: N(0, I), or a small Gaussian mixture a component."""

from math import log, pi

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from trainer.random import Draws, derived_seed

RIDGE = 1e-4  # on the covariances, whose unit is the prior's
POINTS_A_GAUSSIAN = 20  # fewer can't hold one up


class LatentDensity(nn.Module):
    """K mixtures of G Gaussians in ``latent`` dimensions; N(0, I) until fitted, or when G is 0."""

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, k: int, gaussians: int, latent: int, device: torch.device) -> None:
        super().__init__()
        self.gaussians = gaussians
        eye = torch.eye(latent, device=device).expand(k, gaussians, latent, latent)
        weights = torch.full((k, gaussians), 1 / max(1, gaussians), device=device)
        self.register_buffer("weights", weights)
        self.register_buffer("means", torch.zeros(k, gaussians, latent, device=device))
        self.register_buffer("factors", eye.clone())  # Cholesky factors of the covariances

    def fit(self, component: int, codes: NDArray[np.float64], seed: int) -> None:
        """Fit one component's mixture to codes (n, latent); few codes get fewer Gaussians."""
        from sklearn.mixture import GaussianMixture  # a second and 150 MiB that serving spares

        g = max(1, min(self.gaussians, len(codes) // POINTS_A_GAUSSIAN))
        codes = codes if len(codes) > 1 else codes.repeat(2, 0)
        mixture = GaussianMixture(
            g, reg_covar=RIDGE, random_state=derived_seed(seed, "latent", component, bits=31)
        )
        with threadpool_limits(1):
            mixture.fit(codes)
        factors = np.linalg.cholesky(mixture.covariances_)
        for name, values in (
            ("weights", mixture.weights_),
            ("means", mixture.means_),
            ("factors", factors),
        ):
            self.get_buffer(name)[component].zero_()
            self.get_buffer(name)[component, :g] = torch.from_numpy(values)

    def sample(self, n: int, draws: Draws) -> Tensor:
        """(K, n, latent)."""
        z = draws.normal(n, self.means.shape[-1])
        if not self.gaussians:
            return z
        chosen = torch.searchsorted(self.weights.double().cumsum(1), draws.uniform(n))
        chosen = chosen.minimum((self.weights > 0).sum(1, keepdim=True) - 1)
        drawn = torch.zeros_like(z)
        for g in range(self.gaussians):
            from_g = self.means[:, g, None] + z @ self.factors[:, g].mT
            drawn = torch.where((chosen == g)[..., None], from_g, drawn)
        return drawn

    def log_density(self, z: Tensor) -> Tensor:
        """In nats: (K, n, latent) -> (K, n)."""
        latent = z.shape[-1]
        if not self.gaussians:
            return -0.5 * (z.square().sum(-1) + latent * log(2 * pi))
        parts = []
        for g in range(self.gaussians):
            used = self.weights[:, g, None] > 0
            eye = torch.eye(latent, device=z.device)
            factor = torch.where(used[..., None], self.factors[:, g], eye)
            white = torch.linalg.solve_triangular(
                factor, (z - self.means[:, g, None]).transpose(1, 2), upper=False
            )
            log_det = factor.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)
            inside = -0.5 * (white.square().sum(1) + latent * log(2 * pi)) - log_det
            parts.append(inside + self.weights[:, g, None].log())
        return torch.stack(parts).logsumexp(0)
