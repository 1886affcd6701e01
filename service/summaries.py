"""What is kept of a model's training points: where each belongs, how surely, and what is typical.

All of it is found once, by the worker that trained the model.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from api_schemas.models import Feature
from trainer import Mixture
from trainer.points import CHUNK_VALUES, Points, chunks
from trainer.random import derived_seed

TYPICAL, CANDIDATES = 10, 1_000  # members a component that are shown, and looked through
MAX_FEATURES = 1_024


@dataclass(frozen=True)
class Summary:
    """Of N training points and K components."""

    partition: NDArray[np.int64]  # (N,)
    confidence: NDArray[np.float32]  # (N,), the posterior of each point's component
    typical: list[list[int]]  # K times up to 10 rows
    features: list[list[Feature]]  # K times D; empty for images and for very wide rows

    @property
    def sizes(self) -> list[int]:
        sizes: list[int] = np.bincount(self.partition, minlength=len(self.typical)).tolist()
        return sizes


def summarise(mixture: Mixture, points: Points, partition: NDArray[np.int64]) -> Summary:
    """Look through the training points (N, *shape), a bounded piece at a time."""
    confidence = np.empty(len(points), np.float32)
    for part in chunks(points):
        posterior = mixture.posterior(points[part])
        confidence[part] = np.take_along_axis(posterior, partition[part, None], 1)[:, 0]
    typical = [typical_rows(mixture, points, partition, j) for j in range(mixture.components)]
    return Summary(partition, confidence, typical, _features(mixture, points, partition))


def typical_rows(
    mixture: Mixture, points: Points, partition: NDArray[np.int64], component: int
) -> list[int]:
    """The members of highest density under their component, of up to 1,000 of them.

    A generator that has no density is stood for by the estimator.
    """
    rows = np.flatnonzero(partition == component)
    if not len(rows):
        return []
    rng = np.random.default_rng(derived_seed("typical", component))
    rows = np.sort(rng.permutation(rows)[:CANDIDATES])
    at_once = max(1, CHUNK_VALUES // prod(points.shape[1:]))
    parts = np.split(rows, range(at_once, len(rows), at_once))
    density = np.concatenate([_densities(mixture, points[part], component) for part in parts])
    best: list[int] = rows[np.argsort(-density, kind="stable")[:TYPICAL]].tolist()
    return best


def _densities(mixture: Mixture, members: Points, component: int) -> NDArray[np.floating]:
    if not mixture.generators.has_density:
        return mixture.log_densities(members)[:, component]
    x = mixture.scaling.apply(members, mixture.device)
    density: NDArray[np.floating] = (
        mixture.generators.select([component]).log_density(x)[:, 0].cpu().numpy()
    )
    return density


def _features(
    mixture: Mixture, points: Points, partition: NDArray[np.int64]
) -> list[list[Feature]]:
    k = mixture.components
    if points.ndim != 2 or points.shape[1] > MAX_FEATURES:
        return [[] for _ in range(k)]
    shift, scale = mixture.scaling.shift, mixture.scaling.scale
    counts = np.bincount(partition, minlength=k)[:, None].clip(1)
    sums, squares = np.zeros((2, k, points.shape[1]))
    for part in chunks(points):
        order = np.argsort(partition[part], kind="stable")
        present, first = np.unique(partition[part][order], return_index=True)
        x = (np.asarray(points[part], np.float64)[order] - shift) / scale
        sums[present] += np.add.reduceat(x, first)
        squares[present] += np.add.reduceat(np.square(x), first)
    means = sums / counts
    deviations = np.sqrt((squares / counts - np.square(means)).clip(0))
    found = zip(means * scale + shift, deviations * scale, means, strict=True)
    return [
        [Feature(mean=m, deviation=d, shift=s) for m, d, s in zip(*map(list, rows), strict=True)]
        for rows in found
    ]
