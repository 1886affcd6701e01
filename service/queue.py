"""Messages to the workers. They may be lost or doubled: the database says what is to be done."""

import logging
from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from service.assign_jobs import Part
from service.settings import Settings

TRAIN_TASK = "kvae.train"
ASSIGN_TASK = "kvae.assign"
PULSE_TASK = "kvae.pulse"
QUEUE = "kvae"

log = logging.getLogger(__name__)


def create_celery(settings: Settings) -> Celery:
    """Celery's configuration, the same for senders and workers."""
    celery = Celery("kvae", broker=settings.broker_url)
    celery.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 10},
    )
    return celery


class JobQueue:
    """Tells the workers what is to be done; if the broker is away, the sweeper will do it later."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery

    def send_jobs(self, job_ids: Iterable[str]) -> None:
        """Tell workers of queued trainings."""
        self._send(TRAIN_TASK, ([job_id] for job_id in job_ids))

    def send_parts(self, parts: Iterable[Part]) -> None:
        """Tell workers of parts of assign jobs."""
        self._send(ASSIGN_TASK, ([*part] for part in parts))

    def _send(self, task: str, messages: Iterable[list[Any]]) -> None:
        """The first that can't be sent is the last that is tried."""
        try:
            for message in messages:
                self.celery.send_task(task, message)
        except (OperationalError, OSError) as error:
            log.warning("%s %s is queued but not sent: %s", task, message, error)

    def is_empty(self) -> bool:
        """True when no message waits. Raises OperationalError when the broker is away."""
        with self.celery.connection_for_read() as connection, connection.channel() as channel:
            return not channel.queue_declare(QUEUE, durable=True).message_count

    def send_pulse(self) -> None:
        """Send a message that only tells that it was consumed. Raises as `is_empty`."""
        self.celery.send_task(PULSE_TASK)
