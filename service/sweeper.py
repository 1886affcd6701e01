"""Finds jobs whose worker fell silent or whose message was lost, and sends them again."""

import logging
import threading

from service import idempotency, jobs
from service.database import Database
from service.queue import JobQueue
from service.settings import Settings

UNSENT_SECONDS = 5.0

log = logging.getLogger(__name__)


def sweep(database: Database, queue: JobQueue, max_losses: int) -> None:
    """One look at the jobs; safe to run anywhere at any time, also twice at once."""
    with database.write() as session:
        again = jobs.give_up_expired(session, max_losses)
        idempotency.forget_expired(session)
    if queue.is_empty():
        with database.write() as session:
            again += jobs.unsent(session, UNSENT_SECONDS)
    for job_id in again:
        queue.send(job_id)


def sweep_until(
    stop: threading.Event, settings: Settings, database: Database, queue: JobQueue
) -> None:
    """Sweep every ``sweep_seconds``; a failure is logged and tried again."""
    while not stop.wait(settings.sweep_seconds):
        try:
            sweep(database, queue, settings.max_losses)
        except Exception as error:  # it must outlive whatever goes wrong
            log.warning("sweep failed, will try again: %r", error)
