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
        self._points_a_step = config.components * config.batch_size
        self._n = n
        self._on_step = on_step
        self._pretraining = self._steps(config.pretraining_epochs, PRETRAINING_STEPS)
        self._later = self._steps(config.epochs, STEPS)
        self.of_estimator = self._steps(config.estimator_epochs, ESTIMATOR_STEPS)
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

    def _steps(self, epochs: float | None, default: int) -> int:
        return default if epochs is None else ceil(epochs * self._n / self._points_a_step)


def estimator_batch(config: TrainingConfig) -> int:
    """Generated points a component and step; a K-way classifier sees all K at once."""
    if config.estimator == "discriminators":
        return config.batch_size
    return max(MIN_ESTIMATOR_BATCH, 4 * config.batch_size // config.components)
