"""What the tasks of a worker have in common."""

import logging
import traceback
from typing import Any

import numpy as np

from service.database import Database
from service.errors import StorageUnavailable
from service.settings import Settings
from service.storage import open_storage
from service.worker.heartbeat import Heartbeat
from service.worker.patience import patiently
from trainer import DamagedState, InvalidPoints, TrainerError
from trainer.points import Points

log = logging.getLogger(__name__)


class Runner:
    """Does what a message names, with everything that it needs at hand."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.storage = open_storage(settings)
        self.storage.prepare()

    def points(self, sha256: str, heartbeat: Heartbeat) -> Points:
        """A data set's points, mapped. Raises StorageUnavailable, or what the heartbeat says."""

        def open_points() -> Points:
            points: Points = np.load(self.storage.path(sha256), mmap_mode="r")
            return points

        return patiently(heartbeat, open_points)


def error_of(failure: Exception) -> dict[str, Any]:
    """What a job that failed says of it."""
    match failure:
        case InvalidPoints():
            code, message = "invalid_points", str(failure)
        case DamagedState():
            code, message = "model_damaged", str(failure)
        case TrainerError():
            code, message = "training_failed", str(failure)
        case StorageUnavailable():
            code, message = failure.code, failure.detail
        case _:
            log.error("job failed: %s", "".join(traceback.format_exception(failure)))
            code = "internal_error"
            message = f"{type(failure).__name__} in the worker; its log has the details"
    return {"code": code, "message": message, "param": None}
