"""Algorithm 1 of Locatello et al. (2018): K generative models compete for the training points."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.beginning import initial_state
from trainer.compiled import Graphs, pays
from trainer.devices import choose_device, cpu_threads, sound_threads
from trainer.errors import Diverged
from trainer.estimators import new_estimator
from trainer.generators import Schedule
from trainer.mixture import Mixture
from trainer.partition import Members, mixture_weights
from trainer.phases import reassign, rescue, step_size, train_estimator, train_generators
from trainer.points import Points
from trainer.random import random_stream
from trainer.ranks import Ranks
from trainer.scaling import ScaledPoints
from trainer.starts.choose import initial_partition
from trainer.starts.judge import Judge
from trainer.starts.sketch import Sketch
from trainer.state import TrainingState, fresh_generators
from trainer.steps import OnStep, Steps
from trainer.stopping import Begun, Phase, Place, StopTraining

POLISH_FROM = 3  # the step size falls from a quarter: from all of it components collapse
QUIET_ITERATIONS = 2  # under the tolerance, in a row, end a run
LIKELIHOOD_POINTS = 200  # that an iteration's log likelihood is the mean of


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
    score: float | None  # of the partition, lower is better (`trainer.starts.judge`)
    losses: list[float]  # negative ELBO a component, mean over the iteration, nats a point
    estimator_loss: float
    log_likelihood: float | None  # mean of `Mixture.log_likelihood` over some training points
    seconds: float
    phase_seconds: dict[str, float]  # what they went to


class Laps:
    """How long each phase of an iteration takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = perf_counter()

    def end(self, phase: str) -> None:
        """The phase ends here, and the next one begins."""
        now = perf_counter()
        self.seconds[phase] = now - self._began
        self._began = now


OnIteration = Callable[[TrainingState, Report], None]


def train(
    points: Points,
    config: TrainingConfig,
    *,
    device: torch.device | None = None,
    threads: int | None = None,
    ranks: Ranks | None = None,
    compiled: bool | None = None,
    resume: TrainingState | None = None,
    on_step: OnStep = lambda fraction: None,
    on_iteration: OnIteration = lambda state, report: None,
) -> Fit:
    """Train K generators on points (N, D), (N, H, W) or (N, C, H, W) and return their mixture.

    ``on_step`` gets the share of the whole run that is done, ``on_iteration`` the state to
    checkpoint; what either raises stops the run and passes through, StopTraining of one process
    with the state between two steps to go on from. Threads default to a number
    that suits the size of a step, ``compiled`` to whether a compiled or captured step pays
    (`trainer.compiled`). With several ``ranks`` all of them call this alike. A run that is to
    ``resume`` keeps the state's configuration and device, and needs the same points. Raises
    InvalidPoints, InvalidConfig or Diverged.
    """
    if resume is None:
        state = initial_state(points, config, device or choose_device())
    else:
        state = resume
        state.check_shape(points.shape)
    config = state.config
    work = config.batch_size * config.k * state.architecture.flops_a_point()
    ranks = ranks or Ranks()
    with cpu_threads(threads or sound_threads(work, ranks.count)):
        x = ScaledPoints(points, state.scaling, state.generators.device)
        steps = Steps(config, len(x), state.iteration, on_step, state.begun)
        run = Run(state, points, x, steps, ranks, compiled)
        run.skip_if_settled()
        try:
            while state.iteration < config.all_iterations:
                report = run.iterate()
                on_iteration(state, report)
                run.skip_if_settled()
            run.polish()
        except StopTraining as stop:
            if state.begun is not None and ranks.count == 1:
                stop.state = state
            raise
        return _finished(state, points)


