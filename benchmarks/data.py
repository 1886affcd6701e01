"""Real data sets, read from the folder that KVAE_DATA names, with labels to judge by."""

import gzip
import os
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from benchmarks.tables import MADE
from trainer.evaluation.synthetic import POINTS, VARIANCES, synthetic

FCPS = (
    "atom",
    "chainlink",
    "engytime",
    "hepta",
    "lsun",
    "target",
    "tetra",
    "twodiamonds",
    "wingnut",
)
NOISE = 0  # label of points that FCPS leaves unjudged
TABLES = {"iris": load_iris, "wine": load_wine, "breast-cancer": load_breast_cancer}
OVERLAPPING = {  # name: the weights of Gaussians, their dimensions, the distance of their centres
    "overlapping": ([0.2] * 5, 10, 3.0),
    "unbalanced": ([0.9, 0.07, 0.03], 2, 7.0),
}
OVERLAPPING_POINTS = 1_500
IMAGES = 10_000  # of MNIST, where it is clustered
IDX_HEADER = 4  # bytes before the sizes

Points = NDArray[np.generic]
Labels = NDArray[np.int64]


def data_folder() -> Path | None:
    """Where KVAE_DATA points, if it is set."""
    folder = os.environ.get("KVAE_DATA")
    return Path(folder) if folder else None


def clustering_sets(folder: Path | None) -> list[str]:
    """Names that `load` knows; without a folder those that need none."""
    made = [
        "digits",
        *TABLES,
        *OVERLAPPING,
        *MADE,
        *(f"synthetic-{modes}" for modes in VARIANCES),
    ]
    return made if folder is None else [*FCPS, "pendigits", "mnist", *made]


def load(name: str, folder: Path | None) -> tuple[Points, Labels]:
    """Points (N, *shape) and labels (N,) of one of `clustering_sets`. Raises OSError."""
    if name == "digits":
        digits = load_digits()
        return digits.images, digits.target
    if name in TABLES:
        points, labels = TABLES[name](return_X_y=True)
        return points, labels
    if name in OVERLAPPING:
        return _gaussians(*OVERLAPPING[name])
    if name in MADE:
        return MADE[name](np.random.default_rng(0))
    if name.startswith("synthetic-"):
        return synthetic(int(name.removeprefix("synthetic-")), POINTS, seed=0)
    if folder is None:
        raise FileNotFoundError(f"{name}: KVAE_DATA names no folder of data sets")
    if name == "mnist":
        images, labels = mnist(folder)
        return images[:IMAGES], labels[:IMAGES]
    if name == "pendigits":
        table = np.genfromtxt(
            folder / "pendigits" / "pendigits.csv", delimiter=",", skip_header=1, dtype=np.int64
        )
        return table[:, 1:-1], table[:, -1]
    points = np.loadtxt(folder / "fcps" / f"{name}.data.gz")
    return points, np.loadtxt(folder / "fcps" / f"{name}.labels0.gz", dtype=np.int64)


def mnist(folder: Path, train: bool = True) -> tuple[NDArray[np.uint8], Labels]:
    """MNIST's images (N, 28, 28) and labels (N,). Raises OSError."""
    part = "train" if train else "t10k"
    raw = folder / "MNIST" / "raw"
    images = _idx(raw / f"{part}-images-idx3-ubyte.gz")
    return images, _idx(raw / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


def _gaussians(weights: list[float], dimensions: int, radius: float) -> tuple[Points, Labels]:
    """Unit Gaussians whose centres lie ``radius`` from the origin, in random directions."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(len(weights), dimensions))
    centres *= radius / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = rng.choice(len(weights), OVERLAPPING_POINTS, p=weights)
    return centres[labels] + rng.normal(size=(OVERLAPPING_POINTS, dimensions)), labels


def _idx(path: Path) -> NDArray[np.uint8]:
    """A gzipped IDX file of bytes: its fourth byte is the number of axes, then come their sizes."""
    content = gzip.decompress(path.read_bytes())
    axes = content[IDX_HEADER - 1]
    shape = np.frombuffer(content, ">i4", axes, IDX_HEADER)
    values = np.frombuffer(content, np.uint8, prod(shape), IDX_HEADER + 4 * axes)
    return values.reshape(shape)
