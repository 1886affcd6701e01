"""How fast the service answers, each figure beside its reference in the same run.

`python -m benchmarks.serving [--json FILE] [--peer-python PYTHON]`: three minutes. The service, an
endpoint of it that only parses and answers a constant, the same without what the service does for
every request (ids, keys, limits, logs, metrics), and BentoML with the same model take turns, each
in a server process of its own; one more process sends the requests. The peer's Python has bentoml;
without one, a throw-away environment is made for it, which takes a network.
"""

import io
import json
import os
import socket
import subprocess
import sys
import sysconfig
import venv
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import httpx
import numpy as np
import psutil
import torch

from benchmarks.constant import PATH
from benchmarks.figures import Figure
from benchmarks.load import measure
from service import models
from service.database import Database
from service.embedded import Child, Stack, embedded_stack
from service.media import NPY
from service.processes import die_with_parent
from trainer import Mixture
from trainer.points import Points

ROWS, DIMENSIONS, COMPONENTS = 100_000, 16, 10
CONNECTIONS, SECONDS, ROUNDS = 32, 2.5, 8
BULK_ROUNDS = 10
BARE, GUARDED = "a constant", "a constant, guarded"
QUICK = {"iterations": 1, "polish": False, "initial_partition": "kmeans"}
MIB = 1 << 20


def points() -> Points:
    """ROWS x DIMENSIONS around COMPONENTS centres."""
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=4, size=(COMPONENTS, DIMENSIONS))
    return centres[rng.integers(COMPONENTS, size=ROWS)] + rng.normal(size=(ROWS, DIMENSIONS))


def trained(folder: Path, stack: Stack, x: Points) -> Mixture:
    """The model that the service has trained, as the service loads it."""
    form = {"components": str(COMPONENTS), "config": json.dumps(QUICK)}
    with httpx.Client(base_url=stack.address, timeout=60) as http:
        job = http.post("/jobs", files={"file": _npy(x)}, data=form).json()
        while job["finished_at"] is None:
            sleep(0.5)
            job = http.get(f"/jobs/{job['id']}").raise_for_status().json()
    if job["status"] != "succeeded":
        sys.exit(f"the training job {job['status']}: {job['error']}")
    database = Database(f"sqlite:///{folder.resolve() / 'kvae.db'}")
    with database.read() as session:
        mixture = Mixture.from_bytes(models.weights(session, job["model"]))
    database.close()
    return mixture


def bulk(address: str, mixture: Mixture, x: Points) -> list[Figure]:
    """A large batch as NPY over HTTP and in process, taking turns."""
    body = _npy(x)
    headers = {"Content-Type": NPY, "Accept": NPY}
    with httpx.Client(base_url=address, timeout=60) as http:
        calls: dict[str, Callable[[], object]] = {
            "in process": lambda: mixture.assign(x),
            "HTTP": lambda: http.post("/assign", content=body, headers=headers).raise_for_status(),
        }
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            call()  # warm up
        for _ in range(BULK_ROUNDS):
            for name, call in calls.items():
                seconds[name].append(_seconds(call))
    rates = {name: ROWS / median(found) for name, found in seconds.items()}
    figures = [Figure(f"NPY, {ROWS:,} x {DIMENSIONS}, {n}", r, "rows/s") for n, r in rates.items()]
    ratio = rates["HTTP"] / rates["in process"]
    return [*figures, Figure("NPY, HTTP / in process", ratio, "x", ">= 0.7", ratio >= 0.7)]


