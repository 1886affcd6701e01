"""`python -m service.worker.rank JOB ATTEMPT PARENT PROGRESS`: one of the processes that share a
training, which its parent starts, watches and ends."""

import sys
from pathlib import Path

from structlog.contextvars import bound_contextvars

from service import logs
from service.processes import die_with_parent
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.worker.ranks import Progress
from service.worker.training import JobRunner
from trainer.devices import choose_device
from trainer.ranks import Seat, joined_ranks


def main() -> int:
    """The exit status: 0 when this part of the training came to its end."""
    job_id, attempt, parent, progress = sys.argv[1:]
    die_with_parent(int(parent))
    settings = Settings()
    logs.configure(settings)
    seat = Seat.given() or Seat()
    runner = JobRunner(settings, JobQueue(create_celery(settings)))
    with (
        bound_contextvars(job_id=job_id, attempt=int(attempt), rank=seat.index),
        joined_ranks(choose_device(settings.device), seat) as ranks,
    ):
        on_step = Progress(Path(progress)).note if ranks.is_first else lambda fraction: None
        return int(not runner.take_part(job_id, int(attempt), on_step, ranks))


if __name__ == "__main__":
    sys.exit(main())
