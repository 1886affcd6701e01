"""Computing with models in the API process, on few threads at a time."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from service import models
from service.batching import Batcher
from service.database import Database
from service.model_cache import ModelCache
from trainer import InvalidPoints, Mixture
from trainer.points import Points

Result = TypeVar("Result")


class Assigned(NamedTuple):
    """The components of some points, (N,), by this model."""

    model_id: str
    components: NDArray[np.int64]


class Inference:
    """Runs torch in a few threads at a time, so that requests don't fight for the cores."""

    def __init__(self, database: Database, cache_bytes: int, threads: int) -> None:
        torch.set_num_threads(1)  # of each operation
        self.cache = ModelCache(database, cache_bytes)
        self._turns = threading.BoundedSemaphore(threads)
        self._batches = Batcher(self._assign_together)

    def run(self, compute: Callable[[], Result]) -> Result:
        """The result of ``compute``, once it is this thread's turn."""
        with self._turns:
            return compute()

    async def assign(self, database: Database, ref: str, points: Points) -> Assigned:
        """The components of few points by the model that ``database`` has now under a ref.

        Calls that come at the same time are looked up and computed together. Raises NotFound or
        InvalidPoints.
        """
        return await self._batches.call((database, ref), points)

    def close(self) -> None:
        self._batches.close()

    def _assign_together(
        self, key: tuple[Database, str], calls: list[Points]
    ) -> list[Assigned | Exception]:
        database, ref = key
        with database.read() as session:
            model_id = models.current_id(session, ref)
        mixture = self.cache.get(model_id)
        found = self.run(lambda: _components(mixture, calls))
        return [one if isinstance(one, Exception) else Assigned(model_id, one) for one in found]


def _components(
    mixture: Mixture, calls: list[Points]
) -> Sequence[NDArray[np.int64] | InvalidPoints]:
    """The components of each call's points, or what is wrong with them."""
    if len(calls) == 1:
        return [_assign(mixture, calls[0])]
    try:
        together = mixture.assign(np.concatenate(calls))
    except ValueError:  # points of some call are wrong, or their shapes differ
        return [_assign(mixture, points) for points in calls]
    return np.split(together, np.cumsum([len(points) for points in calls[:-1]]))


def _assign(mixture: Mixture, points: Points) -> NDArray[np.int64] | InvalidPoints:
    try:
        return mixture.assign(points)
    except InvalidPoints as error:
        return error
