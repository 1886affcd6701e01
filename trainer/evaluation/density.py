"""Log-likelihood of true points under a model that can only be sampled."""

from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.neighbors import KernelDensity

Rows = NDArray[np.floating]

RELATIVE_ERROR = 1e-4  # of each density, in return for pruning the tree
NARROWEST, WIDEST = 1 / 300, 3.0  # bandwidths to search, in units of Scott's
PRECISION = 0.02  # of the bandwidth's logarithm


def mean_log_likelihood(samples: Rows, held_out: Rows, points: Rows) -> float:
    """Mean log density of true points under samples of a model, in nats a point.

    Gaussian kernel density estimation (Locatello et al., 2018, appendix A) on ``samples`` (n, D),
    read at ``points`` (m, D), with the bandwidth that suits ``held_out`` (l, D), other true
    points. All are in one unit.
    """
    return _mean_log_density(samples, choose_bandwidth(samples, held_out), points)


def choose_bandwidth(samples: Rows, held_out: Rows) -> float:
    """The bandwidth, in the samples' unit, under which held-out points are likeliest."""
    n, d = samples.shape
    scott = max(float(samples.std(0).mean()), np.finfo(np.float32).tiny) * n ** (-1 / (d + 4))
    found = minimize_scalar(
        lambda log_width: -_mean_log_density(samples, exp(log_width), held_out),
        bounds=(log(scott * NARROWEST), log(scott * WIDEST)),
        method="bounded",
        options={"xatol": PRECISION},
    )
    return exp(found.x)


def _mean_log_density(samples: Rows, bandwidth: float, points: Rows) -> float:
    kernels = KernelDensity(bandwidth=bandwidth, rtol=RELATIVE_ERROR).fit(samples)
    return float(kernels.score_samples(points).mean())
