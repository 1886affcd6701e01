"""The partition that a run begins with, by its name."""

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.partition import EVERYWHERE
from trainer.points import Points, ScaledPoints, Scaling, check_points
from trainer.random import derived_seed
from trainer.starts import classical, learned
from trainer.starts.sketch import Sketch


def settle_components(points: Points, config: TrainingConfig) -> TrainingConfig:
    """The configuration with K chosen from the points where it is to be. Raises InvalidPoints."""
    if config.components != "auto":
        return config
    check_points(points)
    x = ScaledPoints(points, Scaling.fit(points), torch.device("cpu"))
    k = classical.count_clusters(Sketch(x, config.seed))
    return config.model_copy(update={"components": k})


def initial_partition(
    x: ScaledPoints, sketch: Sketch, config: TrainingConfig, run: int, advance: learned.Advance
) -> Tensor:
    """(N,) of 0..K-1, or all EVERYWHERE; each run of several has its own random numbers."""
    k, name = config.k, config.initial_partition
    seed = derived_seed(config.seed, run, "start", bits=31)
    if name == "uniform":
        return torch.full((len(x),), EVERYWHERE, device=x.device)
    if name == "merge":
        return learned.merge(x, sketch, config, seed, advance)
    if name == "embedding":
        return learned.embedding(x, sketch, config, seed, advance)
    if name == "auto":
        return sketch.spread(classical.best_of_all(sketch, k, seed))
    if name == "graph":
        return sketch.spread(classical.graph(sketch, k, seed))
    method = {
        "kmeans": classical.kmeans,
        "gaussian": classical.gaussian,
        "voronoi": classical.voronoi,
    }[name]
    return sketch.spread(method(sketch.rows, k, seed))
