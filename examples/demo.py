"""`make demo`: digits through the whole service, from the upload to pictures of every component.

Starts the embedded stack, talks to it over HTTP only, and leaves demo-output/ behind.
"""

import argparse
import gzip
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

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from client import KVAE, KVAEError
from service.pictures import grid
from service.processes import die_with_parent
from trainer.vision import mnist

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
            with KVAE(address) as kvae:
                demonstrate(kvae, console, arguments, images, labels)
    except KVAEError as error:
        raise SystemExit(str(error)) from error
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
    kvae: KVAE,
    console: Console,
    arguments: argparse.Namespace,
    images: Images,
    labels: Labels,
) -> None:
    """Upload, train, assign, sample, and write what came of it."""
    new, seen = images[:HELD_OUT], images[HELD_OUT:]
    with stopwatch() as upload_seconds:
        dataset = kvae.upload(seen, name=arguments.data)
    console.print(f"Uploaded {dataset.rows} images of {dataset.shape} pixels")
    with stopwatch() as training_seconds:
        model = kvae.train(dataset, seed=SEED, **JOBS[arguments.data])
    with stopwatch() as assign_seconds:
        assigned = kvae.assign(new)
    console.print(f"Assigned {len(new)} new digits in {assign_seconds() * 1000:.0f} ms")
    with stopwatch() as sample_seconds:
        write_pictures(kvae, arguments.out, model.components)
        samples = kvae.sample(SAMPLES, seed=SEED).points
    np.save(arguments.out / "samples.npy", samples)
    partition = kvae.models.assignments()["component"]
    write_members(arguments.out, seen, partition, model.components)
    write_overview(kvae, arguments.out, seen, partition, model.components)
    report = {
        "model": model.model_dump(mode="json"),
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


def write_pictures(kvae: KVAE, out: Path, k: int) -> None:
    """Samples of every component and of the mixture, as the service draws them."""
    for component in [*range(k), None]:
        name = "mixture.png" if component is None else f"component-{component}-samples.png"
        kvae.sample_file(out / name, SHOWN, component=component, seed=SEED)


def write_members(out: Path, images: Images, partition: Labels, k: int) -> None:
    """Real images of every component."""
    for component in range(k):
        members = images[partition == component][:SHOWN]
        if len(members):
            (out / f"component-{component}-members.png").write_bytes(grid(members))


def write_overview(kvae: KVAE, out: Path, images: Images, partition: Labels, k: int) -> None:
    """A row a component: real members on the left, samples on the right."""
    blank = np.zeros((1, *images.shape[1:]))
    rows = []
    for component in range(k):
        members = images[partition == component][:ABREAST].astype(np.float64)
        padding = np.repeat(blank, ABREAST - len(members), 0)
        samples = kvae.sample(ABREAST, component=component, seed=SEED).points
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
    command = [sys.executable, "-m", "service", "up", "--port", "0", "--with-parent", "--folder"]
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


def agreement(labels: Labels, components: Labels) -> dict[str, float]:
    return {
        "ari": float(adjusted_rand_score(labels, components)),
        "nmi": float(normalized_mutual_info_score(labels, components)),
    }


if __name__ == "__main__":
    sys.exit(main())
