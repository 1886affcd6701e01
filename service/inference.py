"""Models held ready in the API process, and the few threads that compute with them."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from service import models
from service.database import Database
from service.tables import ModelRow
from trainer import Mixture

Result = TypeVar("Result")


class ModelCache:
    """The most recently used mixtures, up to a number of bytes; each is loaded once."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self.hits = self.misses = 0
        self._loaded: OrderedDict[str, tuple[Mixture, int]] = OrderedDict()

    def get(self, model: ModelRow) -> Mixture:
        """The mixture of a model, from memory or from the database."""
        with self._lock:
            if model.id in self._loaded:
                self.hits += 1
            else:
                self.misses += 1
                with self._database.read() as session:
                    mixture = Mixture.from_bytes(models.weights(session, model.id))
                self._loaded[model.id] = (mixture, model.weights_bytes)
                self._evict()
            self._loaded.move_to_end(model.id)
            return self._loaded[model.id][0]

    @property
    def bytes(self) -> int:
        """Weights of all models that are loaded."""
        with self._lock:
            return sum(size for _, size in self._loaded.values())

    def _evict(self) -> None:
        while len(self._loaded) > 1 and self.bytes > self._max_bytes:
            self._loaded.popitem(last=False)


class Inference:
    """Runs torch on a small pool of threads, so that requests don't fight for the cores."""

    def __init__(self, database: Database, cache_bytes: int, threads: int) -> None:
        self.cache = ModelCache(database, cache_bytes)
        self._pool = ThreadPoolExecutor(
            threads, "inference", initializer=torch.set_num_threads, initargs=(1,)
        )

    def run(self, compute: Callable[[], Result]) -> Result:
        """The result of ``compute``, once a thread of the pool has had time for it."""
        return self._pool.submit(compute).result()

    def close(self) -> None:
        self._pool.shutdown()
