"""Which columns of a table are better learnt as logarithms."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import skew

from trainer.log_transform import LogTransform
from trainer.points import Points, thinned
from trainer.scaling import Scaling
from trainer.starts import gaussians
from trainer.starts.arrays import Floats

MOST_COLUMNS = 100  # of more the start sees principal components, which have no tails
FITTED, COMPARED = 10_000, 2_000  # points: for a column's unit, and to compare what is simpler
GAUSSIANS = 5  # that tell
SKEWED = 1.0  # the least skewness of a column that is bent
DISTINCT = 1 / 3  # of its values; of fewer, steps and not a tail are what is seen
UNITS = (0.3, 10.0)  # of the median's distance from the end without a tail


def straightened(points: Points, seed: int) -> LogTransform | None:
    """Logarithms of the long-tailed columns of a table (N, D), if Gaussians then describe the
    points better (BIC, change of variables included): a tail may as well be a small cluster."""
    if points.shape[1] > MOST_COLUMNS:
        return None
    columns = thinned(points, FITTED).T
    found = [_origin_and_unit(column) if _has_tail(column) else (0, 0) for column in columns]
    logarithm = LogTransform(*np.array(found, np.float64).T)
    if not logarithm.unit.any():
        return None
    before, after = (_misfit(thinned(points, COMPARED), each, seed) for each in (None, logarithm))
    return logarithm if after < before else None


def _misfit(rows: Floats, logarithm: LogTransform | None, seed: int) -> float:
    scaling = Scaling.fit(rows, logarithm)
    scaled = scaling.apply(rows, torch.device("cpu")).numpy()
    mixture = gaussians.fit(scaled, GAUSSIANS, seed)
    if mixture is None:
        return 0.0
    return float(mixture.bic(scaled) - 2 * scaling.log_slopes(rows).sum())


def _has_tail(column: Floats) -> bool:
    if len(np.unique(column)) < DISTINCT * len(column):
        return False
    return bool(abs(skew(column)) > SKEWED)


def _origin_and_unit(column: Floats) -> tuple[float, float]:
    sign = float(np.sign(skew(column)))
    origin = sign * float((sign * column).min())
    distance = sign * (column - origin)
    median = float(np.median(distance[distance > 0]))

    def misfit(log_unit: float) -> float:
        """Minus the log likelihood of a Gaussian, a value."""
        bent = np.log1p(distance / (median * np.exp(log_unit)))
        return float(np.log(bent.std()) + bent.mean() + log_unit)

    best = minimize_scalar(misfit, bounds=np.log(UNITS), method="bounded")
    return origin, sign * median * float(np.exp(best.x))
