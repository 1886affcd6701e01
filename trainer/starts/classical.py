"""Partitions of a sketch by methods that know nothing of generators."""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from trainer.starts.arrays import Features, Labels
from trainer.starts.graph import NeighbourGraph
from trainer.starts.sketch import Sketch

STARTS, MANY = 10, 50  # of k-means; one for more components than that
LEAST_CUT = 1.5e-3  # lower ones are no better
SMALL_SHARE = 5  # a cluster of the balanced cut has at least a fifth of N/K points


def kmeans(rows: Features, k: int, seed: int) -> Labels:
    """k-means++ with 10 starts: (n, D) -> (n,)."""
    # more threads add up in any order: other bits from run to run
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of points that are equal
        labels = KMeans(k, n_init=STARTS if k <= MANY else 1, random_state=seed).fit_predict(rows)
    return np.asarray(labels, np.int64)


def voronoi(rows: Features, k: int, seed: int) -> Labels:
    """Cells around k random points: (n, D) -> (n,)."""
    centres = np.random.default_rng(seed).choice(len(rows), k, replace=False)
    distances = np.stack([np.square(rows - rows[c]).sum(1) for c in centres], 1)
    return np.asarray(distances.argmin(1), np.int64)


def graph(sketch: Sketch, k: int, seed: int) -> Labels:
    """The better cut of the neighbour graph's linkage; k-means where it has no k clusters."""
    return best(sketch, k, graph_cuts(sketch.graph, k) or [kmeans(sketch.rows, k, seed)])


def graph_cuts(graph: NeighbourGraph, k: int) -> list[Labels]:
    """The cut with k clusters however small, and the one with k of a fair size."""
    if graph.n < 2:
        return []
    cuts = [graph.linkage.cut(k, size) for size in (1, max(2, graph.n // (SMALL_SHARE * k)))]
    return [cut for cut in cuts if cut is not None]


def lowest_cut(graph: NeighbourGraph, k: int) -> float | None:
    """The normalised cut of the better of `graph_cuts`; None where there is none."""
    return min((graph.normalised_cut(cut, k) for cut in graph_cuts(graph, k)), default=None)


def best(sketch: Sketch, k: int, candidates: list[Labels]) -> Labels:
    """The candidate of lowest normalised cut; of equals, and of those that cut next to nothing, the
    first. Categories part the points so that many partitions do."""
    if len(candidates) == 1:
        return candidates[0]
    cut = sketch.graph.normalised_cut
    return min(candidates, key=lambda labels: max(LEAST_CUT, cut(labels, k)))
