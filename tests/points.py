"""Small data sets that the tests share, and how they travel."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_blobs, make_moons

Points = NDArray[Any]
Labels = NDArray[np.int64]


def three_blobs(n: int = 300) -> tuple[Points, Labels]:
    """Three well separated Gaussians, (n, 2)."""
    points, labels = make_blobs(n, centers=[[0, 0], [8, 8], [-8, 8]], random_state=0)
    return points, labels


def two_moons(n: int = 300) -> tuple[Points, Labels]:
    """Two interleaving half circles, (n, 2)."""
    points, labels = make_moons(n, noise=0.06, random_state=0)
    return points, labels


def digits() -> tuple[Points, Labels]:
    """1,797 handwritten digits, (1797, 8, 8) of uint8."""
    data = load_digits()
    return data.images.astype(np.uint8), data.target


def npy(array: Points) -> bytes:
    """An array as an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
