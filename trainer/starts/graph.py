"""The graph of nearest neighbours: what it joins, and how well a partition cuts it."""

from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors

from trainer.points import Floats
from trainer.starts.arrays import Features, Labels
from trainer.starts.linkage import Linkage

NEIGHBOURS = 20
LOCAL_SCALE = 7  # the neighbour whose distance is a point's own scale


class NeighbourGraph:
    """Each of n points and its 20 nearest, by Euclidean distance between rows (n, D).

    ``distances`` are those of the nearest, in order: (n, 20), fewer columns for fewer points.
    """

    def __init__(self, rows: Features) -> None:
        self.n = len(rows)
        k = min(NEIGHBOURS, self.n - 1)
        if k == 0:
            self.distances, self._indices = np.zeros((1, 0)), np.zeros((1, 0), np.int64)
        else:
            nearest = NearestNeighbors(n_neighbors=k).fit(rows)
            distances, self._indices = nearest.kneighbors()
            self.distances = distances.astype(np.float64)

    @cached_property
    def linkage(self) -> Linkage:
        """The tree of clusters, built from one length scale for all points."""
        squares = self.distances**2
        weights = np.exp(-squares / max(squares.mean(), np.finfo(float).tiny))
        return Linkage(self._sparse(weights), self._indices[:, 0])

    def normalised_cut(self, labels: Labels, k: int) -> float:
        """Mean over the clusters of the share of their edges' weight that leaves them (Shi &
        Malik, 2000), each edge relative to the scale around its ends (Zelnik-Manor & Perona, 2004).

        0 is best; an empty cluster, or one that holds no edge of its own, counts 1.
        """
        edges = self._local_edges
        inside = labels[edges.row] == labels[edges.col]
        total = np.bincount(labels[edges.row], edges.data, k)
        within = np.bincount(labels[edges.row[inside]], edges.data[inside], k)
        share = np.divide(within, total, out=np.zeros(k), where=total > 0)
        return float(np.mean(1 - share))

    @cached_property
    def _local_edges(self) -> csr_matrix:
        d = self.distances
        own = d[:, min(LOCAL_SCALE, d.shape[1]) - 1] if d.size else np.zeros(self.n)
        own = np.maximum(own, np.finfo(np.float32).tiny)
        weights = np.exp(-(d**2) / (own[:, None] * own[self._indices]))
        graph = self._sparse(weights)
        return (graph + graph.T).tocoo()

    def _sparse(self, weights: Floats) -> csr_matrix:
        starts = np.arange(self.n + 1) * weights.shape[1]
        return csr_matrix((weights.ravel(), self._indices.ravel(), starts), (self.n, self.n))
