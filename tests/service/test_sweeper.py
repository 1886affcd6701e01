"""Messages that are lost while others wait, and who looks for them."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from service.database import Database
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.sweeper import sweep, sweep_until
from service.table_types import utc_now
from service.tables import DutyRow
from tests.servers import broker_server
from tests.service import rows


@pytest.fixture
def settings() -> Iterator[Settings]:
    with broker_server() as broker:
        yield Settings(broker_url=broker, sweep_seconds=600)


def test_what_is_lost_is_sent_again_while_others_wait(
    database: Database, settings: Settings
) -> None:
    queue = JobQueue(create_celery(settings))
    with database.write() as session:
        sent, lost = rows.job(session).id, rows.job(session).id
        shared = rows.assign_job(session, 100).id
        rows.let_time_pass(session)
    queue.send("train", sent)
    for _ in range(2):
        sweep(database, queue, settings)
        assert queue.waiting() == {sent, lost, shared}
        with queue.celery.connection_for_read() as connection, connection.channel() as channel:
            assert channel.queue_declare("kvae", durable=True).message_count == 3


def test_one_process_at_a_time_sweeps(database: Database, settings: Settings) -> None:
    queue = JobQueue(create_celery(settings))
    stop = threading.Event()
    stop.set()  # after one look
    sweeps: list[None] = []

    def look() -> int:
        sweep_until(stop, settings, database, queue, lambda: sweeps.append(None))
        return len(sweeps)

    assert [look(), look()] == [1, 1]
    with database.write() as session:
        session.execute(update(DutyRow).values(due_at=utc_now()))
    assert [look(), look()] == [2, 2]
