"""Deletes what is stored and needed by nobody: what killed processes left, and old checkpoints."""

import logging
import threading
from datetime import timedelta

from service import blobs, checkpoints, duties
from service.database import Database
from service.settings import Settings
from service.storage import Storage

EVERY = timedelta(hours=1)
LOOK_SECONDS = 60.0

log = logging.getLogger(__name__)


def collect(database: Database, storage: Storage, checkpoint_days: float) -> None:
    """One pass over all blobs; safe to run anywhere at any time, also twice at once."""
    with database.write() as session:
        checkpoints.release_old(session, timedelta(days=checkpoint_days))
        blobs.forget_stale_intents(session)
    for names in storage.pages():
        blobs.remove(database, storage, names)


def collect_until(
    stop: threading.Event, settings: Settings, database: Database, storage: Storage
) -> None:
    """Collect every hour, one process of all; a failure is logged, and the next hour's try."""
    while True:
        try:
            with database.write() as session:
                is_due = duties.take(session, duties.COLLECT, EVERY)
            if is_due:
                collect(database, storage, settings.checkpoint_days)
        except Exception as error:  # it must outlive whatever goes wrong
            log.warning("collecting failed, will try again: %r", error)
        if stop.wait(LOOK_SECONDS):
            return
