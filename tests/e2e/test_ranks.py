"""A training that several processes share, and what befalls them."""

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from client import KVAE, InvalidInput
from tests.e2e.conftest import ENDLESS, ENVIRONMENT, NPY, Client, from_npy
from tests.points import Points, three_blobs
from tests.servers import embedded_service

LONG = {"iterations": 6, "pretraining_epochs": 30, "epochs": 15, "estimator_epochs": 10}
Stack = tuple[Client, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with (
        embedded_service(tmp_path_factory.mktemp("ranks"), ENVIRONMENT) as (address, process),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        yield Client(http), process


def descendants(stack: Stack, module: str) -> list[psutil.Process]:
    """Processes of the stack that run a module, parents first."""
    found = psutil.Process(stack[1].pid).children(recursive=True)
    return [p for p in found if p.is_running() and module in p.cmdline()]


def until(condition: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, 30)[1]


def at_work(stack: Stack, job: str, attempt: int) -> list[psutil.Process]:
    """The processes that share a job, once an attempt has done an iteration."""
    client, _ = stack
    before = client.get(f"/jobs/{job}")["progress"]["iteration"]

    def has_gone_on() -> bool:
        found = client.get(f"/jobs/{job}")
        return bool(found["attempt"] == attempt and found["progress"]["iteration"] > before)

    until(has_gone_on)
    return descendants(stack, "service.worker.rank")


def partition(client: Client, job: dict[str, Any]) -> Points:
    path = f"/models/{job['model']}/assignments"
    components: Points = from_npy(client.http.get(path, headers={"Accept": NPY}))["component"]
    return components


def test_a_rank_is_killed_and_the_result_is_that_of_one_process(stack: Stack) -> None:
    client, _ = stack
    dataset = client.upload(three_blobs()[0])["id"]
    alone = client.wait(client.submit(dataset, 3, config=LONG)["id"])
    shared = client.submit(dataset, 3, config=LONG, ranks=2)["id"]
    ranks = at_work(stack, shared, 1)
    assert len(ranks) == 2
    ranks[1].kill()
    assert gone(ranks)
    finished = client.wait(shared)
    assert (finished["ranks"], finished["attempt"]) == (2, 2)
    assert finished["progress"]["fraction"] == 1
    np.testing.assert_array_equal(partition(client, finished), partition(client, alone))
    events = client.get(f"/jobs/{shared}/events", limit=100)["data"]
    assert "the worker fell silent" in " ".join(e["message"] for e in events)
    iterations = [e["data"]["iteration"] for e in events if e["type"] == "metrics"]
    assert iterations == list(range(1, LONG["iterations"] + 1))  # none twice


def test_too_many_are_refused(stack: Stack) -> None:
    client, _ = stack
    dataset = client.upload(three_blobs()[0])["id"]
    body = {"dataset": dataset, "components": 3, "ranks": 5}
    problem = client.http.post("/jobs", json=body).json()
    assert problem["status"] == 422
    assert problem["errors"] == [
        {"loc": ["body", "ranks"], "msg": "at most 4 processes share a training"}
    ]
    with (
        KVAE(str(client.http.base_url)) as kvae,
        pytest.raises(InvalidInput, match="at most 4 processes"),
    ):
        kvae.submit(kvae.datasets.get(dataset), 3, ranks=5)


def test_they_end_with_who_watches_them_and_when_cancelled(stack: Stack) -> None:
    client, _ = stack
    dataset = client.upload(three_blobs()[0])["id"]
    job = client.submit(dataset, 3, config=ENDLESS, ranks=2)["id"]
    ranks = at_work(stack, job, 1)
    descendants(stack, "service.worker")[-1].kill()  # Celery's child
    assert gone(ranks)
    ranks = at_work(stack, job, 2)
    client.http.post(f"/jobs/{job}/cancel").raise_for_status()
    client.wait(job, "cancelled")
    assert gone(ranks)
