"""Workers that are paused, run ahead of time or run out of memory, and a broker that is away."""

import resource
import time

import psutil
import pytest

from tests.faults.breakpoints import stop_at
from tests.faults.invariants import violations
from tests.faults.stack import GRACE_SECONDS, LEASE_SECONDS, Stack
from tests.servers import wait_for

JUMP_SECONDS = 8.0  # after a worker's start, in which it comes to a job


@pytest.mark.parametrize(
    "point", [pytest.param("in training", marks=pytest.mark.whole), "in publish"]
)
def test_a_worker_that_is_paused_past_its_lease(stack: Stack, point: str) -> None:
    with stop_at(stack.url, point) as until_reached:
        job = stack.submit()
        until_reached()
        paused = stack.worker.family()
        for process in paused:
            process.suspend()
    stack.spare.start()
    assert stack.until_ended(job) == "succeeded"
    stack.spare.kill()
    for process in paused:
        process.resume()
    assert stack.until_ended(stack.submit()) == "succeeded"  # by the one that was paused
    assert violations(stack.database, stack.storage) == []


@pytest.mark.whole
def test_a_stopped_worker_leaves_the_very_step(stack: Stack) -> None:
    """In the only iteration of a job, which another worker goes on with."""
    slow = {"iterations": 1, "pretraining_epochs": 1000}
    undisturbed, job = stack.submit(**slow), stack.submit(**slow)
    assert stack.until_ended(undisturbed) == "succeeded"
    while not stack.client.get(f"/jobs/{job}")["progress"]["fraction"]:
        time.sleep(0.05)
    asked = time.monotonic()
    stack.worker.stop()
    stack.until(job, "queued")
    assert time.monotonic() - asked < GRACE_SECONDS
    stopped = stack.client.get(f"/jobs/{job}")
    assert stopped["progress"]["iteration"] == 0
    (checkpoint,) = stack.client.get(f"/jobs/{job}/checkpoints")["data"]
    assert (checkpoint["iteration"], checkpoint["kept"]) == (1, True)
    stack.mend()
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, undisturbed, job) == []


@pytest.mark.whole
@pytest.mark.parametrize("hours", [-30, 30])
@pytest.mark.parametrize("jumps", [False, True], ids=["wrong", "jumps"])
def test_a_worker_whose_clock_is_wrong(stack: Stack, hours: int, jumps: bool) -> None:
    """From its start on, or from within a job."""
    stack.worker.kill()
    stack.spare.command[2:] = ["tests.faults.shifted", str(hours), str(JUMP_SECONDS * jumps)]
    started = time.monotonic()
    stack.spare.start()
    job = stack.submit(iterations=30)
    if jumps:
        stack.until(job, "running")
        assert time.monotonic() < started + JUMP_SECONDS
    assert stack.until_ended(job) == "succeeded"
    assert time.monotonic() > started + JUMP_SECONDS * jumps
    found = stack.client.get(f"/jobs/{job}")
    assert found["attempt"] == 1
    assert found["created_at"] < found["started_at"] < found["finished_at"]
    assert violations(stack.database, stack.storage) == []


def test_cancelled_while_the_broker_is_away(stack: Stack) -> None:
    job = stack.submit(iterations=500)
    stack.until(job, "running", iteration=1)
    stack.broker.kill()
    asked = time.monotonic()
    assert stack.client.http.post(f"/jobs/{job}/cancel").json()["status"] == "cancelling"
    assert stack.until_ended(job) == "cancelled"
    assert time.monotonic() - asked < 2 * LEASE_SECONDS  # two seconds, on a machine that has time
    stack.mend()
    assert stack.until_ended(stack.submit()) == "succeeded"
    assert violations(stack.database, stack.storage) == []


def test_memory_that_runs_out_is_named(stack: Stack) -> None:
    job = stack.submit(iterations=500)
    stack.until(job, "running", iteration=1)
    (child,) = stack.worker.family()[1:]
    bytes_now = child.memory_info().vms
    child.rlimit(resource.RLIMIT_AS, (bytes_now, bytes_now))
    assert stack.until_ended(job) == "failed"
    error = stack.client.get(f"/jobs/{job}")["error"]
    assert error["code"] == "out_of_memory"
    wait_for(lambda: gone(child), AssertionError)
    assert violations(stack.database, stack.storage) == []


def gone(process: psutil.Process) -> None:
    assert not process.is_running()
