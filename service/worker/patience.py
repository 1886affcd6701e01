"""Waiting for a storage that is away."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from service.errors import StorageDamaged, StorageUnavailable
from service.worker.heartbeat import Watch

PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0)  # seconds

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def patiently(watch: Watch, action: Callable[[], Result]) -> Result:
    """The result of ``action``, tried again while the storage is away, for some minutes at most.

    Raises StorageUnavailable, StorageDamaged at once, or what the watch says to stop with.
    """
    for pause in PAUSES:
        try:
            return action()
        except StorageDamaged:
            raise
        except StorageUnavailable as error:
            log.warning("the storage is away, next try in %.0f s: %s", pause, error)
        waited_until = time.monotonic() + pause
        while time.monotonic() < waited_until:
            watch.check()
            time.sleep(min(pause, 0.5))
    return action()
