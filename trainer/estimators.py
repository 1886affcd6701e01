"""Density estimators: what tells, for each point, under which component it is most likely.

Both give scores (N, K) that are log dP_gj / dP_d up to terms that the rule of Algorithm 1 (argmax
over j) does not see, once ``offset`` (K,) is subtracted.
"""

from abc import ABC, abstractmethod
from math import log

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from trainer.architecture import ESTIMATOR_FILTERS, Architecture
from trainer.networks import StackedConvEncoder, StackedMLP

CHUNK_VALUES = 1 << 22  # values scored at once: bounds memory, keeps matrices large


class DensityEstimator(nn.Module, ABC):
    """A network over single points, and a constant a component that normalises its scores."""

    offset: Tensor

    def __init__(
        self, components: int, networks: int, outputs: int, a: Architecture, rng: Generator
    ) -> None:
        super().__init__()
        self.components = components
        self.network: nn.Module
        if a.generator == "conv":
            filters = list(ESTIMATOR_FILTERS)
            self.network = StackedConvEncoder(networks, a.shape, filters, outputs, rng)
        else:
            width = max(64, a.hidden)
            self.network = StackedMLP(networks, [a.dimensions, width, width, outputs], rng)
        self.register_buffer("offset", torch.zeros(components, device=rng.device))

    @abstractmethod
    def loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """Training loss on generated points (K, B, *shape) and data points (B, *shape)."""

    @abstractmethod
    def raw_scores(self, x: Tensor) -> Tensor:
        """Scores before normalisation: (N, *shape) -> (N, K)."""

    @abstractmethod
    def normaliser(self, raw: Tensor) -> Tensor:
        """What to subtract, (K,), given the raw scores of all training points, (N, K)."""

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Normalised scores, in chunks: (N, *shape) -> (N, K)."""
        return self._raw_in_chunks(x) - self.offset

    @torch.no_grad()
    def fit_offset(self, x: Tensor) -> Tensor:
        """Normalise over the training points x and return their scores (N, K)."""
        raw = self._raw_in_chunks(x)
        self.offset.copy_(self.normaliser(raw))
        return raw - self.offset

    def _raw_in_chunks(self, x: Tensor) -> Tensor:
        rows = max(1, CHUNK_VALUES // max(1, x[:1].numel() * self.components))
        return torch.cat([self.raw_scores(part) for part in torch.split(x, rows)])


class Classifier(DensityEstimator):
    """One K-way network that tells which generator made a point; it sees no real data.

    At its optimum softmax_j = P_gj / sum_l P_gl, so its argmax is the paper's rule at one network
    pass a point, and no normalisation is needed.
    """

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, 1, k, architecture, rng)

    def loss(self, fake: Tensor, real: Tensor) -> Tensor:
        k, batch = fake.shape[:2]
        made_by = torch.arange(k, device=fake.device).repeat_interleave(batch)
        return F.cross_entropy(self.network(fake.flatten(0, 1)[None])[0], made_by)

    def raw_scores(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.network(x[None])[0], 1)

    def normaliser(self, raw: Tensor) -> Tensor:
        return torch.zeros_like(self.offset)


class Discriminators(DensityEstimator):
    """The paper's K binary networks, D_j(x) = P(x is data, not made by generator j).

    dP_gj(x_i) = dP_d(x_i) (1 - D_j(x_i)) / D_j(x_i), normalised over the training points
    (Locatello et al., 2018, section 2).
    """

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, k, 1, architecture, rng)

    def loss(self, fake: Tensor, real: Tensor) -> Tensor:
        logits: Tensor = self.network(torch.cat([fake, real.expand_as(fake)], 1))
        is_real = torch.zeros_like(logits)
        is_real[:, fake.shape[1] :] = 1
        # a sum over components: each keeps the gradient it would have alone
        loss = F.binary_cross_entropy_with_logits(logits, is_real, reduction="none")
        return loss.mean((1, 2)).sum()

    def raw_scores(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(
            x.expand(self.components, *x.shape)
        )  # (K, N, 1): log D / (1 - D)
        return -logits[..., 0].T

    def normaliser(self, raw: Tensor) -> Tensor:
        return raw.logsumexp(0) - log(len(raw))


def new_estimator(k: int, architecture: Architecture, rng: Generator) -> DensityEstimator:
    """The density estimator that the architecture names, freshly initialised."""
    kind = Classifier if architecture.estimator == "classifier" else Discriminators
    return kind(k, architecture, rng)
