"""What the tasks of a worker have in common."""

import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from service.database import Database
from service.errors import DatabaseUnavailable, StorageUnavailable
from service.queue import JobQueue
from service.settings import Settings
from service.storage import open_storage
from service.worker.heartbeat import Heartbeat, LetGo, Renew, Watch
from service.worker.patience import patiently
from trainer import DamagedState, InvalidPoints, TrainerError
from trainer.points import Points

# what torch tells by a plain RuntimeError
NO_MEMORY = re.compile(r"can't allocate memory|_STATUS_ALLOC_FAILED")
OF_DEVICE = re.compile(r"CUDA|CUDNN|cuDNN|CUBLAS|NCCL")

log = logging.getLogger(__name__)


class Runner:
    """Does what a message names, with everything that it needs at hand."""

    def __init__(
        self, settings: Settings, queue: JobQueue, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.settings = settings
        self.queue = queue
        self.is_stopping = is_stopping
        self.database = Database(settings.database_url)
        self.storage = open_storage(settings)
        self.storage.prepare()

    def heartbeat(self, renew: Renew, let_go: LetGo) -> Heartbeat:
        """What keeps a claim, for the time of its work."""
        lease_seconds = self.settings.lease_seconds
        return Heartbeat(self.database, renew, let_go, lease_seconds, self.is_stopping)

    def points(self, sha256: str, watch: Watch) -> Points:
        """A data set's points, mapped. Raises StorageUnavailable, or what the watch says."""

        def open_points() -> Points:
            points: Points = np.load(self.storage.path(sha256), mmap_mode="r")
            return points

        return patiently(watch, open_points)


def error_of(failure: Exception) -> dict[str, Any]:
    """What a job that failed says of it. Its process ends with it, which frees the device."""
    match failure:
        case InvalidPoints():
            code, message = "invalid_points", str(failure)
        case DamagedState():
            code, message = "model_damaged", str(failure)
        case TrainerError():
            code, message = "training_failed", str(failure)
        case StorageUnavailable() | DatabaseUnavailable():
            code, message = failure.code, failure.detail
        case _ if _is_of_memory(failure):
            code, message = (
                "out_of_memory",
                f"the memory did not suffice: {_line(failure)}",
            )
        case _ if _is_of_device(failure):
            code, message = "device_failed", f"the device failed: {_line(failure)}"
        case _:
            log.error("job failed: %s", "".join(traceback.format_exception(failure)))
            code = "internal_error"
            message = f"{type(failure).__name__} in the worker; its log has the details"
    return {"code": code, "message": message, "param": None}


def _is_of_memory(failure: Exception) -> bool:
    """Whether memory ran out, the device's or the CPU's, for all of which torch has no
    class."""
    if isinstance(failure, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(failure, RuntimeError) and bool(NO_MEMORY.search(str(failure)))


def _is_of_device(failure: Exception) -> bool:
    if isinstance(failure, torch.AcceleratorError):
        return True
    return isinstance(failure, RuntimeError) and bool(OF_DEVICE.search(str(failure)))


def _line(failure: Exception) -> str:
    return (str(failure) or type(failure).__name__).splitlines()[0]
