"""`python -m benchmarks.paper`: Table 1 and Figures 2 and 3 of Locatello et al. (2018)."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import torch

from benchmarks import mnist, synthetic
from benchmarks.data import data_folder
from benchmarks.report import NO_MNIST, markdown
from benchmarks.scale import FULL, QUICK, Row, Scale
from service.processes import die_with_parent
from trainer.evaluation.synthetic import VARIANCES

SCALES = {scale.name: scale for scale in (QUICK, FULL)}
PROCESSES = 2

Task = Callable[[], list[Row]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write FILE as rows come, and at the end FILE's name with .md and the pictures; returns the
    exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, help="of the default preset; else as the scale has it")
    parser.add_argument(
        "--inception",
        type=Path,
        metavar="WEIGHTS",
        help="a safetensors file; judge images by Inception's features, not the LeNet's",
    )
    asked = parser.parse_args(arguments)
    scale, out = SCALES[asked.scale], asked.json.parent
    scale = replace(scale, seeds=asked.seeds or scale.seeds)
    out.mkdir(parents=True, exist_ok=True)
    started = perf_counter()
    folder = data_folder()
    source = mnist.Source(folder, asked.inception) if folder else None
    rows: list[Row] = []
    for row in run(tasks(scale, source, out)):
        print(*row, file=sys.stderr, flush=True)
        rows.append(row)
        minutes = (perf_counter() - started) / 60
        result = {"scale": scale.name, "minutes": minutes, "rows": [row._asdict() for row in rows]}
        asked.json.write_text(json.dumps(result, indent=2) + "\n")
    report = markdown(rows, scale, minutes, "Inception" if asked.inception else "LeNet")
    asked.json.with_suffix(".md").write_text(report)
    print(report)
    return 0


def tasks(scale: Scale, source: mnist.Source | None, out: Path) -> list[Task]:
    """Everything to be run, the longest first."""
    seeds = range(scale.seeds)
    chosen: list[Task] = []
    if source is None:
        print(NO_MNIST, file=sys.stderr)
    else:
        chosen = [
            partial(mnist.baseline, "VAE-512", scale, 0, source),
            partial(mnist.kvaes, scale, 0, source, out),
            *(partial(mnist.default_single, scale, seed, source) for seed in seeds),
            *(partial(mnist.default, scale, seed, source, out) for seed in seeds),
            partial(mnist.baseline, "VAE-64", scale, 0, source),
            partial(mnist.baseline, "bag", scale, 0, source),
        ]
    for modes in VARIANCES:
        for method in synthetic.METHODS:
            repeated = seeds if method == "default" else range(1)
            chosen += [partial(synthetic.run, method, modes, s, scale, out) for s in repeated]
        chosen.append(partial(synthetic.oracle, modes, out))
    return chosen


def run(chosen: Sequence[Task]) -> Iterator[Row]:
    """All rows, each once it is there; a task that fails is the last."""
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, begin, (os.getpid(),)) as pool:
        try:
            for done in as_completed([pool.submit(task) for task in chosen]):
                yield from done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def begin(parent: int) -> None:
    """Of a process that computes: it ends with the one that wants the rows."""
    die_with_parent(parent)
    torch.set_num_threads(1)


if __name__ == "__main__":
    sys.exit(main())
