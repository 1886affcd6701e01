"""K generative adversarial networks side by side: generators with no density and no encoder."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from trainer.adam import Adam
from trainer.architecture import Architecture
from trainer.generators import SteppedGenerators
from trainer.networks import StackedConvDecoder, StackedConvEncoder, StackedMLP
from trainer.random import Draws

GRADIENT_PENALTY = 0.1  # on the critic at data points; without it the pair circles


class GANStack(SteppedGenerators):
    """K GANs (Goodfellow et al., 2014), the non-saturating loss with an R1 penalty on the critic
    (Mescheder et al., 2018)."""

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, architecture, rng)
        a = architecture
        self.decoder: torch.nn.Module
        self.critic: torch.nn.Module
        if a.network == "conv":
            self.decoder = StackedConvDecoder(k, a.latent, list(a.filters), a.shape, rng)
            self.critic = StackedConvEncoder(k, a.shape, list(a.filters), 1, rng)
        else:
            self.decoder = StackedMLP(k, [a.latent, a.hidden, a.hidden, a.dimensions], rng)
            self.critic = StackedMLP(k, [a.dimensions, a.hidden, a.hidden, 1], rng)

    def start_training(self) -> None:
        self.optimisers = [Adam(self.decoder.parameters()), Adam(self.critic.parameters())]

    def step(self, batch: Tensor, draws: Draws) -> Tensor:
        n = batch.shape[1]
        made = self._generate(n, draws)
        losses = self._critic_losses(batch, made.detach())
        self.optimisers[1].descend(losses.sum())
        self.optimisers[0].descend(F.softplus(-self.critic(made)).mean((1, 2)).sum())
        return losses.detach()

    @torch.no_grad()
    def sample(self, n: int, draws: Draws, noise: bool = True) -> Tensor:
        return self._generate(n, draws)

    def _generate(self, n: int, draws: Draws) -> Tensor:
        z = draws.normal(n, self.architecture.latent)
        made: Tensor = self.decoder(z)
        return made.reshape(*z.shape[:2], *self.architecture.shape)

    def _critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        real = real.clone().requires_grad_()
        on_real: Tensor = self.critic(real)
        (gradient,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        penalty = gradient.flatten(2).square().sum(2).mean(1)
        adversarial = F.softplus(-on_real).mean((1, 2)) + F.softplus(self.critic(made)).mean((1, 2))
        return adversarial + GRADIENT_PENALTY / 2 * penalty
