"""The partition that a run begins with, by its name."""

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.partition import EVERYWHERE
from trainer.random import derived_seed
from trainer.scaling import ScaledPoints
from trainer.starts import classical, gaussians, learned
from trainer.starts.arrays import Features, Labels
from trainer.starts.judge import Judge


def initial_partition(
    x: ScaledPoints, judge: Judge, config: TrainingConfig, run: int, advance: learned.Advance
) -> Tensor:
    """(N,) of 0..K-1, or all EVERYWHERE; each run of several has its own random numbers."""
    k, name, sketch = config.k, config.initial_partition, judge.sketch
    seed = derived_seed(config.seed, run, "start", bits=31)
    if run and name in ("auto", "graph"):  # theirs would be the same again
        name = "voronoi"
    if name == "uniform":
        return torch.full((len(x),), EVERYWHERE, device=x.device)
    if name == "merge":
        return learned.merge(x, sketch, config, seed, advance)
    if name == "embedding":
        return learned.embedding(x, sketch, config, seed, advance)
    if name == "auto":
        return sketch.spread(best_of_all(judge, k, seed))
    if name == "graph":
        return sketch.spread(classical.graph(sketch, k, seed))
    method = {"kmeans": classical.kmeans, "gaussian": gaussian, "voronoi": classical.voronoi}[name]
    return sketch.spread(method(sketch.rows, k, seed))


def best_of_all(judge: Judge, k: int, seed: int) -> Labels:
    """The Gaussians' partition where the clusters are such, else the one of lowest cut, and of
    equals the simplest; of points of few values, where gaps tell categories apart, k-means'."""
    sketch = judge.sketch
    if sketch.is_coarse:
        return classical.kmeans(sketch.rows, k, seed)
    if judge.trusted is not None:
        return gaussians.partition(judge.trusted, sketch.rows)
    candidates = [classical.kmeans(sketch.rows, k, seed)]
    if judge.mixture is not None:
        candidates.append(gaussians.partition(judge.mixture, sketch.rows))
    return classical.best(sketch, k, [*candidates, *classical.graph_cuts(sketch.graph, k)])


def gaussian(rows: Features, k: int, seed: int) -> Labels:
    """A mixture of Gaussians, or k-means where there are too few points for one."""
    mixture = gaussians.fit(rows, k, seed)
    if mixture is None:
        return classical.kmeans(rows, k, seed)
    return gaussians.partition(mixture, rows)
