"""kill -9 of each process, at each point of a job's life and at random times. `make test-faults`
does both whole, 200 times at random; `pytest tests/faults -k random --seed SEED` does one again."""

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress

import httpx
import pytest
from sqlalchemy import select

from api_schemas.jobs import Job
from client import KVAE
from service.tables import DatasetRow, JobRow
from tests.faults.breakpoints import COMMITTING, stop_at
from tests.faults.invariants import violations
from tests.faults.stack import GRACE_SECONDS, SHORT, VICTIMS, Stack
from tests.points import npy, three_blobs
from tests.servers import wait_for

SECONDS = 3.0  # what a job takes, about
SENT_AGAIN_SECONDS = 10  # at most, of a job without a message


def test_killed_at_a_named_point(stack: Stack, victim: str, point: str) -> None:
    with stop_at(stack.url, point) as until_reached:
        job = stack.submit()
        until_reached()
        stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


def test_killed_at_a_random_time(stack: Stack, seed: int) -> None:
    chosen = random.Random(seed)
    victim, at = chosen.choice(VICTIMS), chosen.uniform(0, SECONDS)
    submit = chosen.choice((stack.submit, stack.submit_assign))
    print(f"seed {seed}: {victim}, {at:.3f} s after {submit.__name__}")  # shown of what fails
    job = submit()
    time.sleep(at)
    stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


@pytest.mark.parametrize(
    "victim",
    [
        "child",
        pytest.param("postgres", marks=pytest.mark.whole),
        pytest.param("worker stopped", marks=pytest.mark.whole),
    ],
)
def test_killed_as_it_stores_what_it_assigned(stack: Stack, victim: str) -> None:
    with stop_at(stack.url, "storing what was assigned") as until_reached:
        job = stack.submit_assign()
        until_reached()
        stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.mark.parametrize(
    "point", [pytest.param("creating a job", marks=pytest.mark.whole), COMMITTING]
)
def test_killed_as_it_creates_a_job(stack: Stack, threads: ThreadPoolExecutor, point: str) -> None:
    """Its client asks again, and there is one job: also when it was committed without a message."""
    before = ids(stack, JobRow)
    with closing(KVAE(str(stack.client.http.base_url), patience=60)) as kvae:
        kvae.datasets.get(stack.dataset)
        with stop_at(stack.url, point) as until_reached:
            asked: Future[Job] = threads.submit(kvae.submit, stack.dataset, 3, config=SHORT)
            until_reached()
            stack.strike("api")
        job = asked.result().id
    assert ids(stack, JobRow) == [*before, job]
    asked_again = time.monotonic()
    stack.until(job, "running", "succeeded")
    assert time.monotonic() - asked_again < SENT_AGAIN_SECONDS
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


def ids(stack: Stack, table: type[JobRow] | type[DatasetRow]) -> list[str]:
    with stack.database.read() as session:
        return [*session.scalars(select(table.id).order_by(table.id))]


def test_killed_in_the_middle_of_an_upload(stack: Stack) -> None:
    points = npy(three_blobs(400)[0])

    def parts() -> Iterator[bytes]:
        yield points[:1000]
        time.sleep(0.3)
        stack.api.kill()
        yield points[1000:]

    before = ids(stack, DatasetRow)
    with pytest.raises(httpx.TransportError):
        stack.client.http.post("/datasets", content=parts())
    stack.mend()
    assert ids(stack, DatasetRow) == before
    assert violations(stack.database, stack.storage) == []
    assert stack.client.http.post("/datasets", content=points).status_code == 201


def test_stopped_it_answers_what_was_asked(stack: Stack) -> None:
    """The upload that is under way is taken whole; nothing new is, and then it ends."""
    points = npy(three_blobs(401)[0])
    process = stack.api.process
    assert process

    def parts() -> Iterator[bytes]:
        yield points[:1000]
        time.sleep(0.3)
        stack.api.stop()
        wait_for(lambda: refused(stack), AssertionError)
        yield points[1000:]

    answer = stack.client.http.post("/datasets", content=parts())
    assert answer.status_code == 201
    assert process.wait(GRACE_SECONDS) == -signal.SIGTERM  # as uvicorn tells that it was stopped
    stack.mend()
    found = stack.client.get(f"/datasets/{answer.json()['id']}")
    assert found["rows"] == 401


def refused(stack: Stack) -> None:
    with suppress(httpx.TransportError):
        httpx.get(f"{stack.client.http.base_url}/healthz")
        raise AssertionError("it was answered")


def test_all_of_it_was_right(running: Stack) -> None:
    assert violations(running.database, running.storage) == []
