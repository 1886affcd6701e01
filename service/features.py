"""How the values of each component's points are distributed, against those of all points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.models import QUANTILES, Feature, Spread
from trainer.points import Points, chunks
from trainer.random import derived_seed
from trainer.scaling import Scaling

MAX_FEATURES = 1_024
QUANTILE_POINTS = 1_000  # of a component, or of all, that quantiles are found by


def features(
    scaling: Scaling, points: Points, partition: NDArray[np.int64], k: int
) -> tuple[list[list[Feature]], list[Spread]]:
    """Of each component's points, K times D, and of all, D; empty for images and very wide rows."""
    if points.ndim != 2 or points.shape[1] > MAX_FEATURES:
        return [[] for _ in range(k)], []
    if scaling.logarithm is not None:  # means are those of the values, not of their logarithms
        scaling = Scaling.fit(points)
    means, deviations = _moments(scaling, points, partition, k)
    members = [np.flatnonzero(partition == j) for j in range(k)]
    *parts, whole = (
        [
            Feature(mean=mean, deviation=deviation, shift=shift, quantiles=quantiles)
            for mean, deviation, shift, quantiles in zip(*values, strict=True)
        ]
        for values in zip(
            (means * scaling.scale + scaling.shift).tolist(),
            (deviations * scaling.scale).tolist(),
            means.tolist(),
            [_quantiles(points, rows) for rows in [*members, np.arange(len(points))]],
            strict=True,
        )
    )
    return parts, [Spread(**feature.model_dump(exclude={"shift"})) for feature in whole]


def sums_of(
    values: NDArray[np.floating[Any]], components: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """The sums over each component's rows: (n, D), (n,) -> (K, D)."""
    order = np.argsort(components, kind="stable")
    present, first = np.unique(components[order], return_index=True)
    sums = np.zeros((k, values.shape[1]))
    sums[present] = np.add.reduceat(values[order], first, dtype=np.float64)
    return sums


def _moments(
    scaling: Scaling, points: Points, partition: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations in scaled units, of each component and of all: (K + 1, D)."""
    sums, squares = np.zeros((2, k + 1, points.shape[1]))
    for part in chunks(points):
        x = (np.asarray(points[part], np.float64) - scaling.shift) / scaling.divisor
        sums[:-1] += sums_of(x, partition[part], k)
        squares[:-1] += sums_of(np.square(x), partition[part], k)
    for total in sums, squares:
        total[-1] = total.sum(0)
    counts = np.append(np.bincount(partition, minlength=k), len(points))[:, None].clip(1)
    means = sums / counts
    return means, np.sqrt((squares / counts - np.square(means)).clip(0))


def _quantiles(points: Points, rows: NDArray[np.int64]) -> list[list[float]]:
    """Of each of the D values of some of these rows; empty where there are none."""
    if not len(rows):
        return [[]] * points.shape[1]
    if len(rows) > QUANTILE_POINTS:
        rng = np.random.default_rng(derived_seed("quantiles"))
        rows = np.sort(rng.choice(rows, QUANTILE_POINTS, replace=False, shuffle=False))
    quantiles: list[list[float]] = np.quantile(
        np.asarray(points[rows], np.float64), QUANTILES, axis=0
    ).T.tolist()
    return quantiles
