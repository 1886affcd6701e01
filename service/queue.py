"""Messages to the workers. They may be lost or doubled: the database says what is to be done."""

import json
import logging
from collections.abc import Mapping

from celery import Celery
from kombu.exceptions import OperationalError

from api_schemas.jobs import JobType
from service.settings import Settings

JOB_TASKS: Mapping[JobType, str] = {"train": "kvae.train", "assign": "kvae.assign"}
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
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": 10,
            "health_check_interval": 5,  # a worker whose broker falls silent connects anew
        },
    )
    return celery


class JobQueue:
    """Sends jobs' ids to the workers."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery

    def send(self, type: JobType, job_id: str) -> None:
        """Tell a worker of a job; if the broker is away, the sweeper will do it later."""
        try:
            self.celery.send_task(JOB_TASKS[type], [job_id], task_id=job_id)
        except (OperationalError, OSError) as error:
            log.warning("job %s is queued but not sent: %s", job_id, error)

    def waiting(self) -> set[str]:
        """The ids of the messages that wait, those of jobs being the jobs'. Raises OperationalError
        when the broker is away."""
        with self.celery.connection_for_read() as connection, connection.channel() as channel:
            messages = channel.client.lrange(QUEUE, 0, -1)
        return {json.loads(message)["headers"]["id"] for message in messages}

    def send_pulse(self) -> None:
        """Send a message that only tells that it was consumed. Raises as `waiting`."""
        self.celery.send_task(PULSE_TASK)
