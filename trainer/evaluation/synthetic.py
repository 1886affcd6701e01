"""The synthetic data of Locatello et al. (2018), appendix A: 3, 5 or 9 bent Gaussians in 2-D.

The paper gives the bend; positions and variances are those of Tolstikhin et al. (2017), whose
log-likelihoods agree with the paper's Table 1a.
"""

from math import log, pi

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

POINTS = 64_000
MEANS = np.array(
    [
        (0.365, -1.871),
        (7.052, 8.844),
        (-10.85, -7.09),
        (-12.62, -9.503),
        (7.256, -5.382),
        (-0.951, -13.078),
        (-12.977, -11.848),
        (-7.278, 6.804),
        (8.613, -5.792),
    ]
)
VARIANCES = {3: 15 / 8, 5: 15 / 75, 9: 15 / 243}  # by the number of modes
BEND, BEND_ZERO = 0.04, 100.0  # x2 + 0.04 (x1^2 - 100): its Jacobian is 1

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]


def synthetic(modes: int, n: int, seed: int) -> tuple[Rows, Labels]:
    """``n`` points (n, 2) and the mode of each, (n,). Raises KeyError unless modes is 3, 5, 9."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, modes, n)
    points = rng.normal(MEANS[labels], VARIANCES[modes] ** 0.5)
    points[:, 1] += _bend(points)
    return points, labels


def log_density(points: Rows, modes: int) -> Rows:
    """The oracle's exact log density in nats: (n, 2) -> (n,)."""
    straight = points.copy()
    straight[:, 1] -= _bend(points)
    squares = np.square(straight[:, None] - MEANS[:modes]).sum(2)
    variance = VARIANCES[modes]
    normaliser = log(modes * 2 * pi * variance)
    return np.asarray(logsumexp(-squares / (2 * variance), axis=1) - normaliser, np.float64)


def _bend(points: Rows) -> Rows:
    return BEND * (points[:, 0] ** 2 - BEND_ZERO)
