"""Finds jobs, and parts of them, whose worker fell silent or whose message was lost, and sends them
again.

It also sends the test messages by which /readyz knows that a worker consumes.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from service import assign_jobs, duties, idempotency, leases, pulse
from service.database import Database
from service.queue import JobQueue
from service.settings import Settings

log = logging.getLogger(__name__)


def sweep(database: Database, queue: JobQueue, settings: Settings) -> None:
    """One look at the jobs; safe to run anywhere at any time, also twice at once."""
    with database.write() as session:
        again = leases.give_up_expired(session, settings.max_losses)
        shared = assign_jobs.give_up_expired(session, settings.max_losses)
        idempotency.forget_expired(session)
    waiting = queue.waiting()  # before the jobs: a message may be taken in between
    with database.write() as session:
        again += leases.unsent(session, waiting)
        shared += assign_jobs.unsent(session, waiting)
        pulse_is_due = not waiting and pulse.is_due(session, settings.pulse_seconds)
    if pulse_is_due:
        queue.send_pulse()
    for job_id in again:
        queue.send("train", job_id)
    for job_id in shared:
        queue.send("assign", job_id)


def sweep_until(
    stop: threading.Event,
    settings: Settings,
    database: Database,
    queue: JobQueue,
    on_sweep: Callable[[], None],
) -> None:
    """Sweep every ``sweep_seconds``, one process of all; a failure is logged and tried again."""
    every = timedelta(seconds=settings.sweep_seconds)
    while True:
        try:
            with database.write() as session:
                is_due = duties.take(session, duties.SWEEP, every)
            if is_due:
                sweep(database, queue, settings)
                on_sweep()
        except Exception as error:  # it must outlive whatever goes wrong
            log.warning("sweep failed, will try again: %r", error)
        if stop.wait(settings.sweep_seconds):
            return
