"""`make demo`: digits through the whole service, from the upload to pictures of every component.

Starts the embedded stack, talks to it over HTTP only, and leaves demo-output/ behind.
"""

import argparse
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from service.pictures import grid
from service.processes import die_with_parent
from trainer.vision import mnist

NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
PNG = {"Accept": "image/png"}
JOBS: dict[str, dict[str, Any]] = {
    "digits": {"components": 10},
    "mnist": {  # convolutions on a CPU: a short run
        "components": 15,
        "config": {"iterations": 4, "pretraining_epochs": 8, "epochs": 3, "estimator_epochs": 2},
    },
}
HELD_OUT = 297  # images kept back, to be assigned as new points
SHOWN = 64  # images a picture
ABREAST = 12  # images of a component in the overview, real ones and as many samples
SAMPLES = 1000
SEED = 7
BLOCKS = "▁▂▃▄▅▆▇█"

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def main() -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", choices=JOBS, default="digits")
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    arguments = parser.parse_args()
    die_with_parent(os.getppid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prepare(arguments.out)
    images, labels = load(arguments.data, arguments.out)
    console = Console(highlight=False)
    try:
        with running_service(arguments.out / "service") as address:
            console.print(f"The service is running at {address}")
            with httpx.Client(base_url=address, timeout=300) as api:
                demonstrate(api, console, arguments, images, labels)
    except KeyboardInterrupt:
        return 130
    console.print(f"Done, and everything is stopped again. Look at {arguments.out}/:")
    console.print("  overview.png             every component: what it won, what it makes up")
    console.print("  component-*-members.png  digits that a component won")
    console.print("  component-*-samples.png  digits that it makes up")
    console.print("  mixture.png, samples.npy, report.json; service/ has the logs and the database")
    return 0


def prepare(out: Path) -> None:
    """An empty folder, in place of what an earlier demo left. Raises SystemExit for another's."""
    if out.exists() and any(out.iterdir()) and not (out / "service").exists():
        raise SystemExit(f"{out} is not empty and not a demo's: remove it or name another folder")
    shutil.rmtree(out, ignore_errors=True)
    (out / "service").mkdir(parents=True)


def demonstrate(
    api: httpx.Client,
    console: Console,
    arguments: argparse.Namespace,
    images: Images,
    labels: Labels,
) -> None:
    """Upload, train, assign, sample, and write what came of it."""
    new, seen = images[:HELD_OUT], images[HELD_OUT:]
    k = JOBS[arguments.data]["components"]
    with stopwatch() as upload_seconds:
        body = npy_bytes(seen)
        dataset = checked(api.post("/datasets", content=body, params={"name": arguments.data}))
    console.print(f"Uploaded {dataset['rows']} images of {dataset['shape']} pixels")
    with stopwatch() as training_seconds:
        request = {"dataset": dataset["id"], "seed": SEED, **JOBS[arguments.data]}
        job = checked(api.post("/jobs", json=request))
        job = follow(api, console, job)
    model = checked(api.get(f"/models/{job['model']}"))
    with stopwatch() as assign_seconds:
        assigned = array(api.post("/assign", content=npy_bytes(new), headers=NPY))
    console.print(f"Assigned {len(new)} new digits in {assign_seconds() * 1000:.0f} ms")
    with stopwatch() as sample_seconds:
        write_pictures(api, arguments.out, k)
        samples = array(api.get("/sample", params={"n": SAMPLES, "seed": SEED}, headers=NPY))
    np.save(arguments.out / "samples.npy", samples)
    partition = array(api.get(f"/models/{job['model']}/assignments", headers=NPY))["component"]
    write_members(arguments.out, seen, partition, k)
    write_overview(api, arguments.out, seen, partition, k)
    report = {
        "job": job,
        "model": model,
        "alpha": model["alpha"],
        "seconds": {
            "upload": upload_seconds(),
            "training": training_seconds(),
            "assign": assign_seconds(),
            "sample": sample_seconds(),
        },
        "agreement_with_labels": {
            "note": "for information: training never saw the labels",
            "training_digits": agreement(labels[HELD_OUT:], partition),
            "held_out_digits": agreement(labels[:HELD_OUT], assigned),
        },
    }
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")


def follow(api: httpx.Client, console: Console, job: dict[str, Any]) -> dict[str, Any]:
    """Show a job's progress until it ends; returns it. Raises SystemExit unless it succeeded."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    seen = 0
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("Training", total=1.0)
        while job["status"] in ("queued", "running"):
            time.sleep(0.5)
            job = checked(api.get(f"/jobs/{job['id']}"))
            page = checked(api.get(f"/jobs/{job['id']}/events", params={"after": seen}))
            for event in page["data"]:
                seen = event["id"]
                if event["type"] == "metrics":
                    bar.console.print(describe(event["data"]))
            progress = job["progress"]
            iteration = f"Iteration {progress['iteration']} of {progress['of']}"
            bar.update(task, completed=progress["fraction"], description=iteration)
    if job["status"] != "succeeded":
        raise SystemExit(f"the job {job['status']}: {job['error']}")
    return job


def describe(metrics: dict[str, Any]) -> str:
    """One iteration in a line; alpha as a block a component, full height for the largest."""
    largest = max(metrics["alpha"])
    alpha = "".join(BLOCKS[round(a / largest * (len(BLOCKS) - 1))] for a in metrics["alpha"])
    return f"  iteration {metrics['iteration']}: alpha {alpha}  {metrics['changed']:.1%} moved"


def write_pictures(api: httpx.Client, out: Path, k: int) -> None:
    """Samples of every component and of the mixture, as the service draws them."""
    for component in [*range(k), None]:
        name = "mixture.png" if component is None else f"component-{component}-samples.png"
        query: dict[str, int | None] = {"component": component, "n": SHOWN, "seed": SEED}
        given = {key: value for key, value in query.items() if value is not None}
        response = api.get("/sample", params=given, headers=PNG)
        (out / name).write_bytes(response.raise_for_status().content)


def write_members(out: Path, images: Images, partition: Labels, k: int) -> None:
    """Real images of every component."""
    for component in range(k):
        members = images[partition == component][:SHOWN]
        if len(members):
            (out / f"component-{component}-members.png").write_bytes(grid(members))


def write_overview(api: httpx.Client, out: Path, images: Images, partition: Labels, k: int) -> None:
    """A row a component: real members on the left, samples on the right."""
    blank = np.zeros((1, *images.shape[1:]))
    rows = []
    for component in range(k):
        members = images[partition == component][:ABREAST].astype(np.float64)
        padding = np.repeat(blank, ABREAST - len(members), 0)
        query = {"component": component, "n": ABREAST, "seed": SEED}
        samples = array(api.get("/sample", params=query, headers=NPY))
        rows += [members, padding, blank, samples]
    tiles = np.concatenate(rows)
    (out / "overview.png").write_bytes(grid(tiles, 2 * ABREAST + 1))


def load(name: str, out: Path) -> tuple[Images, Labels]:
    """Shuffled images (N, H, W) and labels: scikit-learn's digits, or MNIST from KVAE_DATA."""
    if name == "digits":
        digits = load_digits()
        images, labels = digits.images.astype(np.uint8), digits.target
    else:
        if folder := os.environ.get("KVAE_DATA"):
            unpack(Path(folder) / "MNIST" / "raw", out / "MNIST" / "raw")
        try:
            tensors = mnist(out, train=True, download=True)
        except (OSError, RuntimeError) as error:
            hint = "set KVAE_DATA to a folder that has MNIST/raw/ in it"
            raise SystemExit(f"MNIST can't be downloaded ({error}); {hint}") from error
        images, labels = tensors[0].numpy(), tensors[1].numpy()
    order = np.random.default_rng(SEED).permutation(len(images))
    return images[order], labels[order]


def unpack(source: Path, target: Path) -> None:
    """Copies of data files, plain ones as they are: torchvision reads unpacked files only."""
    target.mkdir(parents=True)
    for path in source.glob("*"):
        is_packed = path.suffix == ".gz"
        with gzip.open(path) if is_packed else path.open("rb") as file:
            (target / (path.stem if is_packed else path.name)).write_bytes(file.read())


@contextmanager
def running_service(folder: Path) -> Iterator[str]:
    """The embedded stack in a process of its own; yields its address."""
    command = [sys.executable, "-m", "service", "--port", "0", "--with-parent", "--folder"]
    with subprocess.Popen([*command, folder], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(f"the service did not start; see {folder}/logs")
            yield next(word for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()


@contextmanager
def stopwatch() -> Iterator[Any]:
    """Yields a function that tells the seconds the block took."""
    started = time.perf_counter()
    ended: list[float] = []
    yield lambda: ended[0] - started
    ended.append(time.perf_counter())


def checked(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; the problem's own words otherwise."""
    answer: dict[str, Any] = response.json()
    if response.is_error:
        raise SystemExit(f"{response.request.method} {response.request.url}: {answer['detail']}")
    return answer


def array(response: httpx.Response) -> NDArray[Any]:
    result: NDArray[Any] = np.load(io.BytesIO(response.raise_for_status().content))
    return result


def npy_bytes(points: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, points)
    return buffer.getvalue()


def agreement(labels: Labels, components: Labels) -> dict[str, float]:
    return {
        "ari": float(adjusted_rand_score(labels, components)),
        "nmi": float(normalized_mutual_info_score(labels, components)),
    }


if __name__ == "__main__":
    sys.exit(main())
