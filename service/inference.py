"""Computing with models in the API process, on few threads at a time."""

import sys
import threading
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from service import models
from service.batches import Batch, PointSpec
from service.batching import Batcher
from service.database import Database
from service.model_cache import Loaded, ModelCache
from trainer.points import check_finite

SWITCH_SECONDS = 0.0005  # that a computing thread waits for the event loop's; Python's are 5 ms

Result = TypeVar("Result")
Open: TypeAlias = Callable[[PointSpec], Batch]  # some points, of the kind that a model takes


class Found(NamedTuple):
    """The components of some points, (N,), by this model; columns that it had no use for."""

    model_id: str
    components: NDArray[np.int64]
    ignored: list[str]


class Lookup(NamedTuple):
    """What calls that are looked up and computed together have in common."""

    database: Database
    ref: str


class Inference:
    """Runs torch in a few threads at a time, so that requests don't fight for the cores."""

    def __init__(self, database: Database, cache_bytes: int, threads: int) -> None:
        torch.set_num_threads(1)  # of each operation
        sys.setswitchinterval(SWITCH_SECONDS)
        self.cache = ModelCache(database, cache_bytes)
        self._turns = threading.BoundedSemaphore(threads)
        self._batches = Batcher(self._assign_together)

    def run(self, compute: Callable[[], Result]) -> Result:
        """The result of ``compute``, once it is this thread's turn."""
        with self._turns:
            return compute()

    async def assign(self, database: Database, ref: str, open_points: Open) -> Found:
        """The components of few points by the model that ``database`` has now under a ref.

        Calls that come at the same time are looked up and computed together. Raises NotFound,
        InvalidPoints and what opening the points raises.
        """
        return await self._batches.call(Lookup(database, ref), open_points)

    def close(self) -> None:
        self._batches.close()

    def _assign_together(self, key: Lookup, calls: list[Open]) -> list[Found | Exception]:
        with key.database.read() as session:
            model_id = models.current_id(session, key.ref)
        model = self.cache.get(model_id)
        return self.run(lambda: _answers(model_id, model, calls))


def _answers(model_id: str, model: Loaded, calls: list[Open]) -> list[Found | Exception]:
    """What is found for each call, or what is wrong with its points."""
    try:
        return [*_assign(model_id, model, calls)]
    except Exception as error:
        if len(calls) == 1:
            return [error]
    return [answer for call in calls for answer in _answers(model_id, model, [call])]


def _assign(model_id: str, model: Loaded, calls: list[Open]) -> list[Found]:
    """Raises for points of any call that are wrong, or that don't go together."""
    batches = [open_points(model.spec) for open_points in calls]
    points = [next(batch.pieces) for batch in batches]
    components = model.mixture.assign(np.concatenate(points))
    ends = accumulate(map(len, points))
    parts = [components[end - len(few) : end] for few, end in zip(points, ends, strict=True)]
    return [
        Found(model_id, np.concatenate([part, *_rest(model, batch, len(part))]), batch.ignored)
        for part, batch in zip(parts, batches, strict=True)
    ]


def _rest(model: Loaded, batch: Batch, first_row: int) -> Iterator[NDArray[np.int64]]:
    """What comes behind a batch's first piece: a small body can say little of many wide points."""
    for piece in batch.pieces:
        check_finite(piece, first_row)
        yield model.mixture.assign(piece)
        first_row += len(piece)
