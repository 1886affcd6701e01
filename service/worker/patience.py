"""Waiting for a storage or a database that is away."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from service.errors import DatabaseUnavailable, StorageDamaged, StorageUnavailable
from service.worker.heartbeat import Watch

PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0)  # seconds

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def patiently(watch: Watch, action: Callable[[], Result]) -> Result:
    """The result of ``action``, tried again while storage or database fail, for some minutes at
    most. It must be safe to repeat: a commit may come through though it seems to fail.

    Raises StorageUnavailable, StorageDamaged at once, DatabaseUnavailable, or what the watch
    says to stop with.
    """
    for pause in PAUSES:
        try:
            return action()
        except StorageDamaged:
            raise
        except (StorageUnavailable, OperationalError) as error:
            log.warning("next try in %.0f s: %s", pause, error)
        waited_until = time.monotonic() + pause
        while time.monotonic() < waited_until:
            watch.check()
            time.sleep(min(pause, 0.5))
    try:
        return action()
    except OperationalError as error:
        cause = str(error.orig).splitlines()[0]
        raise DatabaseUnavailable(f"the database failed: {cause}") from error
