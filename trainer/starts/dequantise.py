"""Noise in place of the steps of rounded, counted and categorical values."""

import numpy as np

from trainer.starts.arrays import Features

MOST = 2 / 3  # of a column's variance, for categories that are rare
COARSE = 0.25  # of the variance of all columns


def dequantise(rows: Features, seed: int) -> tuple[Features, bool]:
    """Rows (n, D) with uniform noise as wide as a step of each column's values (Uria et al., 2013),
    and whether they are coarse: whether that noise is much of them, as most columns have but two
    or three values. Neighbours and Gaussians would else take the gaps between values for clusters.
    """
    variances = rows.var(0)
    half = np.array([_step(column) for column in rows.T]) / 2
    half = np.minimum(half, np.sqrt(3 * MOST * variances))
    noise = np.random.default_rng(seed).uniform(-half, half, rows.shape)
    is_coarse = np.square(half).sum() / 3 > COARSE * variances.sum()
    return (rows + noise).astype(np.float32), bool(is_coarse)


def _step(column: Features) -> float:
    steps = np.diff(np.unique(column))
    return float(np.median(steps)) if len(steps) else 0.0
