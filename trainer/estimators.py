"""Density estimators: what tells, for each point, under which component it is most likely.

All give scores (N, K) that are log dP_gj / dP_d up to terms that the rule of Algorithm 1 (argmax
over j) does not see.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import log

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from trainer.adam import Adam
from trainer.architecture import ESTIMATOR_LAYERS, Architecture
from trainer.generators import Generators
from trainer.networks import StackedConvEncoder, StackedMLP
from trainer.ranks import Ranks
from trainer.scaling import ScaledPoints

CHUNK_VALUES = 1 << 22  # values scored at once: bounds memory, keeps matrices large


class DensityEstimator(nn.Module, ABC):
    """Gives single points a score a component; ``optimiser`` is there while it trains."""

    trainable = True

    def __init__(self, components: int, a: Architecture, networks: int) -> None:
        super().__init__()
        self.components = components
        width = max(a.hidden, a.estimator_width)
        widest = width * a.dimensions // 4 if a.network == "conv" else max(width, a.dimensions)
        self._values = max(components, networks * widest)  # of a layer, for a point
        self.optimiser: Adam | None = None

    @abstractmethod
    def loss(self, made: Tensor, real: Tensor) -> Tensor:
        """Training loss on generated points (K, B, *shape) and data points (B, *shape)."""

    @abstractmethod
    def raw_scores(self, x: Tensor) -> Tensor:
        """Scores before normalisation: (N, *shape) -> (N, K)."""

    def start_training(self) -> None:
        """Make a fresh optimiser."""
        self.optimiser = Adam(self.parameters())

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Scores of some points, computed in chunks: (N, *shape) -> (N, K)."""
        rows = max(1, CHUNK_VALUES // self._values)
        return torch.cat([self.raw_scores(part) for part in torch.split(x, rows)])

    def fit_scores(self, x: ScaledPoints, ranks: Ranks) -> Iterator[tuple[slice, Tensor]]:
        """Scores of the training points, a slice of N at a time, this process's share of them.

        An estimator that is normalised over the training points is so from here on.
        """
        for i, part in enumerate(x.slices()):
            if ranks.has(i):
                yield part, self.scores(x.part(part))


class Classifier(DensityEstimator):
    """One K-way network that tells which generator made a point; it sees no real data.

    At its optimum softmax_j = P_gj / sum_l P_gl, so its argmax is the paper's rule at one network
    pass a point, and no normalisation is needed.
    """

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, architecture, 1)
        self.network = _network(1, k, architecture, rng)

    def loss(self, made: Tensor, real: Tensor) -> Tensor:
        k, batch = made.shape[:2]
        made_by = torch.arange(k, device=made.device).repeat_interleave(batch)
        return F.cross_entropy(self.network(made.flatten(0, 1)[None])[0], made_by)

    def raw_scores(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.network(x[None])[0], 1)


class Discriminators(DensityEstimator):
    """The paper's K binary networks, D_j(x) = P(x is data, not made by generator j).

    dP_gj(x_i) = dP_d(x_i) (1 - D_j(x_i)) / D_j(x_i), normalised over the training points
    (Locatello et al., 2018, section 2).
    """

    offset: Tensor

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__(k, architecture, k)
        self.network = _network(k, 1, architecture, rng)
        self.register_buffer("offset", torch.zeros(k, device=rng.device))

    def loss(self, made: Tensor, real: Tensor) -> Tensor:
        logits: Tensor = self.network(torch.cat([made, real.expand_as(made)], 1))
        is_real = torch.zeros_like(logits)
        is_real[:, made.shape[1] :] = 1
        # a sum over components: each keeps the gradient it would have alone
        loss = F.binary_cross_entropy_with_logits(logits, is_real, reduction="none")
        return loss.mean((1, 2)).sum()

    def raw_scores(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(
            x.expand(self.components, *x.shape)
        )  # (K, N, 1): log D / (1 - D)
        return -logits[..., 0].T - self.offset

    @torch.no_grad()
    def fit_scores(self, x: ScaledPoints, ranks: Ranks) -> Iterator[tuple[slice, Tensor]]:
        self.offset.zero_()
        own = list(super().fit_scores(x, ranks))  # kept, as they cost more than their memory
        slices = x.slices()
        totals = torch.zeros(len(slices), self.components, device=x.device)
        for part, scores in own:
            totals[slices.index(part)] = scores.logsumexp(0)
        self.offset.copy_(ranks.add(totals).logsumexp(0) - log(len(x)))
        return ((part, scores.sub_(self.offset)) for part, scores in own)


class GeneratorDensities(DensityEstimator):
    """What the generators say of themselves: a copy of them, as they are now."""

    trainable = False

    def __init__(self, k: int, generators: Generators) -> None:
        super().__init__(k, generators.architecture, k)
        self.generators = generators.select(list(range(k))).eval()

    def loss(self, made: Tensor, real: Tensor) -> Tensor:
        raise NotImplementedError("there is nothing to train")

    def raw_scores(self, x: Tensor) -> Tensor:
        return self.generators.log_density(x)


def new_estimator(generators: Generators, rng: Generator) -> DensityEstimator:
    """The density estimator that the architecture names, freshly initialised."""
    k, a = len(generators), generators.architecture
    if a.estimator == "generators":
        return GeneratorDensities(k, generators)
    return (Classifier if a.estimator == "classifier" else Discriminators)(k, a, rng)


def _network(networks: int, outputs: int, a: Architecture, rng: Generator) -> nn.Module:
    width = a.estimator_width
    if a.network == "conv":
        filters = [width << layer for layer in range(ESTIMATOR_LAYERS)]
        return StackedConvEncoder(networks, a.shape, filters, outputs, rng)
    return StackedMLP(networks, [a.dimensions, width, width, outputs], rng)
