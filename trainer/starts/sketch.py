"""A sample of the training points, few enough to compare all with all."""

from functools import cached_property

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor

from trainer.random import derived_seed
from trainer.scaling import ScaledPoints
from trainer.starts.arrays import Features, Labels
from trainer.starts.dequantise import dequantise
from trainer.starts.graph import NeighbourGraph

SKETCH_POINTS = 10_000
FEATURES, REDUCED_FROM = 50, 100  # principal components, for points of more values than that
EXACT_UP_TO = 4096  # values of a point, for the principal components
VOTES = 5
FEWEST_ASKED, COMPARISONS = 1_000, 1 << 32


class Sketch:
    """At most 10,000 points as rows of at most 100 features, and their neighbour graph.

    ``smooth`` are the rows without the steps of discrete values; rows of few values are coarse.
    """

    def __init__(self, x: ScaledPoints, seed: int) -> None:
        self._x = x
        rng = Generator().manual_seed(derived_seed(seed, "sketch"))
        order = torch.randperm(len(x), generator=rng)
        self.index = order[:SKETCH_POINTS].sort().values.to(x.device)
        rows = _rows(x[self.index])
        is_wide = rows.shape[1] > REDUCED_FROM and len(rows) > 1
        self._pca = _components(rows) if is_wide else None
        self.rows: Features = self.features(rows)
        self.smooth, self.is_coarse = self.rows, False
        if len(x.shape) == 1 and not self._pca:  # images and principal components have no steps
            self.smooth, self.is_coarse = dequantise(self.rows, derived_seed(seed, "smooth"))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def is_reduced(self) -> bool:
        """Whether the rows are principal components, the first of most variance."""
        return self._pca is not None

    @cached_property
    def graph(self) -> NeighbourGraph:
        """The neighbour graph of the sample."""
        return NeighbourGraph(self.smooth)

    def features(self, rows: Features) -> Features:
        """Any points' features: (n, D) -> (n, at most 100)."""
        if self._pca is None:
            return rows
        with threadpool_limits(1):
            return np.ascontiguousarray(self._pca.transform(rows), np.float32)

    def spread(self, labels: Labels) -> Tensor:
        """The partition (N,) in which all points follow their nearest of the sample."""
        if len(self) == len(self._x):
            return torch.from_numpy(labels).to(self._x.device)
        asked = self._asked()
        algorithm = "auto" if len(asked) == len(self) else "brute"
        vote = KNeighborsClassifier(VOTES, algorithm=algorithm)
        vote.fit(self.rows[asked], labels[asked])
        parts = []
        for _, points in self._x.parts():
            with threadpool_limits(1):
                parts.append(torch.from_numpy(vote.predict(self.features(_rows(points)))))
        partition = torch.cat(parts).to(self._x.device)
        partition[self.index] = torch.from_numpy(labels).to(self._x.device)
        return partition

    def _asked(self) -> Labels:
        """The sample's points that vote, fewer of them for millions of points: (n,)."""
        n = min(len(self), max(FEWEST_ASKED, COMPARISONS // len(self._x)))
        return np.random.default_rng(0).choice(len(self), n, replace=False)


def _components(rows: Features) -> PCA:
    """The principal ones of many columns."""
    solver = "covariance_eigh" if rows.shape[1] <= EXACT_UP_TO else "randomized"
    pca = PCA(min(FEATURES, len(rows)), svd_solver=solver, random_state=0)
    # more threads add up in any order: other bits from run to run
    with threadpool_limits(1), np.errstate(invalid="ignore"):  # equal points: 0 / 0
        return pca.fit(rows)


def _rows(points: Tensor) -> Features:
    return points.flatten(1).cpu().numpy()
