"""What Prometheus reads: one registry an application, counted here or asked of the database.

Jobs' figures are those of the whole service, whichever process is asked; requests, assigned rows,
the model cache and sweeps are this process's own.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_schemas.jobs import JobStatus
from service import clock, pulse
from service.database import Database
from service.tables import EventRow, JobRow
from service.transitions import ENDED

JOB_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
LATE_COMMITS = timedelta(minutes=1)
NOT_A_ROUTE = "unknown"


class Metrics:
    """The counters that others increase, and the answer to a scrape."""

    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        self.assigned_rows = self._counter("kvae_assigned_rows", "points that were assigned")
        self.sweeps = self._counter("kvae_sweeps", "looks for abandoned jobs")
        self._requests = Histogram(
            "kvae_request_seconds",
            "requests by route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._jobs = JobSeconds(database, self._registry)
        self._registry.register(JobState(database))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        method = method if route != NOT_A_ROUTE else "any"  # clients may make up methods
        self._requests.labels(method, route, status).observe(seconds)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Show what ``read`` answers at each scrape."""
        self._registry.register(Reading(GaugeMetricFamily, name, description, read))

    def total(self, name: str, description: str, read: Callable[[], float]) -> None:
        """The same of what only grows."""
        self._registry.register(Reading(CounterMetricFamily, name, description, read))

    def scrape(self) -> bytes:
        """Everything, in Prometheus' text format."""
        self._jobs.catch_up()
        return generate_latest(self._registry)

    def _counter(self, name: str, description: str) -> Counter:
        return Counter(name, description, registry=self._registry)


class Reading:
    """A figure that is read when it is asked for."""

    def __init__(
        self,
        family: type[GaugeMetricFamily | CounterMetricFamily],
        name: str,
        description: str,
        read: Callable[[], float],
    ) -> None:
        self._family, self._name, self._description, self._read = family, name, description, read

    def collect(self) -> Iterator[Metric]:
        yield self._family(self._name, self._description, value=self._read())

    def describe(self) -> list[Metric]:
        return []  # what is described is collected at once, before the database is there


class JobState:
    """Jobs by status, and how long ago a worker was heard of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        by_status = GaugeMetricFamily("kvae_jobs", "jobs by status", labels=["status"])
        age = GaugeMetricFamily("kvae_worker_age_seconds", "since a worker took a test message")
        with self._database.read() as session:
            query = select(JobRow.status, func.count()).group_by(JobRow.status)
            found = dict(session.execute(query).all())
            beat_at, now = pulse.last(session), clock.now(session)
        for status in get_args(JobStatus):
            by_status.add_metric([status], found.get(status, 0))
        yield by_status
        if beat_at:
            age.add_metric([], (now - beat_at).total_seconds())
        yield age

    def describe(self) -> list[Metric]:
        return []


class JobSeconds:
    """Seconds of each job that ended since this process started, by what they went to.

    One that was resumed counts once more, from there on.
    """

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._started = time.monotonic()
        self._since: datetime | None = None  # by the database's clock
        self._counted: set[tuple[str, datetime]] = set()
        self._lock = threading.Lock()
        self._seconds = Histogram(
            "kvae_job_seconds",
            "seconds of ended jobs: waiting, assigning, or in iterations and around those",
            ["phase"],
            buckets=JOB_BUCKETS,
            registry=registry,
        )

    def catch_up(self) -> None:
        """Count the jobs that ended since the last scrape, also if their commit came late."""
        with self._lock, self._database.read() as session:
            now = clock.now(session)
            since_start = timedelta(seconds=time.monotonic() - self._started)
            self._since = self._since or now - since_start
            columns = JobRow.id, JobRow.finished_at, JobRow.type
            ended = select(*columns).where(JobRow.finished_at >= self._since)
            for job_id, at, type in session.execute(ended):
                if at and (job_id, at) not in self._counted:
                    self._count(_last_run(session, job_id), is_assigning=type == "assign")
                    self._counted.add((job_id, at))
            self._since = max(self._since, now - LATE_COMMITS)
            self._counted = {(job, at) for job, at in self._counted if at >= self._since}

    def _count(self, run: Sequence[EventRow], is_assigning: bool) -> None:
        if not run:  # deleted meanwhile
            return
        queued_at, ended_at = run[0].created_at, run[-1].created_at
        starts = [event.created_at for event in run if event.data.get("status") == "running"]
        waited = (starts[0] if starts else ended_at) - queued_at
        self._seconds.labels("waiting").observe(waited.total_seconds())
        if not starts:
            return
        worked = (ended_at - starts[0]).total_seconds()
        if is_assigning:
            self._seconds.labels("assigning").observe(worked)
            return
        iterations = sum(float(event.data.get("seconds", 0)) for event in run)
        self._seconds.labels("iterations").observe(iterations)
        self._seconds.labels("around").observe(max(0.0, worked - iterations))


def _last_run(session: Session, job_id: str) -> Sequence[EventRow]:
    """An ended job's log from where it was queued, or else resumed, to its end."""
    own = EventRow.job_id == job_id, EventRow.type != "message"
    logged = session.scalars(select(EventRow).where(*own).order_by(EventRow.id)).all()
    ends = [at for at, event in enumerate(logged) if event.data.get("status") in ENDED]
    return logged[ends[-2] + 1 :] if len(ends) > 1 else logged
