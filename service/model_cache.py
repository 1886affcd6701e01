"""Models as they are loaded, and held ready in the API process."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import NamedTuple

import torch

from service import models
from service.batches import PointSpec
from service.database import Database
from service.errors import NotFound
from service.tables import ModelRow
from trainer import Mixture


class Loaded(NamedTuple):
    """A model that is ready to compute, and the points that it takes."""

    mixture: Mixture
    spec: PointSpec


class ModelCache:
    """The most recently used models, up to a number of bytes of memory.

    Each is loaded once, however many ask for it, and while it loads others can be had. The one
    used last stays even if it alone is larger.
    """

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loading: dict[str, Future[Loaded]] = {}
        self.hits = self.misses = 0

    def get(self, model_id: str) -> Loaded:
        """A model from memory or from the database. Raises NotFound or DamagedState."""
        with self._lock:
            if model_id in self._loaded:
                self.hits += 1
                self._loaded.move_to_end(model_id)
                return self._loaded[model_id]
            self.misses += 1
            loading = self._loading.get(model_id)
            if loading is None:
                mine = self._loading[model_id] = Future()
        if loading is None:
            self._load(model_id, mine)
            loading = mine
        return loading.result()

    @property
    def bytes(self) -> int:
        """Memory that the loaded models take."""
        with self._lock:
            return self._bytes()

    def _load(self, model_id: str, loading: "Future[Loaded]") -> None:
        try:
            loaded = load(self._database, model_id)
        except Exception as error:
            with self._lock:  # whoever asks next tries again
                del self._loading[model_id]
            loading.set_exception(error)
            return
        with self._lock:
            self._loaded[model_id] = loaded
            del self._loading[model_id]
            while len(self._loaded) > 1 and self._bytes() > self._max_bytes:
                self._loaded.popitem(last=False)
        loading.set_result(loaded)

    def _bytes(self) -> int:
        return sum(memory(model.mixture) for model in self._loaded.values())


def load(database: Database, model_id: str, device: torch.device | None = None) -> Loaded:
    """A model from the database, on a device or the CPU. Raises NotFound or DamagedState."""
    with database.read() as session:
        model = session.get(ModelRow, model_id)
        if model is None:  # deleted since it was looked up
            raise NotFound.of("model", model_id)
        spec, data = PointSpec.of(model), models.weights(session, model_id)
    return Loaded(Mixture.from_bytes(data, device), spec)


def memory(mixture: Mixture) -> int:
    """Bytes of a mixture's tensors as they are loaded."""
    networks = (mixture.generators, mixture.estimator)
    tensors = (tensor for network in networks for tensor in network.state_dict().values())
    arrays = [*mixture.scaling.state_dict().values(), mixture.alpha]
    if mixture.reference is not None:
        arrays.append(mixture.reference)
    return sum(item.nbytes for item in (*tensors, *arrays))
