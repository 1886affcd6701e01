"""Training from a mapped file in a process of its own: how much memory, how long an iteration.

`python -m benchmarks.memory FILE` prints one line of JSON.
"""

import json
import os
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np

from api_schemas.training import training_config
from benchmarks.peak import PeakMemory
from trainer.loop import Report, train
from trainer.npy import map_npy
from trainer.state import TrainingState

DIMENSIONS, COMPONENTS, BATCH, CHUNK = 16, 10, 1024, 1 << 18


def write_points(path: Path, n: int) -> None:
    """A file of n x 16 float32 around ten centres."""
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=4, size=(COMPONENTS, DIMENSIONS)).astype(np.float32)
    out = np.lib.format.open_memmap(path, "w+", np.float32, (n, DIMENSIONS))
    for at in range(0, n, CHUNK):
        rows = out[at : at + CHUNK]
        rows[:] = rng.standard_normal(rows.shape, np.float32)
        rows += centres[rng.integers(COMPONENTS, size=len(rows))]
    out.flush()


def measure(path: Path, epochs: float | None) -> dict[str, Any]:
    """Train in a fresh process; fixed epochs, or with none the default's fixed steps."""
    command = [sys.executable, "-m", "benchmarks.memory", str(path), str(epochs or "")]
    done = run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _train(path: Path, epochs: float | None) -> dict[str, Any]:
    reports: list[Report] = []

    def keep(state: TrainingState, report: Report) -> None:
        reports.append(report)

    options: dict[str, Any] = {"iterations": 3, "polish": False}
    if epochs:
        options |= {"pretraining_epochs": epochs, "epochs": epochs, "batch_size": BATCH}
        options |= {"estimator_epochs": epochs, "initial_partition": "uniform", "rescue": "none"}
    else:
        options |= {"iterations": 2}
    config = training_config(COMPONENTS, **options)
    with PeakMemory(os.getpid()) as memory:
        train(map_npy(path), config, threads=1, on_iteration=keep)
    return {"peak_mib": float(memory.peak[1]), "seconds": [r.seconds for r in reports]}


if __name__ == "__main__":
    file, chosen = sys.argv[1:]
    print(json.dumps(_train(Path(file), float(chosen) if chosen else None)))
