"""How many training steps a run takes, and how many of them are done."""

from collections.abc import Callable
from math import ceil

from api_schemas.training import TrainingConfig
from trainer.stopping import Begun

PRETRAINING_STEPS, STEPS, ESTIMATOR_STEPS = 2000, 300, 400  # where no epochs are asked for
MIN_ESTIMATOR_BATCH = 16
START_STEPS = 2000  # of an initial partition that is learned

OnStep = Callable[[float], None]


class Steps:
    """The steps of a run on ``n`` points; ``on_step`` gets the share that is done."""

    def __init__(
        self,
        config: TrainingConfig,
        n: int,
        iterations_done: int,
        on_step: OnStep,
        begun: Begun | None = None,
    ) -> None:
        self._on_step = on_step
        self._config = config
        batch = config.batch_size
        uniform = config.initial_partition == "uniform"
        first_epoch = n / batch if uniform else n / (config.k * batch)
        self._pretraining = _steps(config.pretraining_epochs, first_epoch, PRETRAINING_STEPS)
        self._later = _steps(config.epochs, n / (config.k * batch), STEPS)
        if config.generator == "centroid":  # in closed form
            self._pretraining = self._later = 1
        epoch = n / _points_a_network(config)
        trains = config.estimator != "generators"
        self.of_estimator = trains * _steps(config.estimator_epochs, epoch, ESTIMATOR_STEPS)
        learned_start = config.initial_partition in ("merge", "embedding")
        self.of_start = START_STEPS if learned_start else 0
        self.of_polish = self._pretraining // 2 if config.polish else 0
        self._total = self._until(config.all_iterations) + self.of_polish
        self._done = self._until(iterations_done)
        if begun:
            if begun.phase == "estimator":
                self._done += self.of_generators(iterations_done)
            if begun.phase != "polish" and iterations_done % config.iterations == 0:
                self._done += self.of_start
            self._done += begun.place.steps

    def of_generators(self, iteration: int) -> int:
        """Steps of all generators in an iteration, 0-based; the first is the pretraining."""
        return self._later if iteration % self._config.iterations else self._pretraining

    def of_all_generators(self) -> int:
        """Steps of all generators in a whole run, its restarts and the polish."""
        later = (self._config.iterations - 1) * self._later
        return self._config.restarts * (self._pretraining + later) + self.of_polish

    def advance(self) -> None:
        """Count one step."""
        self._done += 1
        self._on_step(min(1.0, self._done / self._total))

    def skip_to(self, iteration: int) -> None:
        """Count the steps of iterations that are left out as done."""
        self._done = self._until(iteration)

    def _until(self, iteration: int) -> int:
        runs, rest = divmod(iteration, self._config.iterations)
        started = runs + (rest > 0)
        first = started * (self.of_start + self._pretraining)
        return first + (iteration - started) * self._later + iteration * self.of_estimator


def estimator_batch(config: TrainingConfig) -> int:
    """Generated points a component and step; a K-way classifier sees all K at once."""
    if config.estimator == "discriminators":
        return config.batch_size
    return max(MIN_ESTIMATOR_BATCH, 4 * config.batch_size // config.k)


def _points_a_network(config: TrainingConfig) -> int:
    """Points that a network of the estimator sees in a step: real ones, or all K generators'."""
    if config.estimator == "discriminators":
        return config.batch_size
    return config.k * estimator_batch(config)


def _steps(epochs: float | None, steps_an_epoch: float, default: int) -> int:
    return default if epochs is None else max(1, ceil(epochs * steps_an_epoch))
