"""How many clusters there are, where nobody says: as many as fall apart more easily than a ball."""

import numpy as np

from trainer.points import thinned
from trainer.random import derived_seed
from trainer.starts.arrays import Features
from trainer.starts.classical import lowest_cut
from trainer.starts.graph import NeighbourGraph
from trainer.starts.judge import Judge
from trainer.starts.sketch import Sketch

MAX_CLUSTERS = 25
NOISE = 2e-3  # a cut that is as good as none
SLACK = 0.75  # a cloud's cut counts for less, as clusters seldom are round and of one density
CLEAR = 0.085  # of a cloud's cut: where gaps part clusters, further ones are to be as clear
MEASURED = 2_000  # points from which the dimension is measured


def count_clusters(sketch: Sketch, seed: int) -> int:
    """K of 1 to 25, by the gap statistic (Tibshirani et al., 2001) of the normalised cut.

    From K 2 on, or from as many clusters as gaps part, K rises as long as the cut falls farther and
    farther behind that of a cloud without clusters, of as many points and the same dimension. It is
    1 where a single Gaussian explains the points, or the cut never falls behind.
    """
    cuts = _lowest_cuts(sketch.graph)
    if not cuts:
        return 1
    of_ball = _lowest_cuts(NeighbourGraph(_ball_like(sketch.smooth, seed)))
    cloud = {k: of_ball.get(k, 1.0) for k in cuts}
    gaps = {k: SLACK * cloud[k] - cuts[k] for k in cuts}
    is_clear = {k: cuts[k] < CLEAR * cloud[k] for k in cuts}
    parted = [k for k in cuts if cuts[k] < NOISE and is_clear[k]]
    if not parted and Judge(sketch, 1, seed).trusted is not None:
        return 1
    k = max(parted, default=2)
    while gaps.get(k + 1, -1) > gaps[k] and (not parted or is_clear[k + 1]):
        k += 1
    return k if gaps[k] > 0 else 1


def dimension(rows: Features) -> float:
    """The dimension that rows (n, D) fill around each of them (Levina & Bickel, 2004; the mean of
    inverses, MacKay & Ghahramani, 2005), at most D."""
    most: int = rows.shape[1]
    distances = NeighbourGraph(rows).distances
    tiny = np.finfo(np.float32).tiny
    ratios = np.maximum(distances[:, -1:], tiny) / np.maximum(distances[:, :-1], tiny)
    inverse = float(np.log(ratios).mean()) if ratios.size else 0.0
    return 1 / max(inverse, 1 / most)


def _lowest_cuts(graph: NeighbourGraph) -> dict[int, float]:
    """By the number of clusters, as far as the graph falls into so many."""
    cuts = {}
    for k in range(2, min(MAX_CLUSTERS, graph.n // 2) + 1):
        cut = lowest_cut(graph, k)
        if cut is None:
            break
        cuts[k] = cut
    return cuts


def _ball_like(rows: Features, seed: int) -> Features:
    """As many points, evenly in a ball that seems to have the dimension of the rows, measured the
    same way: the rim makes it seem less than it is."""
    rng = np.random.default_rng(derived_seed(seed, "ball"))
    some = thinned(rows, MEASURED)
    wanted = dimension(some)
    nearest, least = 1, np.inf
    for d in range(max(1, int(wanted)), rows.shape[1] + 1):
        found = dimension(_ball(rng, len(some), d))
        if abs(found - wanted) < least:
            nearest, least = d, abs(found - wanted)
        if found > wanted:
            break
    return _ball(rng, len(rows), nearest)


def _ball(rng: np.random.Generator, n: int, d: int) -> Features:
    directions = rng.normal(size=(n, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (directions * rng.random((n, 1)) ** (1 / d)).astype(np.float32)
