"""`python -m benchmarks.deep`: ARI of ClustPy's deep clusterings, each with its own defaults.

On the data sets of `make bench-clustering`, for a Python that has clustpy beside all that is
installed here.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.clustering import averages, measured, rows
from benchmarks.data import Labels, Points, clustering_sets, data_folder
from trainer.vision import torchvision_module

NAMES = ("VaDE", "IDEC", "DEC")


def clustered(method: Any, points: Points, k: int, seed: int) -> Labels:
    """Values are scaled to [0, 1], which VaDE's cross-entropy asks for."""
    x = rows(points)
    span = np.ptp(x, axis=0)
    scaled = (x - x.min(0)) / np.where(span == 0, 1, span)
    fitted = method(k, random_state=np.random.RandomState(seed)).fit(scaled.astype(np.float32))
    return np.asarray(fitted.labels_)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write FILE and print the table; returns the exit status."""
    folder = data_folder()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=5)
    sets = clustering_sets(folder)
    parser.add_argument("--data", nargs="+", choices=sets, default=sets, metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    asked = parser.parse_args(arguments)
    torchvision_module("utils")  # clustpy imports all of torchvision
    import clustpy.deep

    methods = {name: partial(clustered, getattr(clustpy.deep, name)) for name in asked.methods}
    torch.set_num_threads(1)
    with threadpool_limits(1):
        runs = list(measured(asked.data, asked.seeds, folder, methods))
    asked.json.write_text(json.dumps([run._asdict() for run in runs], indent=2) + "\n")
    ari = averages(runs)
    print(
        f"| data | {' | '.join(asked.methods)} |",
        "| --- " * (len(asked.methods) + 1) + "|",
        sep="\n",
    )
    for name in asked.data:
        means = (f"{ari[name, method]:.3f}" for method in asked.methods)
        print(f"| {name} | {' | '.join(means)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
