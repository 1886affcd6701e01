"""Processes that end in the midst of things."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from service.database import Database
from service.embedded import database_url
from service.storage import Folder
from tests.e2e.conftest import ENDLESS, ENVIRONMENT, Client
from tests.faults.invariants import violations
from tests.points import three_blobs
from tests.servers import embedded_service

LONG = {"iterations": 12, "pretraining_epochs": 60, "epochs": 60, "estimator_epochs": 20}


@dataclass(frozen=True)
class Stack:
    """A whole embedded service."""

    client: Client
    process: subprocess.Popen[str]
    folder: Path


def descendants(pid: int) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    return found


def workers(pid: int) -> list[psutil.Process]:
    """Celery's parent first, then its training child."""
    return [p for p in descendants(pid) if "service.worker" in p.cmdline()]


def gone(processes: list[psutil.Process], seconds: float = 10) -> bool:
    return not psutil.wait_procs(processes, seconds)[1]


@contextmanager
def stack_over(folder: Path) -> Iterator[Stack]:
    with (
        embedded_service(folder, ENVIRONMENT) as (address, process),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        yield Stack(Client(http), process, folder)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_over(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> str:
    """The model of a job that nothing befell."""
    model: str = stack.client.train(three_blobs()[0], 3, **LONG)["model"]
    return model


def start_job(client: Client, config: dict[str, int]) -> str:
    """A job that has a checkpoint and is still far from its end."""
    dataset = client.upload(three_blobs()[0])
    job: str = client.submit(dataset["id"], 3, config=config)["id"]
    wait_for_iteration(client, job, 2)
    return job


def iteration_of(client: Client, job: str) -> int:
    """The last iteration that is done."""
    return int(client.get(f"/jobs/{job}")["progress"]["iteration"])


def wait_for_iteration(client: Client, job: str, iteration: int) -> None:
    while iteration_of(client, job) < iteration:
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("act", "level", "said"),
    [
        ("kill the parent", "warning", "the worker fell silent; goes on after iteration"),
        ("kill the child", "warning", "the worker fell silent; goes on after iteration"),
        ("stop", "info", "the worker stops; the job goes on from its last checkpoint"),
    ],
)
def test_a_lost_workers_job_goes_on_from_its_checkpoint(
    stack: Stack, undisturbed: str, act: str, level: str, said: str
) -> None:
    client = stack.client
    job = start_job(client, LONG)
    parent, *children = workers(stack.process.pid)
    if act == "stop":
        parent.terminate()
        assert gone([parent, *children], 20)
    else:
        (parent if act == "kill the parent" else children[-1]).kill()
    finished = client.wait(job)
    assert finished["attempt"] == 2
    events = client.get(f"/jobs/{job}/events", limit=100)["data"]
    (again,) = [e for e in events if e["data"].get("status") == "queued"][1:]
    assert again["level"] == level
    assert said in again["message"]
    iterations = [e["data"]["iteration"] for e in events if e["type"] == "metrics"]
    assert iterations == list(range(1, LONG["iterations"] + 1))  # none twice: it did resume
    models = [client.get(f"/models/{ref}") for ref in (undisturbed, finished["model"])]
    for same in ("alpha", "sizes", "metrics"):
        assert models[0][same] == models[1][same]
    samples = [client.sample(model=model["id"], n=50, seed=1).tobytes() for model in models]
    assert samples[0] == samples[1]


def test_a_database_that_is_locked_is_waited_for(stack: Stack, undisturbed: str) -> None:
    client = stack.client
    job = start_job(client, LONG)
    with closing(sqlite3.connect(stack.folder / "kvae.db", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        time.sleep(2 * float(ENVIRONMENT["KVAE_LEASE_SECONDS"]))
        assert client.get(f"/jobs/{job}")["status"] == "running"  # who reads goes on
        locking.execute("ROLLBACK")
    client.wait(job)
    assert violations(Database(database_url(stack.folder)), Folder(stack.folder / "blobs")) == []


def test_a_running_job_is_cancelled(stack: Stack) -> None:
    client = stack.client
    job = start_job(client, ENDLESS)
    asked = time.monotonic()
    assert client.http.post(f"/jobs/{job}/cancel").json()["status"] == "cancelling"
    cancelled = client.wait(job, "cancelled")
    assert time.monotonic() - asked < 10
    assert cancelled["model"] is None


def test_children_that_die_are_started_again(stack: Stack) -> None:
    for child in psutil.Process(stack.process.pid).children():
        child.kill()
    deadline = time.monotonic() + 60
    while not ready(stack.client):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    stack.client.train(three_blobs()[0], 3)


def ready(client: Client) -> bool:
    try:
        return client.http.get("/readyz").is_success
    except httpx.HTTPError:
        return False


def test_nothing_is_left_running_and_nothing_is_lost(tmp_path: Path) -> None:
    """However it ends, its processes end too, and its job goes on when it is started again."""
    job = ""
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with stack_over(tmp_path) as stack:
            job = job or start_job(stack.client, ENDLESS)
            wait_for_iteration(stack.client, job, iteration_of(stack.client, job) + 1)
            family = descendants(stack.process.pid)
            assert len(family) >= 4  # broker, API, worker and its child
            stack.process.send_signal(how)
            assert gone(family, 20)
    with stack_over(tmp_path) as stack:
        wait_for_iteration(stack.client, job, iteration_of(stack.client, job) + 1)
        assert stack.client.get(f"/jobs/{job}")["attempt"] > 2


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "up", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_taken_port_is_one_line_and_a_status(client: Client, tmp_path: Path) -> None:
    port = str(client.http.base_url.port)
    done = serve("--port", port, "--folder", str(tmp_path / "other"))
    assert done.returncode == 1
    assert done.stderr == f"Error: port {port} can't be used: Address already in use\n"
    assert "99999 is not in the range" in serve("--port", "99999").stderr


def test_a_wrong_setting_is_one_line_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVAE_MAX_BODY_BYTES", "plenty")
    done = serve("--port", "0", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: KVAE_MAX_BODY_BYTES: Input should be a valid integer")
    assert len(done.stderr.splitlines()) == 1


def test_one_stack_a_folder(stack: Stack) -> None:
    done = serve("--port", "0", "--folder", str(stack.folder))
    assert done.returncode == 1
    assert "another stack is running" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["service up --port 0 --with-parent --folder {}", "examples.demo --out {}"]
)
def test_everything_ends_with_make(command: str, tmp_path: Path) -> None:
    """kill -9 of make, whose place a shell takes here, leaves nothing of `make serve` or demo."""
    script = f"{sys.executable} -m {command.format(tmp_path / 'out')}; true"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        assert "http" in shell.stdout.readline()
        family = descendants(shell.pid)
        assert len(family) >= 4
        shell.kill()
        assert gone(family, 20)
