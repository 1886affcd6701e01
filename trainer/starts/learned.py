"""Partitions of a sketch by generators and estimators trained on it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.architecture import choose_architecture
from trainer.estimators import new_estimator
from trainer.generators import Schedule
from trainer.partition import Members
from trainer.phases import step_size, train_estimator
from trainer.random import Draws, random_stream
from trainer.scaling import ScaledPoints
from trainer.starts.arrays import Labels
from trainer.starts.classical import kmeans
from trainer.starts.sketch import Sketch
from trainer.state import TrainingState, fresh_generators
from trainer.steps import START_STEPS

CELLS_A_COMPONENT, MIN_CELLS, POINTS_A_CELL = 4, 16, 15
CELL_UNITS, CELL_SAMPLES = 32, 400
MIN_CELL_SAMPLES, POSTERIORS = 16, 1 << 24
GENERATOR_STEPS = START_STEPS * 7 // 10

Advance = Callable[[], None]


def merge(
    x: ScaledPoints, sketch: Sketch, config: TrainingConfig, seed: int, advance: Advance
) -> Tensor:
    """Over-segment, then merge by confusion: (N,).

    Many small VAEs train on a k-means partition, a classifier on their samples; then the two
    groups whose samples it confuses most are merged until K are left.
    """
    k = config.k
    cells = max(k, min(max(CELLS_A_COMPONENT * k, MIN_CELLS), len(sketch) // POINTS_A_CELL))
    state = _trained_cells(x, sketch, config, cells, seed, advance)
    labels, alpha = _cell_labels(state, x, cells)
    joint = alpha[:, None] * _confusion(state, cells, seed)
    groups = merge_confused((joint + joint.T) / 2, alpha, k)
    return torch.from_numpy(groups).to(x.device)[labels]


def merge_confused(
    joint: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    alpha: np.ndarray[tuple[int], np.dtype[np.float64]],
    k: int,
) -> Labels:
    """The group 0..k-1 of each cell, (M,), given how much cells are taken for each other, (M, M).

    Two groups are as close as their confusion over the smaller one's weight.
    """
    joint, weight = joint.copy(), alpha.copy()
    groups = np.arange(len(alpha))
    alive = list(range(len(alpha)))
    while len(alive) > k:
        close = joint[np.ix_(alive, alive)]
        smaller = np.minimum.outer(weight[alive], weight[alive])
        close = close / np.maximum(smaller, np.finfo(float).tiny)
        np.fill_diagonal(close, -1)
        kept, gone = sorted(alive[i] for i in np.unravel_index(close.argmax(), close.shape))
        joint[kept] += joint[gone]
        joint[:, kept] += joint[:, gone]
        weight[kept] += weight[gone]
        groups[groups == gone] = kept
        alive.remove(gone)
    return np.searchsorted(alive, groups)


def embedding(
    x: ScaledPoints, sketch: Sketch, config: TrainingConfig, seed: int, advance: Advance
) -> Tensor:
    """k-means on the codes of one VAE trained on all points: (N,)."""
    options = {"components": 1, "generator": "vae", "seed": seed}
    alone = TrainingConfig(**(config.model_dump() | options))
    state = _state(x, alone, torch.zeros(len(x), dtype=torch.int64, device=x.device))
    members = Members(state.partition, 1, alone.batch_size)
    state.generators.adapt(x, members)
    rng = random_stream(x.device, seed, "embedding")
    schedule = Schedule(START_STEPS, lambda i: step_size(alone, i / START_STEPS), advance)
    state.generators.fit(x, members, schedule, Draws(rng, 1))
    with torch.no_grad():
        codes = state.generators.codes(x[sketch.index][None])[0]  # type: ignore[operator]
    return sketch.spread(kmeans(codes.cpu().numpy(), config.k, seed % 2**31))


def _trained_cells(
    x: ScaledPoints, sketch: Sketch, config: TrainingConfig, cells: int, seed: int, advance: Advance
) -> TrainingState:
    options = {
        "components": cells,
        "generator": "vae",
        "network": "mlp",
        "hidden": CELL_UNITS,
        "latent_gaussians": 0,
        "estimator": "classifier",
        "estimator_reset": True,
        "seed": seed,
    }
    small = TrainingConfig(**(config.model_dump() | options))
    start = sketch.spread(kmeans(sketch.rows, cells, seed % 2**31))
    state = _state(x, small, start)
    members = Members(start, cells, small.batch_size)
    state.generators.adapt(x, members)
    rng = random_stream(x.device, seed, "cells")
    schedule = Schedule(GENERATOR_STEPS, lambda i: step_size(small, i / GENERATOR_STEPS), advance)
    state.generators.fit(x, members, schedule, Draws(rng, cells))
    train_estimator(state, x, START_STEPS - GENERATOR_STEPS, advance)
    return state


def _state(x: ScaledPoints, config: TrainingConfig, partition: Tensor) -> TrainingState:
    architecture = choose_architecture(x.shape, config)
    generators = fresh_generators(config, architecture, 0, x.device)
    return TrainingState(
        config=config,
        architecture=architecture,
        point_shape=x.shape,
        scaling=x.scaling,
        generators=generators,
        estimator=new_estimator(generators, random_stream(x.device, config.seed)),
        partition=partition,
    )


@torch.no_grad()
def _cell_labels(
    state: TrainingState, x: ScaledPoints, cells: int
) -> tuple[Tensor, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    labels = torch.cat([state.estimator.scores(part).argmax(1) for _, part in x.parts()])
    alpha = torch.bincount(labels, minlength=cells).double() / len(x)
    return labels, alpha.cpu().numpy()


@torch.no_grad()
def _confusion(
    state: TrainingState, cells: int, seed: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Row j: the mean posterior of samples of cell j."""
    draws = Draws(random_stream(state.partition.device, seed, "confusion"), cells)
    n = max(MIN_CELL_SAMPLES, min(CELL_SAMPLES, POSTERIORS // cells**2))
    made = state.generators.sample(n, draws).flatten(0, 1)
    posterior = state.estimator.scores(made).softmax(1).view(cells, n, cells)
    return posterior.mean(1).double().cpu().numpy()
