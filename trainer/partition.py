"""Partitions: which component each training point belongs to, (N,) of 0..K-1."""

from collections.abc import Callable, Iterator
from math import prod

import torch
from torch import Generator, Tensor

from trainer.random import Draws
from trainer.scaling import ScaledPoints
from trainer.stopping import Place

EVERYWHERE = -1  # of a point that all components train on: the paper's uniform pretraining
STEPS_AHEAD, VALUES_AHEAD = 32, 1 << 20  # that are drawn at once, and the points' values


def component_sizes(partition: Tensor, k: int) -> Tensor:
    """Points a component, (K,)."""
    return torch.bincount(partition.clamp(min=0), minlength=k)


def is_everywhere(partition: Tensor) -> bool:
    """Whether all components train on all points."""
    return bool((partition == EVERYWHERE).all())


def mixture_weights(partition: Tensor, k: int) -> Tensor:
    """alpha_j, the share of the points assigned to component j, (K,) of float64."""
    return component_sizes(partition, k).double() / len(partition)


def component_members(partition: Tensor, component: int, at_most: int, seed: int) -> Tensor:
    """Indices of a component's points, of too many a random choice; of EVERYWHERE all are."""
    index = ((partition == component) | (partition == EVERYWHERE)).nonzero()[:, 0]
    if len(index) <= at_most:
        return index
    chosen = torch.randperm(len(index), generator=Generator().manual_seed(seed))[:at_most]
    return index[chosen.to(index.device)]


def _running_sums(shares: Tensor) -> Tensor:
    """Of each component's shares over the points, all alike where it has none: (N, K) -> (K, N)."""
    shares = shares.T.double()
    return torch.where(shares.sum(1, keepdim=True) > 0, shares, 1.0).cumsum(1)


class Members:
    """Draws batches of every component's own points, uniformly and with replacement.

    With ``shares`` (N, K), the soft assignment, a point is drawn by its share. A component without
    points draws from all.
    """

    def __init__(
        self, partition: Tensor, k: int, batch_size: int, shares: Tensor | None = None
    ) -> None:
        self._partition, self._k = partition, k
        self._batch_size = batch_size
        self._shares = None if shares is None else _running_sums(shares)
        if is_everywhere(partition):
            self._order = None
            self._sizes = torch.full((k, 1), len(partition), device=partition.device)
            self._starts = torch.zeros_like(self._sizes)
        else:
            self._order = partition.argsort(stable=True)
            self._sizes = component_sizes(partition, k)[:, None]
            self._starts = self._sizes.cumsum(0) - self._sizes
        empty = self._sizes == 0
        self._drawn_from = torch.where(empty, len(partition), self._sizes)
        self._starts = torch.where(empty, 0, self._starts)

    def mass(self, draws: Draws) -> Tensor:
        """How many points each component of the draws learns from, of shares their sum: (K,)."""
        if self._shares is not None:
            return self._shares[draws.own, -1].clamp(min=1)
        return self._drawn_from[draws.own, 0]

    def batch(self, draws: Draws) -> Tensor:
        """Indices of points, (K, batch_size), of the components that the draws are for."""
        return self.batches(draws, 1)[0]

    def batches(self, draws: Draws, steps: int) -> Tensor:
        """Batches of several steps, drawn at once: (steps, K, batch_size)."""
        index = self._index(draws, draws.uniform(steps * self._batch_size))
        return index.view(len(index), steps, self._batch_size).transpose(0, 1).contiguous()

    def batches_ahead(
        self, x: ScaledPoints, draws: Draws, steps: int, place: Place | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The points of each step's batch, (K, batch_size, *shape), read many at once, and the
        random stream's state before they were drawn: of ``steps``, or those after a place."""
        values = draws.components * self._batch_size * prod(x.shape)
        ahead = max(1, min(STEPS_AHEAD, VALUES_AHEAD // values))
        at = 0
        if place:  # the batches that were drawn with its own, once more
            at = (place.steps - 1) // ahead * ahead
            draws.rng.set_state(place.drawn)
            batches = x[self.batches(draws, min(ahead, steps - at))]
            draws.rng.set_state(place.now)
            yield from ((batch, place.drawn) for batch in batches[place.steps - at :])
            at += len(batches)
        for start in range(at, steps, ahead):
            drawn = draws.rng.get_state()
            for batch in x[self.batches(draws, min(ahead, steps - start))]:
                yield batch, drawn

    def _index(self, draws: Draws, u: Tensor) -> Tensor:
        """The points at uniform numbers (K, n) of each component's own: (K, n)."""
        if self._shares is not None:
            shares = self._shares[draws.own]
            index = torch.searchsorted(shares, u * shares[:, -1:])
            return index.clamp(max=len(self._partition) - 1)
        sizes, starts = self._drawn_from[draws.own], self._starts[draws.own]
        index = starts + (u * sizes).long().minimum(sizes - 1)
        return index if self._order is None else self._order[index]

    def sums(
        self, x: ScaledPoints, of: Callable[[Tensor], Tensor] = lambda points: points
    ) -> tuple[Tensor, Tensor]:
        """Sum of each component's points and their number, in float64: (K, *shape) and (K,).

        ``of`` maps points to what is summed, whose shape is theirs.
        """
        total: Tensor | None = None
        for part, points in x.parts():
            if total is None:
                total = points.new_zeros(self._k, *points.shape[1:], dtype=torch.float64)
            labels = self._partition[part]
            if self._order is None:
                total += of(points.double()).sum(0)
            else:
                total.index_add_(0, labels, of(points.double()))
        assert total is not None  # noqa: S101 - there are points
        return total, self._sizes[:, 0]

    def mean_log_density(self, x: ScaledPoints, of: Callable[[Tensor], Tensor]) -> Tensor:
        """Mean over each component's points of its own log density, (K,)."""
        total = torch.zeros(self._k, dtype=torch.float64, device=x.device)
        for part, points in x.parts():
            density = of(points).double()
            if self._order is None:
                total += density.sum(0)
            else:
                labels = self._partition[part]
                total.index_add_(0, labels, density.gather(1, labels[:, None])[:, 0])
        return (total / self._sizes[:, 0].clamp(min=1)).float()