def single(endpoints: dict[str, str], row: Points) -> list[Figure]:
    """One row as JSON, from many connections; the endpoints take turns, and a ratio is that of the
    median turn, as the machine's speed changes from one to the next."""
    body = json.dumps({"points": row.tolist()})
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in endpoints}
    for _ in range(ROUNDS):
        for name, url in endpoints.items():
            rounds[name].append(measure(url, body, CONNECTIONS, SECONDS))
    figures: list[Figure] = []
    ratio: dict[str, float] = {}
    for name, found in rounds.items():
        middle = {key: median(one[key] for one in found) for key in found[0]}
        turns = zip(rounds["kVAE"], found, strict=True)
        ratio[name] = median(
            mine["requests_a_second"] / other["requests_a_second"] for mine, other in turns
        )
        what = f"JSON, 1 row, {CONNECTIONS} connections, {name}"
        figures += [
            Figure(what, middle["requests_a_second"], "requests/s"),
            Figure(f"{what}, p50", middle["p50_ms"], "ms"),
            Figure(f"{what}, p99", middle["p99_ms"], "ms"),
            Figure(f"{what}, the generator's share of a core", middle["generator_busy"], ""),
        ]
    return [
        *figures,
        Figure(f"JSON, kVAE / {GUARDED}", ratio[GUARDED], "x", ">= 0.6", ratio[GUARDED] >= 0.6),
        *(Figure(f"JSON, kVAE / {name}", ratio[name], "x") for name in (BARE, "BentoML")),
    ]


@contextmanager
def server(command: list[str], environment: dict[str, str], address: str) -> Iterator[str]:
    """A process that serves at an address until the end of the block."""
    parent = os.getpid()
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(parent),
    ) as process:
        try:
            for _ in range(300):
                try:
                    httpx.get(address)
                    break
                except httpx.TransportError:
                    sleep(0.2)
            yield address
        finally:
            process.terminate()


def constant_server(
    factory: str, environment: dict[str, str] | None = None
) -> AbstractContextManager[str]:
    """The least that an endpoint can do, on uvicorn as the service is."""
    address = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.constant:{factory}", "--factory"]
    command += ["--port", address.split(":")[1], "--log-level", "warning", "--no-access-log"]
    return server(command, environment or {}, f"http://{address}")


def peer_server(python: Path, model: Path) -> AbstractContextManager[str]:
    """BentoML with the model of a file."""
    address = f"127.0.0.1:{_free_port()}"
    command = [str(python), "-m", "bentoml", "serve", "benchmarks.peer:Peer"]
    command += ["--host", "127.0.0.1", "--port", address.split(":")[1]]
    return server(command, {"KVAE_PEER_MODEL": str(model)}, f"http://{address}")


def peer_environment(folder: Path) -> Path:
    """The Python of a fresh environment with bentoml, which sees all that is installed here too."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "bentoml"], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "kvae.pth").write_text(sysconfig.get_path("purelib"))
    return python


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--peer-python", type=Path, help="a Python that has bentoml")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    x = points()
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        python = arguments.peer_python or peer_environment(folder / "peer")
        stack = running.enter_context(embedded_stack(folder / "service", 0))
        mixture = trained(folder / "service", stack, x)
        (folder / "mixture.safetensors").write_bytes(mixture.to_bytes())
        figures = bulk(stack.address, mixture, x)
        bare = running.enter_context(constant_server("create_bare"))
        guarded = running.enter_context(constant_server("create_guarded", _api(stack).environment))
        peer = running.enter_context(peer_server(python, folder / "mixture.safetensors"))
        endpoints = {
            BARE: bare + PATH,
            GUARDED: guarded + PATH,
            "kVAE": f"{stack.address}/assign",
            "BentoML": f"{peer}/assign",
        }
        figures += single(endpoints, x[:1])
        figures.append(Figure("memory of the API process", _memory(stack) / MIB, "MiB"))
    print(*map(Figure.line, figures), sep="\n")
    if arguments.json:
        report = {"cores": os.cpu_count(), "figures": [figure._asdict() for figure in figures]}
        arguments.json.write_text(json.dumps(report, indent=1))


def _memory(stack: Stack) -> int:
    process = _api(stack).process
    return psutil.Process(process.pid).memory_info().rss if process else 0


def _api(stack: Stack) -> Child:
    (api,) = (child for child in stack.children if child.name == "api")
    return api


def _npy(x: Points) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x)
    return buffer.getvalue()


def _seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
