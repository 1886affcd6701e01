"""`python -m benchmarks.clustering`: ARI of the default preset beside k-means and a mixture."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from api_schemas.training import training_config
from benchmarks.data import FCPS, NOISE, Labels, Points, clustering_sets, data_folder, load
from trainer import train
from trainer.beginning import settle_components
from trainer.evaluation.clustering import agreement

KMEANS_STARTS, GAUSSIAN_STARTS = 10, 5
BARS = {"digits": 0.79, "pendigits": 0.74, "mnist": 0.65}
BARS |= {f"synthetic-{modes}": 0.99 for modes in (3, 5, 9)}
COMPONENTS, REDUCED_FROM = 50, 100
RIDGE = 1e-4  # on covariances: pixels at the edge are constant
SLACK = 0.01  # of FCPS, below the better of the two peers
FCPS_BAR = 0.95  # the mean over its sets


class Run(NamedTuple):
    """One method on one data set from one seed."""

    data: str
    method: str
    seed: int
    ari: float
    nmi: float
    accuracy: float
    seconds: float


def kvae(points: Points, k: int, seed: int) -> Labels:
    """The default preset, which sees no labels."""
    return train(points, training_config(k, seed), threads=1).partition


def kmeans(points: Points, k: int, seed: int) -> Labels:
    return np.asarray(KMeans(k, n_init=KMEANS_STARTS, random_state=seed).fit_predict(rows(points)))


def gaussian(points: Points, k: int, seed: int) -> Labels:
    """Full covariances; of more than 100 values a point, its 50 principal components."""
    x = rows(points)
    x = PCA(COMPONENTS).fit_transform(x) if x.shape[1] > REDUCED_FROM else x
    mixture = GaussianMixture(k, n_init=GAUSSIAN_STARTS, random_state=seed, reg_covar=RIDGE)
    return np.asarray(mixture.fit_predict(x))


def rows(points: Points) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Images as rows of pixels in [0, 1]: (N, D)."""
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    return flat if points.ndim == 2 else flat / flat.max()


Methods = Mapping[str, Callable[[Points, int, int], Labels]]
METHODS: Methods = {
    "kvae": kvae,
    "k-means": kmeans,
    "gaussian": gaussian,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write FILE and print the table; returns the exit status."""
    folder = data_folder()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustering", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=5)
    names = clustering_sets(folder)
    parser.add_argument("--data", nargs="+", choices=names, default=names, metavar="NAME")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        runs = list(measured(asked.data, asked.seeds, folder))
    asked.json.write_text(json.dumps([run._asdict() for run in runs], indent=2) + "\n")
    print(table(runs), numbers(asked.data, folder), sep="\n\n")
    return 0


def measured(
    names: Sequence[str], seeds: int, folder: Path | None, methods: Methods = METHODS
) -> Iterator[Run]:
    """Every method on every data set from every seed, with the true number of clusters."""
    for name in names:
        points, labels, judged = judgeable(name, folder)
        k = len(np.unique(labels[judged]))
        for seed in range(seeds):
            for method, cluster in methods.items():
                started = perf_counter()
                partition = cluster(points, k, seed)
                seconds = perf_counter() - started
                found = agreement(labels[judged], partition[judged])
                print(f"{name} {method} {seed}: {found.ari:.3f}, {seconds:.1f} s", file=sys.stderr)
                yield Run(name, method, seed, *found, seconds)


def judgeable(name: str, folder: Path | None) -> tuple[Points, Labels, NDArray[np.bool_]]:
    """Points (N, ...), labels (N,), and which of them judge: those that are no noise, (N,)."""
    points, labels = load(name, folder)
    return points, labels, labels != NOISE if name in FCPS else np.full(len(labels), True)


def numbers(names: Sequence[str], folder: Path | None) -> str:
    """What `components="auto"` takes K for beside the labels' number, as Markdown."""
    lines = ["| data | labels | auto |", "| --- " * 3 + "|"]
    for name in names:
        points, labels, judged = judgeable(name, folder)
        found = settle_components(points, training_config("auto")).k
        lines.append(f"| {name} | {len(np.unique(labels[judged]))} | {found} |")
    return "\n".join(lines)


def table(runs: Sequence[Run]) -> str:
    """Mean ARI a data set and method as Markdown, with the bar for the default preset."""
    ari = averages(runs)
    names = list(dict.fromkeys(run.data for run in runs))
    lines = [f"| data | {' | '.join(METHODS)} | bar | reached | seconds |", "| --- " * 7 + "|"]
    for name in names:
        means = [ari[name, method] for method in METHODS]
        bar = BARS.get(name, max(means[1:]) - SLACK)
        seconds = mean(r.seconds for r in runs if r.data == name and r.method == "kvae")
        lines.append(_line(name, means, bar, f"{seconds:.1f}"))
    if set(FCPS) <= set(names):
        means = [mean(ari[name, method] for name in FCPS) for method in METHODS]
        lines.append(_line("FCPS, mean", means, FCPS_BAR, ""))
    return "\n".join(lines)


def averages(runs: Sequence[Run]) -> dict[tuple[str, str], float]:
    """Mean ARI over the seeds."""
    keys = {(run.data, run.method) for run in runs}
    return {key: mean(r.ari for r in runs if (r.data, r.method) == key) for key in keys}


def _line(name: str, means: Sequence[float], bar: float, seconds: str) -> str:
    shown = " | ".join(f"{value:.3f}" for value in means)
    reached = "yes" if means[0] >= bar else "no"
    return f"| {name} | {shown} | {bar:.3f} | {reached} | {seconds} |"


if __name__ == "__main__":
    sys.exit(main())
