"""How much of the data a model's samples reach."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5

Rows = NDArray[np.floating]


def coverage(points: Rows, samples: Rows, neighbours: int = NEIGHBOURS) -> float:
    """Share of true points that have a sample nearer than their k-th true neighbour.

    Coverage of Naeem et al. (2020): ``points`` (n, D), as many ``samples`` (n, D), 0 to 1. Of
    images give features. Samples of the truth itself get 1 - 2^-k in expectation. Raises
    ValueError unless there are more points than neighbours.
    """
    radii = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors()[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(points)[0][:, 0]
    return float((nearest <= radii).mean())
