"""Algorithm 1 of Locatello et al. (2018): K generative models compete for the training points."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.devices import choose_device, cpu_threads, sound_threads
from trainer.errors import Diverged
from trainer.estimators import DensityEstimator, new_estimator
from trainer.mixture import Mixture
from trainer.partition import Members, mixture_weights, rescue_empty
from trainer.points import Points
from trainer.random import derived_seed, random_stream
from trainer.state import TrainingState, initial_state
from trainer.steps import OnStep, Steps, estimator_batch

LAST_STEP_SIZE = 0.02  # of the first, when it is annealed


class Fit(NamedTuple):
    """A finished run: the model, and the component of every training point, (N,)."""

    mixture: Mixture
    partition: NDArray[np.int64]


@dataclass(frozen=True)
class Report:
    """What one iteration did. ``iteration`` counts from 1."""

    iteration: int
    of: int
    alpha: list[float]
    changed: float  # share of the points that moved to another component
    losses: list[float]  # negative ELBO a component, mean over the iteration, nats a point
    estimator_loss: float
    seconds: float


OnIteration = Callable[[TrainingState, Report], None]


def train(
    points: Points,
    config: TrainingConfig,
    *,
    device: torch.device | None = None,
    threads: int | None = None,
    resume: TrainingState | None = None,
    on_step: OnStep = lambda fraction: None,
    on_iteration: OnIteration = lambda state, report: None,
) -> Fit:
    """Train K generators on points (N, D), (N, H, W) or (N, C, H, W) and return their mixture.

    ``on_step`` gets the share of the whole run that is done, ``on_iteration`` the state to
    checkpoint; what either raises stops the run and passes through. Threads default to a number
    that suits the size of a step.
    """
    device = device or choose_device()
    state = resume or initial_state(points, config, device)
    work = config.batch_size * config.components * state.architecture.flops_a_point()
    with cpu_threads(threads or sound_threads(work)):
        x = state.scaling.apply(points, device)
        steps = Steps(config, len(x), state.iteration, on_step)
        while state.iteration < config.iterations:
            report = iterate(state, x, steps)
            on_iteration(state, report)
        return finish(state, points)


def finish(state: TrainingState, points: Points) -> Fit:
    """The last act is an assignment by the finished model; alpha counts it."""
    k = state.config.components
    counted = mixture_weights(state.partition, k).cpu().numpy()
    partition = Mixture.of(state, counted).assign(points)
    sizes = np.bincount(partition, minlength=k)
    return Fit(Mixture.of(state, sizes / len(partition)), partition)


def iterate(state: TrainingState, x: Tensor, steps: Steps) -> Report:
    """One turn of the outer loop on the networks' points x, (N, *shape); advances the state.

    Raises Diverged.
    """
    started = perf_counter()
    losses = train_generators(state, x, steps)
    state.estimator, estimator_loss = train_estimator(state, x, steps)
    if not all(map(isfinite, [*losses, estimator_loss])):
        raise Diverged(
            f"a loss is no longer finite in iteration {state.iteration + 1}; "
            "a smaller learning_rate may help"
        )
    changed = reassign(state, x)
    state.iteration += 1
    return Report(
        iteration=state.iteration,
        of=state.config.iterations,
        alpha=mixture_weights(state.partition, state.config.components).tolist(),
        changed=changed,
        losses=losses,
        estimator_loss=estimator_loss,
        seconds=perf_counter() - started,
    )


def train_generators(state: TrainingState, x: Tensor, steps: Steps) -> list[float]:
    """Line 3: every generator fits its own points; returns the mean losses, (K,)."""
    rng = random_stream(x.device, state.config.seed, state.iteration, "generators")
    members = Members(state.partition, state.config.components)
    n = steps.of_generators(state.iteration)
    total = torch.zeros(len(state.generators), device=x.device)
    state.generators.train()
    for i in range(n):
        _set_step_size(state.optimiser, state.config, state.iteration + i / n)
        batch = x[members.batch(state.config.batch_size, rng)]  # (K, B, *shape)
        loss = -state.generators.elbo(batch, rng).mean(1)
        _step(state.optimiser, loss.sum())
        total += loss.detach()
        steps.advance()
    state.generators.eval()
    return (total / n).tolist()


def train_estimator(
    state: TrainingState, x: Tensor, steps: Steps
) -> tuple[DensityEstimator, float]:
    """A fresh density estimator, trained on samples of the generators; returns its mean loss."""
    config = state.config
    rng = random_stream(x.device, config.seed, state.iteration, "estimator")
    estimator = new_estimator(config.components, state.architecture, rng)
    optimiser = torch.optim.Adam(
        estimator.parameters(), lr=config.learning_rate, betas=(0.5, 0.999), fused=True
    )
    batch = estimator_batch(config)
    total = torch.zeros((), device=x.device)
    for i in range(steps.of_estimator):
        if config.anneal:
            _set_lr(optimiser, config.learning_rate * (1 - i / steps.of_estimator))
        fake = state.generators.sample(batch, rng)
        real = x[torch.randint(len(x), (batch,), generator=rng, device=x.device)]
        loss = estimator.loss(fake, real)
        _step(optimiser, loss)
        total += loss.detach()
        steps.advance()
    return estimator.eval(), float(total / steps.of_estimator)


def reassign(state: TrainingState, x: Tensor) -> float:
    """Line 4: each point goes to the component of highest log density; returns the share moved.

    A component left empty starts again from half of the largest, but after the last iteration.
    """
    config = state.config
    before = state.partition
    state.partition = state.estimator.fit_offset(x).argmax(1)
    if state.iteration + 1 < config.iterations:
        seed = derived_seed(config.seed, state.iteration, "rescue")
        state.partition, cut_from = rescue_empty(x, state.partition, config.components, seed)
        state.restart_components(cut_from)
    return float((state.partition != before).double().mean())


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _set_step_size(optimiser: torch.optim.Optimizer, config: TrainingConfig, at: float) -> None:
    if config.anneal:
        _set_lr(optimiser, config.learning_rate * max(LAST_STEP_SIZE, 1 - at / config.iterations))


def _set_lr(optimiser: torch.optim.Optimizer, lr: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr
