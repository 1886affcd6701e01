"""What the paper's Table 1 compares kVAEs with: generators that do not compete."""

from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.beginning import initial_state
from trainer.compiled import Graphs, pays
from trainer.devices import choose_device
from trainer.estimators import new_estimator
from trainer.generators import Schedule
from trainer.mixture import Mixture
from trainer.partition import EVERYWHERE, Members
from trainer.phases import step_size
from trainer.points import Points
from trainer.random import Draws, derived_seed, random_stream
from trainer.scaling import ScaledPoints
from trainer.state import fresh_generators


def init(points: Points, config: TrainingConfig, epochs: float, **sizes: Any) -> Mixture:
    """K generators after uniform pretraining only, of equal weight.

    Each trains for ``epochs`` passes over all points (N, *shape). Of the configuration the
    networks, batch, step size, latent density and seed count; ``sizes`` are fields of the
    Architecture to change. In the mixture the generators' own densities are the estimator.
    Raises InvalidPoints or InvalidConfig.
    """
    partition = torch.full((len(points),), EVERYWHERE)
    return _trained(points, config, partition, epochs * len(points), sizes)


def single(points: Points, config: TrainingConfig, epochs: float, **sizes: Any) -> Mixture:
    """One generator on all points, whatever the configuration's K; otherwise as `init`."""
    return init(points, config.model_copy(update={"components": 1}), epochs, **sizes)


def bag(points: Points, config: TrainingConfig, epochs: float, **sizes: Any) -> Mixture:
    """K generators, each on N/K random points of its own, drawn with replacement.

    An epoch is one pass of each over its own points; otherwise as `init`.
    """
    n, k = len(points), config.k
    drawn = np.random.default_rng(derived_seed(config.seed, "bag")).integers(0, n, n)
    return _trained(points[drawn], config, torch.arange(n) % k, epochs * n / k, sizes)


def _trained(
    points: Points,
    config: TrainingConfig,
    partition: Tensor,
    points_a_component: float,
    sizes: dict[str, Any],
) -> Mixture:
    """The mixture of generators trained on a partition that stays as it is."""
    k, device = config.k, choose_device()
    config = config.model_copy(update={"estimator": "generators"})
    state = initial_state(points, config, device)
    if sizes:
        state.architecture = replace(state.architecture, **sizes)
        state.generators = fresh_generators(config, state.architecture, 0, device)
    x = ScaledPoints(points, state.scaling, device)
    partition = partition.to(device)
    steps = max(1, ceil(points_a_component / config.batch_size))
    graphs: Graphs | None = {} if pays(state.architecture, steps, device, processes=1) else None
    schedule = Schedule(steps, lambda i: step_size(config, i / steps), graphs=graphs)
    draws = Draws(random_stream(device, config.seed, "baseline"), k)
    members = Members(partition, k, config.batch_size)
    state.generators.adapt(x, members)
    state.generators.fit(x, members, schedule, draws)
    state.generators.fit_latent(x, partition, config.seed)
    state.estimator = new_estimator(state.generators, draws.rng)
    return Mixture.of(state, np.full(k, 1 / k))
