"""`python -m service.worker`: one Celery worker, one child at work at a time."""

import os
import socket
from collections.abc import Callable
from ctypes import c_bool
from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_shutting_down

from service import logs, pulse, tracing
from service.database import Database
from service.processes import die_with_parent
from service.queue import JOB_TASKS, PULSE_TASK, JobQueue, create_celery
from service.settings import Settings
from service.worker.assigning import AssignRunner
from service.worker.pool import QuickTaskPool
from service.worker.training import JobRunner


def create_worker(settings: Settings, is_stopping: Callable[[], bool]) -> Celery:
    """The Celery application with its tasks.

    Each job, or part of one, gets a fresh child process, forked before any torch operation: threads
    and CUDA contexts don't survive a fork.
    """
    celery = create_celery(settings)
    celery.conf.worker_pool = f"{QuickTaskPool.__module__}:{QuickTaskPool.__name__}"
    queue = JobQueue(celery)

    def train(job_id: str) -> None:
        JobRunner(settings, queue, is_stopping).run(job_id)

    def assign(job_id: str) -> None:
        AssignRunner(settings, queue, is_stopping).run(job_id)

    def note_pulse() -> None:
        with Database(settings.database_url).write() as session:
            pulse.note(session, socket.gethostname())

    celery.task(name=JOB_TASKS["train"])(train)
    celery.task(name=JOB_TASKS["assign"])(assign)
    celery.task(name=PULSE_TASK, acks_late=False)(note_pulse)
    return celery


def main() -> None:
    """Consume until SIGTERM, after which the child at work gives its job back and ends."""
    settings = Settings()
    logs.configure(settings)
    parent = os.getpid()
    # which children inherit; an Event's lock would stay taken by a child that is killed with it
    stopping = RawValue(c_bool, False)

    def stop_child(**_: Any) -> None:
        stopping.value = True

    def tie_to_parent(**_: Any) -> None:
        die_with_parent(parent)

    def keep_our_logs(**_: Any) -> None:
        """Celery leaves logging alone when somebody listens to this signal."""

    worker_process_init.connect(tie_to_parent, weak=False)
    worker_shutting_down.connect(stop_child, weak=False)
    setup_logging.connect(keep_our_logs, weak=False)
    tracing.install_worker()
    options = ["--concurrency=1", "--without-gossip", "--without-mingle"]
    celery = create_worker(settings, lambda: stopping.value)
    celery.worker_main(["worker", "--loglevel", settings.log_level, *options])


if __name__ == "__main__":
    main()
