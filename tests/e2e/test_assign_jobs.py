"""A data set is assigned by several workers, which are killed in the midst of it."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import redis
from numpy.typing import NDArray
from sqlalchemy import select, text

from service import assign_jobs
from service.database import Database
from service.tables import JobPartRow
from tests.conftest import NewDatabase
from tests.e2e.conftest import ENVIRONMENT, Client, from_npy
from tests.points import three_blobs
from tests.servers import broker_server, running
from tests.service.api import api_server

PARTS, PART_ROWS = 80, 4000
NPY = {"Accept": "application/x-npy"}
DISCONNECT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True)
class Stack:
    client: Client
    database: Database
    broker: str
    workers: list[psutil.Process]

    def assign(self, dataset: str) -> str:
        response = self.client.http.post("/assign", params={"dataset": dataset})
        assert response.status_code == 202, response.text
        job: str = response.json()["id"]
        return job

    def found(self, job: str) -> NDArray[Any]:
        """The result of a job, once it is there."""
        self.client.wait(job)
        return from_npy(self.client.http.get(f"/jobs/{job}/assignments", headers=NPY))

    def lose_messages_and_connections(self) -> None:
        """As when the broker and the database are started anew."""
        with redis.Redis(unix_socket_path=self.broker.partition("://")[2]) as client:
            client.flushall()
        with self.database.write() as session:
            session.execute(text(DISCONNECT))

    def held(self, job: str) -> list[int]:
        """The first rows of the parts that workers have just now."""
        query = select(JobPartRow.first_row).where(
            JobPartRow.job_id == job,
            JobPartRow.finished_at.is_(None),
            JobPartRow.lease_expires_at.is_not(None),
        )
        with self.database.read() as session:
            return list(session.scalars(query))

    def kill_at_work(self, job: str) -> list[int]:
        """Kill the workers' children while they have parts; returns the first rows of these."""
        while self.client.get(f"/jobs/{job}")["status"] in ("queued", "running"):
            with suppress(psutil.NoSuchProcess):  # one that ends by itself just now
                children = [child for worker in self.workers for child in worker.children()]
                for child in children:
                    child.suspend()
                time.sleep(0.1)  # what they have sent to the database arrives
                held = self.held(job)
                for child in children:
                    if held:
                        child.kill()
                    else:
                        child.resume()
                if held:
                    return held
        raise AssertionError("the job has ended")


@pytest.fixture
def stack(
    postgres: NewDatabase,
    migrated_template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stack]:
    """An API in this process and two workers in their own, on one PostgreSQL and one folder."""
    monkeypatch.setattr(assign_jobs, "part_rows", lambda *_: PART_ROWS)
    with ExitStack() as opened:
        url = opened.enter_context(postgres(migrated_template))
        broker = opened.enter_context(broker_server())
        settings = {"database_url": url, "broker_url": broker, "sweep_seconds": 0.5}
        address, database = opened.enter_context(api_server(tmp_path, **settings))
        environment = {
            **ENVIRONMENT,
            "KVAE_DATABASE_URL": url,
            "KVAE_BROKER_URL": broker,
            "KVAE_STORAGE_URL": str(tmp_path / "blobs"),
        }
        command = [sys.executable, "-m", "service.worker"]
        workers = [
            opened.enter_context(
                running(command, environment, stop=signal.SIGQUIT, log=tmp_path / f"worker{n}.log")
            )
            for n in range(2)
        ]
        http = opened.enter_context(httpx.Client(base_url=address, timeout=60))
        processes = [psutil.Process(worker.pid) for worker in workers]
        yield Stack(Client(http), database, broker, processes)


def test_workers_share_a_data_set_and_what_they_need_is_lost(stack: Stack) -> None:
    client = stack.client
    points = np.tile(three_blobs(PART_ROWS)[0], (PARTS, 1))
    points += np.random.default_rng(0).normal(size=points.shape)
    dataset = client.upload(points)["id"]
    client.train(three_blobs()[0], 3)
    undisturbed = stack.assign(dataset)
    expected = stack.found(undisturbed)
    np.testing.assert_array_equal(expected["component"], client.assign(points))

    job = stack.assign(dataset)
    held = stack.kill_at_work(job)
    np.testing.assert_array_equal(stack.found(job), expected)
    log = client.get(f"/jobs/{job}/events", limit=100)["data"]
    done = [event["data"]["first_row"] for event in log if "first_row" in event["data"]]
    assert sorted(done) == list(range(0, PARTS * PART_ROWS, PART_ROWS))
    warned = [event["message"] for event in log if event["level"] == "warning"]
    silent = "the worker on rows {:,} to {:,} fell silent; another takes them up"
    assert warned[0] in [silent.format(row, row + PART_ROWS - 1) for row in held]

    job = stack.assign(dataset)
    while not stack.held(job):
        time.sleep(0.02)
    stack.lose_messages_and_connections()
    np.testing.assert_array_equal(stack.found(job), expected)
