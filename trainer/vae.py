"""K variational autoencoders trained side by side: the generators of the kVAE algorithm."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import log, pi
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from trainer.adam import Adam
from trainer.architecture import Architecture
from trainer.captured import CapturedStep
from trainer.compiled import CompiledStep, Graphs, compilable, has_compiler
from trainer.generators import Schedule, Step, SteppedGenerators
from trainer.latent import LatentDensity
from trainer.networks import StackedConvDecoder, StackedConvEncoder, StackedMLP
from trainer.partition import Members, component_members
from trainer.random import Draws, random_stream
from trainer.scaling import ScaledPoints
from trainer.whole_step import WholeStep, prior_gradient

LOG_2_PI = log(2 * pi)
LOG_SCALE_START = -1.5
LOG_SCALE_RANGE = (-5.0, 2.0)
IMPORTANCE_SAMPLES = 8
LATENT_FIT_POINTS = 2_000  # of each component, for each Gaussian
FAR = 30.0  # spreads from the centre, from where all points look the same to an encoder
MOST_DIMENSIONS = 100  # that count for the weights' prior: the values of wider points go together
LEAST_SPREAD = 1e-2  # of a component, in the unit of the data's own


class VAEStack(SteppedGenerators):
    """K VAEs (Kingma & Welling, 2013) in one stack.

    They train with the prior z ~ N(0, I) and a diagonal Gaussian encoder. A ``gaussian``
    likelihood has one learned scale a component; ``bernoulli`` is the cross-entropy on values in
    [0, 1]. With ``latent_gaussians`` a small Gaussian mixture fitted to the encoded points takes
    the prior's place after training (ex-post density estimation; Ghosh et al., 2020). With
    ``weight_decay`` w their weights have a prior, too, N(0, 1 / (w D)) with D at most 100, so that
    few points are not learnt by heart (MacKay, 1992); of many it is not felt.
    """

    has_density = True

    centre: Tensor  # (K, 1, D) and spread, (K, 1, 1): what the networks see is relative to them
    spread: Tensor
    decay: Tensor  # (K,): precision of the weights' prior, for each of the component's points

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, architecture, rng)
        a = architecture
        self.encoder: nn.Module
        self.decoder: nn.Module
        if a.network == "conv":
            filters = list(a.filters)
            self.encoder = StackedConvEncoder(k, a.shape, filters, 2 * a.latent, rng)
            self.decoder = StackedConvDecoder(k, a.latent, filters, a.shape, rng)
        else:
            sizes = [a.dimensions, a.hidden, a.hidden, 2 * a.latent]
            self.encoder = StackedMLP(k, sizes, rng)
            self.decoder = StackedMLP(k, [a.latent, a.hidden, a.hidden, a.dimensions], rng)
        self.log_scale = nn.Parameter(torch.full((k, 1, 1), LOG_SCALE_START, device=rng.device))
        self.register_buffer("centre", torch.zeros(k, 1, a.dimensions, device=rng.device))
        self.register_buffer("spread", torch.ones(k, 1, 1, device=rng.device))
        self.register_buffer("decay", torch.zeros(k, device=rng.device), persistent=False)
        self.prior = LatentDensity(k, a.latent_gaussians, a.latent, rng.device)

    @torch.no_grad()
    def adapt(self, x: ScaledPoints, members: Members) -> None:
        """With ``component_scaling``: the mean of each component's points, and the square root of
        their mean variance over the dimensions, so that small and large ones learn alike."""
        if not self.architecture.component_scaling:
            return
        sums, counts = members.sums(x)
        squares, _ = members.sums(x, torch.square)
        sums, squares, counts = sums.flatten(1), squares.flatten(1), counts[:, None]
        empty = counts == 0  # such a component trains on all points
        counts = torch.where(empty, counts.sum(), counts)
        mean = torch.where(empty, sums.sum(0), sums) / counts
        square = torch.where(empty, squares.sum(0), squares) / counts
        variance = (square - mean.square()).mean(1).clamp(min=0)
        self.centre.copy_(mean[:, None])
        self.spread.copy_(variance.sqrt().clamp(min=LEAST_SPREAD)[:, None, None])

    def start_training(self) -> None:
        self.optimisers = [Adam(self.parameters())]

    def fit(self, x: ScaledPoints, members: Members, schedule: Schedule, draws: Draws) -> Tensor:
        a = self.architecture
        precision = a.weight_decay * min(a.dimensions, MOST_DIMENSIONS)
        self.decay.copy_(precision / members.mass(draws))
        return super().fit(x, members, schedule, draws)

    def step(self, batch: Tensor, draws: Draws) -> Tensor:
        losses = -self.elbo(batch, draws).mean(1)
        self.optimisers[0].zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weight in self._weights().values():
                assert weight.grad is not None  # noqa: S101 - each has a part in the loss
                weight.grad += prior_gradient(self.decay, weight)
        self.optimisers[0].step()
        return losses.detach()

    @contextmanager
    def compiled_step(self, graphs: Graphs) -> Iterator[Step]:
        whole: WholeStep
        latent, weights = self.architecture.latent, self._weights().keys()
        if self.device.type == "cuda":
            whole = CapturedStep(self, latent, self.optimisers[0], weights)
        elif self.device.type == "cpu" and compilable(self.architecture) and has_compiler():
            whole = CompiledStep(self, latent, self.optimisers[0], weights, graphs)
        else:
            yield self.step
            return
        try:
            yield whole
        finally:
            whole.finish()

    def elbo(self, x: Tensor, draws: Draws) -> Tensor:
        """One-sample estimate of each point's ELBO in nats: (K, B, *shape) -> (K, B)."""
        return cast(Tensor, self(x, draws.normal(x.shape[1], self.architecture.latent)))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """The ELBO's estimate at the given noise of z, (K, B, latent)."""
        mean, log_var = self._encode(x)
        z = mean + noise * (0.5 * log_var).exp()
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
        log_likelihood = self._log_likelihood(x.flatten(2), self._decode(z))
        return log_likelihood - divergence

    @torch.no_grad()
    def log_density(self, x: Tensor) -> Tensor:
        """Importance-weighted bound (Burda et al., 2016) with 8 draws: (N, *shape) -> (N, K)."""
        draws = Draws(random_stream(self.device, "importance"), len(self))
        x = x.expand(len(self), *x.shape)
        mean, log_var = self._encode(x)
        bounds = []
        for _ in range(IMPORTANCE_SAMPLES):
            noise = draws.normal(1, mean.shape[-1])  # one for all: a point's value is its own
            z = mean + noise * (0.5 * log_var).exp()
            log_q = -0.5 * (noise.square() + log_var + LOG_2_PI).sum(-1)
            log_likelihood = self._log_likelihood(x.flatten(2), self._decode(z))
            bounds.append(log_likelihood + self.prior.log_density(z) - log_q)
        return (torch.stack(bounds).logsumexp(0) - log(IMPORTANCE_SAMPLES)).T

    @torch.no_grad()
    def sample(self, n: int, draws: Draws, noise: bool = True) -> Tensor:
        return self._render(self.prior.sample(n, draws), draws, noise)

    @torch.no_grad()
    def resample(self, batch: Tensor, draws: Draws, noise: bool = True) -> Tensor:
        """With a latent density to be fitted, z comes from its target: the encoded points."""
        if not self.architecture.latent_gaussians:
            return super().resample(batch, draws, noise)
        mean, log_var = self._encode(batch)
        z = mean + draws.normal(*mean.shape[1:]) * (0.5 * log_var).exp()
        made = self._render(z, draws, noise)
        if noise and self.architecture.likelihood == "bernoulli":
            # a coin flip a pixel is no image: noise as large as the decoder's error stands for it
            error = (batch - made).flatten(1).square().mean(1)[:, None, None].sqrt()
            made = made + (draws.normal(*made.flatten(2).shape[1:]) * error).view_as(made)
        return made

    @torch.no_grad()
    def fit_latent(self, x: ScaledPoints, partition: Tensor, seed: int) -> None:
        if not self.architecture.latent_gaussians:
            return
        at_most = LATENT_FIT_POINTS * self.architecture.latent_gaussians
        for j in range(len(self)):
            index = component_members(partition, j, at_most, seed)
            if len(index) == 0:
                continue
            draws = Draws(random_stream(self.device, seed, "codes", j), 1)
            mean, log_var = self.select([j])._encode(x[index][None])
            codes = mean + draws.normal(*mean.shape[1:]) * (0.5 * log_var).exp()
            self.prior.fit(j, codes[0].double().cpu().numpy(), seed)

    def codes(self, x: Tensor) -> Tensor:
        """Means of q(z | x): (K, B, *shape) -> (K, B, latent)."""
        return self._encode(x)[0]

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        relative = ((x.flatten(2) - self.centre) / self.spread).clamp(-FAR, FAR)
        encoded: Tensor = self.encoder(relative.view_as(x))
        mean, log_var = encoded.chunk(2, -1)
        return mean, log_var

    def _decode(self, z: Tensor) -> Tensor:
        decoded = cast(Tensor, self.decoder(z)).flatten(2)  # (K, B, D)
        if self.architecture.likelihood == "bernoulli":
            return decoded  # logits
        return self.centre + self.spread * decoded

    def _weights(self) -> dict[str, nn.Parameter]:
        """Those that have a prior, without biases and batch norms, by their names."""
        if not self.architecture.weight_decay:
            return {}
        named = self.named_parameters()
        return {name: w for name, w in named if name.endswith(".weight") and w.dim() > 2}

    def _render(self, z: Tensor, draws: Draws, noise: bool) -> Tensor:
        x = self._decode(z)
        if self.architecture.likelihood == "bernoulli":
            x = x.sigmoid()  # the mean: a coin flip a pixel is no image
        elif noise:
            x = x + draws.normal(*x.shape[1:]) * self._log_scale().exp()
        return x.view(*z.shape[:2], *self.architecture.shape)

    def _log_scale(self) -> Tensor:
        return self.log_scale.clamp(*LOG_SCALE_RANGE) + self.spread.log()

    def _log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        if self.architecture.likelihood == "bernoulli":
            x = x.clamp(0, 1)  # linear in x, it would make the brightest images the likeliest
            return -F.binary_cross_entropy_with_logits(decoded, x, reduction="none").sum(-1)
        log_scale = self._log_scale()
        error = (x - decoded).square() * (-2 * log_scale).exp()
        return -(0.5 * error + log_scale + 0.5 * LOG_2_PI).sum(-1)
