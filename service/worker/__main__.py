"""`python -m service.worker`: one Celery worker, one training child at a time."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from service.processes import die_with_parent
from service.queue import TRAIN_TASK, create_celery
from service.settings import Settings
from service.worker.training import JobRunner


def create_worker(settings: Settings) -> Celery:
    """The Celery application with its one task.

    Each job gets a fresh child process, forked before any torch operation: threads and CUDA
    contexts don't survive a fork.
    """
    celery = create_celery(settings)

    def train(job_id: str) -> None:
        JobRunner(settings).run(job_id)

    celery.task(name=TRAIN_TASK)(train)
    return celery


def main() -> None:
    """Consume until SIGTERM."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level)
    parent = os.getpid()

    def tie_to_parent(**_: Any) -> None:
        die_with_parent(parent)

    worker_process_init.connect(tie_to_parent, weak=False)
    options = ["--pool=prefork", "--concurrency=1", "--without-gossip", "--without-mingle"]
    create_worker(settings).worker_main(["worker", "--loglevel", settings.log_level, *options])


if __name__ == "__main__":
    main()
