"""Which columns of a table are better learnt as logarithms."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import skew

from trainer.log_transform import LogTransform
from trainer.points import Floats, Points, thinned
from trainer.scaling import Scaling
from trainer.starts import gaussians

MOST_COLUMNS = 100  # of more a mixture of Gaussians takes too long to tell
FITTED, COMPARED = 10_000, 2_000  # points: for a column's unit, and to compare what is simpler
GAUSSIANS = 5  # that tell
SKEWED = 1.0  # the least skewness of a column that is bent
DISTINCT, ASKED = 1 / 3, 1_000  # of so many values; of fewer, steps and no tail are what is seen
UNITS = (0.3, 10.0)  # of the median's distance from the end without a tail


def fit_log_transform(points: Points, seed: int) -> LogTransform | None:
    """To the long-tailed columns of a table (N, D), if Gaussians then describe the points better
    (BIC, change of variables included): a tail may as well be a small cluster. None otherwise, and
    for more than 100 columns or at most 20 points."""
    if points.shape[1] > MOST_COLUMNS or len(points) <= gaussians.FEWEST * GAUSSIANS:
        return None
    columns = np.asarray(thinned(points, FITTED), np.float64).T
    found = [_origin_and_unit(column) if _has_tail(column) else (0, 0) for column in columns]
    logarithm = LogTransform(*np.array(found, np.float64).T)
    if not logarithm.unit.any():
        return None
    some = np.asarray(thinned(points, COMPARED), np.float64)
    before, after = (_misfit(some, each, seed) for each in (None, logarithm))
    return logarithm if after < before else None


def _misfit(rows: Floats, logarithm: LogTransform | None, seed: int) -> float:
    scaling = Scaling.fit(rows, logarithm)
    scaled = scaling.apply(rows, torch.device("cpu")).numpy()
    mixture = gaussians.fit(scaled, GAUSSIANS, seed)
    assert mixture is not None  # noqa: S101 - there are enough points
    return float(mixture.bic(scaled) - 2 * scaling.log_slopes(rows).sum())


def _has_tail(column: Floats) -> bool:
    some = thinned(column, ASKED)
    if len(np.unique(some)) < DISTINCT * len(some):
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
