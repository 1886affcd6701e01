"""How many training steps a run takes, and how many of them are done."""

from collections.abc import Callable
from math import ceil

from api_schemas.training import TrainingConfig

PRETRAINING_STEPS, STEPS, ESTIMATOR_STEPS = 2000, 400, 500  # where no epochs are asked for
MIN_ESTIMATOR_BATCH = 16

OnStep = Callable[[float], None]


class Steps:
    """The steps of a run on ``n`` points; ``on_step`` gets the share that is done."""

    def __init__(
        self, config: TrainingConfig, n: int, iterations_done: int, on_step: OnStep
    ) -> None:
        drawn = config.components * config.batch_size
        self._on_step = on_step
        self._pretraining = _steps(config.pretraining_epochs, n / drawn, PRETRAINING_STEPS)
        self._later = _steps(config.epochs, n / drawn, STEPS)
        epoch = n / _points_a_network(config)
        self.of_estimator = _steps(config.estimator_epochs, epoch, ESTIMATOR_STEPS)
        self._total = self._until(config.iterations)
        self._done = self._until(iterations_done)

    def of_generators(self, iteration: int) -> int:
        """Steps of all generators in an iteration, 0-based; the first is the pretraining."""
        return self._later if iteration else self._pretraining

    def advance(self) -> None:
        """Count one step."""
        self._done += 1
        self._on_step(self._done / self._total)

    def _until(self, iteration: int) -> int:
        if iteration == 0:
            return 0
        return self._pretraining + (iteration - 1) * self._later + iteration * self.of_estimator


def estimator_batch(config: TrainingConfig) -> int:
    """Generated points a component and step; a K-way classifier sees all K at once."""
    if config.estimator == "discriminators":
        return config.batch_size
    return max(MIN_ESTIMATOR_BATCH, 4 * config.batch_size // config.components)


def _points_a_network(config: TrainingConfig) -> int:
    """Points that a network of the estimator sees in a step: real ones, or all K generators'."""
    if config.estimator == "discriminators":
        return config.batch_size
    return config.components * estimator_batch(config)


def _steps(epochs: float | None, steps_an_epoch: float, default: int) -> int:
    return default if epochs is None else ceil(epochs * steps_an_epoch)