class Run:
    """What the iterations of a run share: its state, the points and a sketch of them."""

    def __init__(
        self,
        state: TrainingState,
        points: Points,
        x: ScaledPoints,
        steps: Steps,
        ranks: Ranks,
        compiled: bool | None = None,
    ) -> None:
        self.state, self.x, self.steps, self.ranks = state, x, steps, ranks
        if compiled is None:
            total, device = steps.of_all_generators(), state.generators.device
            compiled = pays(state.architecture, total, device, ranks.count)
        self.graphs: Graphs | None = {} if compiled else None
        config = state.config
        sketch = Sketch(x, config.seed)
        self.judge = Judge(sketch, config.k, config.seed)
        some = sketch.index[:: -(-len(sketch) // LIKELIHOOD_POINTS)]
        self.sample = np.array(points[some.cpu().numpy()])

    def iterate(self) -> Report:
        """One turn of the outer loop; advances the state. Raises Diverged."""
        state, x, config = self.state, self.x, self.state.config
        laps = Laps()
        begun = state.begun
        if state.iteration % config.iterations == 0 and begun is None:
            self._begin()
        laps.end("start")
        if begun and begun.phase == "estimator":
            losses = begun.losses
        else:
            with self._phase("generators") as place:
                losses = train_generators(state, x, self._schedule(place), self.ranks)
        laps.end("generators")
        advance = self.steps.advance
        with self._phase("estimator", losses) as place:
            estimator_loss = train_estimator(state, x, self.steps.of_estimator, advance, place)
        laps.end("estimator")
        _check_finite([*losses, estimator_loss], f"iteration {state.iteration + 1}")
        changed = reassign(state, x, self.ranks)
        laps.end("assignment")
        state.iteration += 1
        state.quiet = state.quiet + 1 if changed <= (config.tolerance or 0) else 0
        score = self._judge()
        alpha = mixture_weights(state.partition, config.k)
        log_likelihood = self._log_likelihood(alpha)
        if state.iteration % config.iterations:
            rescue(state, x)
        laps.end("scores")
        return Report(
            iteration=state.iteration,
            of=config.all_iterations,
            alpha=alpha.tolist(),
            changed=changed,
            score=score,
            losses=losses,
            estimator_loss=estimator_loss,
            log_likelihood=log_likelihood,
            seconds=sum(laps.seconds.values()),
            phase_seconds=laps.seconds,
        )

    def skip_if_settled(self) -> None:
        """With a tolerance, leave out the rest of a run in which hardly a point moves."""
        state, config = self.state, self.state.config
        if config.tolerance is not None and state.quiet >= QUIET_ITERATIONS:
            state.iteration = -(-state.iteration // config.iterations) * config.iterations
            state.quiet = 0
            self.steps.skip_to(state.iteration)

    def polish(self) -> None:
        """Go back to the best iteration, and let its generators fit its partition fully.

        Raises Diverged.
        """
        state, config = self.state, self.state.config
        if state.best is not None:
            best, state.best = state.best, None
            state.generators, state.estimator = best.generators, best.estimator
            state.partition, state.shares = best.partition, best.shares
        n = self.steps.of_polish
        if n:
            with self._phase("polish") as place:
                schedule = self._falling(n, POLISH_FROM, POLISH_FROM + 1, place)
                losses = train_generators(state, self.x, schedule, self.ranks)
            _check_finite(losses, "the polish")
        state.generators.fit_latent(self.x, state.partition, config.seed)
        if not state.estimator.trainable:  # it holds the generators as they were
            rng = random_stream(state.generators.device, config.seed, "final estimator")
            state.estimator = new_estimator(state.generators, rng)

    def _begin(self) -> None:
        """Line 1: a partition, and generators that know nothing yet."""
        state, config = self.state, self.state.config
        run = state.iteration // config.iterations
        advance = self.steps.advance
        state.partition = initial_partition(self.x, self.judge, config, run, advance)
        state.shares, state.quiet = None, 0
        if run:
            device = state.generators.device
            state.generators = fresh_generators(config, state.architecture, run, device)
            rng = random_stream(device, config.seed, run, "initial estimator")
            state.estimator = new_estimator(state.generators, rng)
        state.generators.adapt(self.x, Members(state.partition, config.k, config.batch_size))

    @contextmanager
    def _phase(self, phase: Phase, losses: Sequence[float] = ()) -> Iterator[Place | None]:
        """Where to go on with a phase that was stopped; should it be stopped now, that is noted."""
        begun, self.state.begun = self.state.begun, None
        try:
            yield begun.place if begun else None
        except StopTraining as stop:
            if stop.place:
                self.state.begun = Begun(phase, stop.place, list(losses))
            raise

    def _schedule(self, place: Place | None) -> Schedule:
        state, config = self.state, self.state.config
        done = state.iteration % config.iterations
        n = self.steps.of_generators(state.iteration)
        return self._falling(n, done, config.iterations, place)

    def _falling(self, n: int, done: int, of: int, place: Place | None) -> Schedule:
        """``n`` steps, of phase ``done`` of as many as the step size falls over."""
        config = self.state.config
        return Schedule(
            n,
            lambda i: step_size(config, (done + i / n) / of),
            self.steps.advance,
            self.graphs,
            place,
        )

    def _judge(self) -> float | None:
        state = self.state
        if not state.config.keep_best:
            return None
        score = self.judge.score(state.partition)
        state.keep_if_best(score)
        return score

    def _log_likelihood(self, alpha: Tensor) -> float | None:
        """Of the mixture as it is, of VAEs only: z ~ N(0, I) until all is trained."""
        if self.state.architecture.generator != "vae":
            return None
        mixture = Mixture.of(self.state, alpha.cpu().numpy())
        mean = float(mixture.log_likelihood(self.sample).mean())
        return mean if isfinite(mean) else None


def _check_finite(losses: list[float], phase: str) -> None:
    if not all(map(isfinite, losses)):
        raise Diverged(f"a loss is no longer finite in {phase}; a smaller learning_rate may help")


def _finished(state: TrainingState, points: Points) -> Fit:
    """The last act is an assignment by the finished model; alpha counts it."""
    k = state.config.k
    counted = mixture_weights(state.partition, k).cpu().numpy()
    partition = Mixture.of(state, counted).assign(points)
    sizes = np.bincount(partition, minlength=k)
    mixture = Mixture.of(state, sizes / len(partition))
    return Fit(mixture.with_reference(points, state.config.seed), partition)
