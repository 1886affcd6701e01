"""K variational autoencoders trained side by side: the generators of the kVAE algorithm."""

from math import log, pi
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from trainer.architecture import VAE_FILTERS, Architecture
from trainer.networks import StackedConvDecoder, StackedConvEncoder, StackedMLP

LOG_2_PI = log(2 * pi)
LOG_SCALE_START = -1.5
LOG_SCALE_RANGE = (-5.0, 2.0)


class VAEStack(nn.Module):
    """K VAEs (Kingma & Welling, 2013) in one stack, each with its own parameters.

    The prior is z ~ N(0, I), the encoder a diagonal Gaussian. A ``gaussian`` likelihood has one
    learned scale a component; ``bernoulli`` is the cross-entropy on values in [0, 1].
    """

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.encoder: nn.Module
        self.decoder: nn.Module
        if a.generator == "conv":
            filters = list(VAE_FILTERS)
            self.encoder = StackedConvEncoder(k, a.shape, filters, 2 * a.latent, rng)
            self.decoder = StackedConvDecoder(k, a.latent, filters, a.shape, rng)
        else:
            sizes = [a.dimensions, a.hidden, a.hidden, 2 * a.latent]
            self.encoder = StackedMLP(k, sizes, rng)
            self.decoder = StackedMLP(k, [a.latent, a.hidden, a.hidden, a.dimensions], rng)
        self.log_scale = nn.Parameter(torch.full((k, 1, 1), LOG_SCALE_START, device=rng.device))

    def __len__(self) -> int:
        return len(self.log_scale)

    def elbo(self, x: Tensor, rng: Generator) -> Tensor:
        """One-sample estimate of each point's ELBO in nats: (K, B, *shape) -> (K, B)."""
        encoded: Tensor = self.encoder(x)
        mean, log_var = encoded.chunk(2, -1)
        z = mean + _normal_like(mean, rng) * (0.5 * log_var).exp()
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
        log_likelihood = self._log_likelihood(x.flatten(2), self._decode(z))
        return log_likelihood - divergence

    @torch.no_grad()
    def sample(self, n: int, rng: Generator) -> Tensor:
        """``n`` points from each component, (K, n, *shape): draws from p(x | z), or its mean."""
        z = torch.randn(len(self), n, self.architecture.latent, generator=rng, device=rng.device)
        x = self._decode(z)
        if self.architecture.likelihood == "bernoulli":
            x = x.sigmoid()  # the mean: a coin flip a pixel is no image
        elif self.architecture.sample_noise:
            x = x + _normal_like(x, rng) * self._log_scale().exp()
        return x.view(len(self), n, *self.architecture.shape)

    def select(self, components: list[int]) -> "VAEStack":
        """A stack of copies of the named components."""
        rng = Generator(self.log_scale.device)
        chosen = VAEStack(len(components), self.architecture, rng)
        chosen.load_state_dict({name: t[components] for name, t in self.state_dict().items()})
        return chosen.train(self.training)

    @torch.no_grad()
    def copy_components(self, sources: dict[int, int]) -> None:
        """Overwrite each component that is a key with the one that is its value."""
        for tensor in self.state_dict().values():
            for target, source in sources.items():
                tensor[target] = tensor[source]

    def _decode(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.decoder(z)).flatten(2)  # (K, B, D)

    def _log_scale(self) -> Tensor:
        return self.log_scale.clamp(*LOG_SCALE_RANGE)

    def _log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        if self.architecture.likelihood == "bernoulli":
            return -F.binary_cross_entropy_with_logits(decoded, x, reduction="none").sum(-1)
        log_scale = self._log_scale()
        error = (x - decoded).square() * (-2 * log_scale).exp()
        return -(0.5 * error + log_scale + 0.5 * LOG_2_PI).sum(-1)


def _normal_like(x: Tensor, rng: Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
