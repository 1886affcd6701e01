"""What Prometheus reads: one registry an application, counted here or asked of the database.

Jobs' figures are those of the whole service, whichever process is asked; requests, assigned rows,
the model cache and sweeps are this process's own.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_schemas.jobs import JobStatus
from service import pulse
from service.database import Database
from service.tables import EventRow, JobRow, utc_now

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
            found = {status: jobs for status, jobs in session.execute(query)}  # noqa: C416 - rows are no pairs to mypy
            beat_at = pulse.last(session)
        for status in get_args(JobStatus):
            by_status.add_metric([status], found.get(status, 0))
        yield by_status
        if beat_at:
            age.add_metric([], (utc_now() - beat_at).total_seconds())
        yield age

    def describe(self) -> list[Metric]:
        return []


class JobSeconds:
    """Seconds of each job that ended since this process started, by what they went to."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._since = utc_now()
        self._counted: dict[str, datetime] = {}
        self._seconds = Histogram(
            "kvae_job_seconds",
            "seconds of ended jobs: waiting, assigning, or in iterations and around those",
            ["phase"],
            buckets=JOB_BUCKETS,
            registry=registry,
        )

    def catch_up(self) -> None:
        """Count the jobs that ended since the last scrape, also if their commit came late."""
        now = utc_now()
        with self._database.read() as session:
            ended = select(JobRow).where(JobRow.finished_at >= self._since)
            for job in session.scalars(ended):
                if job.id not in self._counted and job.finished_at:
                    self._count(session, job)
                    self._counted[job.id] = job.finished_at
        self._since = max(self._since, now - LATE_COMMITS)
        self._counted = {job: at for job, at in self._counted.items() if at >= self._since}

    def _count(self, session: Session, job: JobRow) -> None:
        finished = job.finished_at or job.created_at
        waited = (job.started_at or finished) - job.created_at
        self._seconds.labels("waiting").observe(waited.total_seconds())
        if job.started_at is None:
            return
        worked = (finished - job.started_at).total_seconds()
        if job.type == "assign":
            self._seconds.labels("assigning").observe(worked)
            return
        metrics = select(EventRow.data).where(EventRow.job_id == job.id, EventRow.type == "metrics")
        iterations = sum(float(data.get("seconds", 0)) for data in session.scalars(metrics))
        self._seconds.labels("iterations").observe(iterations)
        self._seconds.labels("around").observe(max(0.0, worked - iterations))
