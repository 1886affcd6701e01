"""How fast the trainer is, each figure beside its reference in the same run.

`python -m benchmarks.training [--large] [--json FILE]`: ten minutes at most, with --large twenty
more and 1 GB of disk. The parts on MLPs use one thread. Nothing compiled before is used.
"""

import json
import os
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from api_schemas.training import TrainingConfig, training_config
from benchmarks.figures import Figure
from benchmarks.memory import measure, write_points
from benchmarks.reference import BATCH, BareProducts, PlainLoop
from trainer.architecture import choose_architecture
from trainer.compiled import Graphs, has_compiler, pays
from trainer.devices import cpu_threads, sound_threads
from trainer.generators import Schedule
from trainer.loop import Report, train
from trainer.partition import Members
from trainer.points import Points
from trainer.random import Draws, random_stream
from trainer.scaling import ScaledPoints, Scaling
from trainer.state import TrainingState
from trainer.vae import VAEStack

CPU = torch.device("cpu")
ROUNDS, CHUNK_SECONDS = 15, 0.05
GPU_CHUNK_SECONDS = 0.5  # within which a phase is captured as well
JOB_SECONDS = 120  # of the reference, which our job has to beat with all compiling


def medians(contenders: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Seconds a step of each, taking turns, so that what else runs disturbs all alike.

    On a CPU they are this process's own, so that its waiting for a core does not count.
    """
    on_gpu = torch.cuda.is_available()
    clock = perf_counter if on_gpu else process_time
    chunk = GPU_CHUNK_SECONDS if on_gpu else CHUNK_SECONDS

    def seconds(steps: Callable[[int], object], n: int) -> float:
        started = clock()
        steps(n)
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - started

    counts = {}
    for name, steps in contenders.items():
        steps(3)  # warm up
        few, more = seconds(steps, 3), seconds(steps, 9)  # capturing takes its time in both
        counts[name] = max(3, int(6 * chunk / max(more - few, 1e-4)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, steps in contenders.items():
            times[name].append(seconds(steps, counts[name]) / counts[name])
    return {name: median(found) for name, found in times.items()}


def trainer(
    config: TrainingConfig, points: Points, device: torch.device = CPU, compiled: bool = False
) -> Callable[[int], object]:
    """What trains a stack on a partition into equal parts for a number of steps."""
    x = ScaledPoints(points, Scaling.fit(points), device)
    stack = VAEStack(config.k, choose_architecture(x.shape, config), random_stream(device, 0))
    stack.start_training()
    partition = torch.arange(len(points), device=device) % config.k
    members = Members(partition, config.k, config.batch_size)
    draws = Draws(random_stream(device, 1), config.k)
    graphs: Graphs | None = {} if compiled else None
    return lambda n: stack.fit(
        x, members, Schedule(n, lambda i: config.learning_rate, graphs=graphs), draws
    )


def steps(k: int, device: torch.device = CPU) -> list[Figure]:
    """A step of the paper's MLP VAEs: the stack, the loop, the bare products."""
    config = training_config(k, preset="paper-synthetic")
    points = np.random.default_rng(0).normal(size=(100 * k, 2))
    loop = PlainLoop(list(torch.from_numpy(points).float().to(device).chunk(k)))
    contenders = {
        "loop": loop.train,
        "eager": trainer(config, points, device),
        "products": BareProducts(k, device).run,
    }
    if device.type == "cuda":
        contenders["captured"] = trainer(config, points, device, compiled=True)
    compile_seconds = 0.0
    if device.type == "cpu" and has_compiler():
        contenders["compiled"] = trainer(config, points, compiled=True)
        started = perf_counter()
        contenders["compiled"](2)
        compile_seconds = perf_counter() - started
    took = medians(contenders)
    name = f"{device.type} K {k}: "
    figures = [Figure(f"{name}step, {kind}", took[kind] * 1e6, "us") for kind in contenders]
    bar = {5: 12, 15: 20}.get(k) if device.type == "cpu" else None
    for kind in ("eager", "compiled", "captured"):
        if kind in took:
            ratio = took["loop"] / took[kind]
            target = f">= {bar}" if bar and kind == "compiled" else ""
            reached = ratio >= bar if bar and kind == "compiled" else None
            figures.append(Figure(f"{name}loop / {kind}", ratio, "x", target, reached))
    if "compiled" in took:
        ratio = took["compiled"] / took["products"]
        target, reached = ("<= 2", ratio <= 2) if k == 15 else ("", None)
        figures.append(Figure(f"{name}compiled / bare products", ratio, "x", target, reached))
        figures.append(Figure(f"{name}compiling", compile_seconds, "s"))
    if device.type == "cpu":
        n = int(JOB_SECONDS / took["loop"])
        chosen = pays(choose_architecture((2,), config), n, CPU, 1) and "compiled" in took
        job = n * took["compiled" if chosen else "eager"] + chosen * compile_seconds
        what = f"{name}job of {n:,} steps, {'compiled' if chosen else 'eager'}; the loop 120 s"
        figures.append(Figure(what, job, "s", "<= 120", job <= JOB_SECONDS))
    else:
        share = BareProducts.flops(k) / took["captured"] / _chip_flops(device)
        figures.append(Figure(f"{name}share of the chip's float32 matrix rate", 100 * share, "%"))
    return figures


def iterations(points: int = 20_000, small: int = 5, large: int = 50) -> list[Figure]:
    """A whole iteration at fixed N and epochs, with the classifier: many components, few."""
    data = np.random.default_rng(0).normal(size=(points, 2)).astype(np.float32)
    times: dict[int, list[float]] = {small: [], large: []}
    for _ in range(3):
        for k in times:
            times[k] += _iteration_seconds(data, k)
    took = {k: median(seconds) for k, seconds in times.items()}
    ratio = took[large] / took[small]
    return [
        *(Figure(f"iteration, {points:,} points, K {k}", took[k], "s") for k in took),
        Figure(f"iteration, K {large} / K {small}", ratio, "x", "<= 2", ratio <= 2),
    ]


def _iteration_seconds(data: Points, k: int) -> list[float]:
    reports: list[Report] = []

    def keep(state: TrainingState, report: Report) -> None:
        reports.append(report)

    epochs: dict[str, Any] = {"pretraining_epochs": 0.0, "epochs": 10.0, "estimator_epochs": 5.0}
    config = training_config(
        k, iterations=4, initial_partition="kmeans", polish=False, keep_best=False, **epochs
    )
    train(data, config, threads=1, on_iteration=keep)
    return [report.seconds for report in reports[1:]]


def conv_epoch(images: int = 1_920, k: int = 15) -> list[Figure]:
    """An epoch of the paper's conv VAEs, N draws in all: K of them, and one."""
    pixels = np.random.default_rng(0).random((images, 28, 28), np.float32)
    many, one = (training_config(j, preset="paper-mnist") for j in (k, 1))
    work = BATCH * choose_architecture((1, 28, 28), many).flops_a_point()
    with cpu_threads(sound_threads(work)):
        stack, single = trainer(many, pixels), trainer(one, pixels)
        whole: dict[str, Callable[[int], object]] = {
            "many": lambda n: stack(images // (k * BATCH)),
            "one": lambda n: single(images // BATCH),
        }
        times: dict[str, list[float]] = {name: [] for name in whole}
        for attempt in range(6):
            for name, epoch in whole.items():
                started = perf_counter()
                epoch(1)
                if attempt:  # the first warms up
                    times[name].append(perf_counter() - started)
    took = {name: median(seconds) for name, seconds in times.items()}
    ratio = took["many"] / took["one"]
    return [
        Figure(f"conv epoch, {images:,} images, K {k}", took["many"], "s"),
        Figure(f"conv epoch, {images:,} images, one VAE", took["one"], "s"),
        Figure("conv epoch, ratio", ratio, "x", "<= 1.2", ratio <= 1.2),
    ]


def large() -> list[Figure]:
    """Memory at 10,000,000 x 16 (fixed steps, default start); time at fixed epochs in N."""
    figures = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "points.npy"
        write_points(file, 10_000_000)
        found = measure(file, None)
        peak, slowest = found["peak_mib"], max(found["seconds"])
        figures.append(
            Figure("anonymous memory, 10M x 16", peak, "MiB", "< 1024", peak < 1024),
        )
        figures.append(Figure("its slower iteration of two, fixed steps", slowest, "s"))
        per_million = {}
        for millions in (1, 2, 4):
            write_points(file, millions * 1_000_000)
            seconds = median(measure(file, 1.0)["seconds"][1:])
            per_million[millions] = seconds / millions
            figures.append(Figure(f"iteration, {millions}M x 16, 1 epoch", seconds, "s"))
    off = max(abs(per_million[m] / per_million[1] - 1) for m in (2, 4))
    figures.append(Figure("off linear in N", 100 * off, "%", "<= 15", off <= 0.15))
    return figures


def _chip_flops(device: torch.device) -> float:
    """Multiplications and additions a second of a large float32 matrix product, measured."""
    n = 8192
    a = torch.randn(n, n, device=device)
    took = medians({"product": lambda times: [a @ a for _ in range(times)]})
    return 2 * n**3 / took["product"]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--large", action="store_true", help="also 10,000,000 points from a file")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    cache = TemporaryDirectory()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache.name  # compiling is measured from nothing

    def show(part: list[Figure]) -> None:
        figures.extend(part)
        print(*map(Figure.line, part), sep="\n", flush=True)

    with cpu_threads(1):
        for k in (5, 15):
            show(steps(k))
        show(iterations())
    show(conv_epoch())
    if arguments.large:
        show(large())
    if torch.cuda.is_available():
        for k in (5, 15, 100, 1000):
            show(steps(k, torch.device("cuda")))
    else:
        print("No CUDA device: its figures are left out.")
    cache.cleanup()
    if arguments.json:
        report: dict[str, Any] = {
            "torch": torch.__version__,
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "figures": [figure._asdict() for figure in figures],
        }
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
