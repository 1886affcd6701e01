"""A training step as one function: loss, its gradient and Adam, on tensors that stay in place."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from trainer.adam import Adam
from trainer.random import Draws


class WholeStep(ABC):
    """What `VAEStack.step` does, in one call; the optimiser's memory stays in the optimiser.

    Once done, call `finish`. ``stack(batch, noise)`` is the ELBO, (K, B), for noise (K, B, latent);
    ``weights`` names the parameters that have a prior, of the precision in its buffer ``decay``.
    """

    def __init__(
        self,
        stack: nn.Module,
        latent: int,
        optimiser: Adam,
        weights: Collection[str],
    ) -> None:
        self.stack = stack
        self.parameters = dict(stack.named_parameters())
        self._has_prior = [name in weights for name in self.parameters]
        self._optimiser = optimiser
        memory = optimiser.memory
        self.moments = [m["exp_avg"] for m in memory], [m["exp_avg_sq"] for m in memory]
        self._latent = latent
        self._counts = [m["step"] for m in memory]
        self._done = int(self._counts[0])

    def __call__(self, batch: Tensor, draws: Draws) -> Tensor:
        """One step on points (K, B, *shape); returns the losses, (K,)."""
        self._done += 1
        beta1, beta2 = self._optimiser.betas
        first, second = 1 - beta1**self._done, 1 - beta2**self._done
        noise = draws.normal(batch.shape[1], self._latent)
        return self.run(batch, noise, (self._optimiser.step_size / first, second**-0.5))

    def finish(self) -> None:
        """Tell the optimiser of the steps; a write for each parameter is too slow for each step."""
        for count in self._counts:
            count.fill_(self._done)

    @abstractmethod
    def run(self, batch: Tensor, noise: Tensor, sizes: tuple[float, float]) -> Tensor:
        """One step with Adam's corrections of the first moment, with the step size, and of the
        root of the second; returns the losses, (K,)."""

    def descend(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        moments: tuple[Sequence[Tensor], Sequence[Tensor]],
        decay: Tensor,
        sizes: Tensor,
    ) -> None:
        """Adam's (Kingma & Ba, 2015), in place."""
        (beta1, beta2), eps = self._optimiser.betas, self._optimiser.eps
        each = zip(parameters, gradients, *moments, self._has_prior, strict=True)
        for p, gradient, first, second, has_prior in each:
            g = gradient + prior_gradient(decay, p) if has_prior else gradient
            first.lerp_(g, 1 - beta1)
            second.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            p.sub_(sizes[0] * first / (second.sqrt() * sizes[1] + eps))


def prior_gradient(decay: Tensor, weight: Tensor) -> Tensor:
    """Of minus the log density of N(0, 1 / decay), decay (K,), at the weights (K, ...)."""
    return decay.view(-1, *[1] * (weight.dim() - 1)) * weight
