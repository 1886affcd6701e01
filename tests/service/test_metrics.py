"""What is told of ended jobs: each ending once, and no time in which nothing was to be done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from service import jobs, leases
from service.database import Database
from service.metrics import Metrics
from service.table_types import utc_now
from service.tables import EventRow
from tests.service import rows

DAY = timedelta(days=1)


@pytest.fixture
def metrics(database: Database) -> Metrics:
    return Metrics(database)


def figures(metrics: Metrics, what: str) -> Iterator[float]:
    for line in metrics.scrape().decode().splitlines():
        if line.startswith(f"kvae_job_seconds_{what}{{"):
            yield float(line.rsplit(" ", 1)[1])


def fail(database: Database, job_id: str) -> None:
    with database.write() as session:
        claim = leases.claim(session, job_id, 60)
        assert claim
        leases.record_iteration(session, claim, 1, {"seconds": 0.5})
        leases.finish(session, claim, "failed", {"code": "x", "message": "y", "param": None})


def test_each_ending_counts_once(database: Database, metrics: Metrics) -> None:
    with database.write() as session:
        job_ids = [rows.job(session).id for _ in range(9)]
    for job_id in job_ids:
        fail(database, job_id)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda _: metrics.scrape(), range(16)))) == 16
    assert [*figures(metrics, "count")] == [9, 9, 9]


def test_a_resumed_job_counts_again_without_its_idle_time(
    database: Database, metrics: Metrics
) -> None:
    with database.write() as session:
        job_id = rows.job(session).id
    fail(database, job_id)
    metrics.scrape()
    with database.write() as session:
        session.execute(update(EventRow).values(created_at=utc_now() - DAY))
        jobs.resume(session, job_id)
    fail(database, job_id)
    assert [*figures(metrics, "count")] == [2, 2, 2]
    assert sum(figures(metrics, "sum")) < DAY.total_seconds()
