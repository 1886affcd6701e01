"""Which columns of a table are better learnt as logarithms."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import skew

from trainer.log_transform import LogTransform
from trainer.points import Floats, Points, thinned
from trainer.scaling import Scaling, reach
from trainer.starts import gaussians

MOST_COLUMNS = 100  # of more a mixture of Gaussians takes too long to tell
FITTED, COMPARED = 10_000, 2_000  # points: for a column's unit, and to compare what is simpler
GAUSSIANS = 5  # that tell
SKEWED, BULK = 1.0, (0.005, 0.995)  # the least skewness of a column's bulk, if it is bent
DISTINCT, ASKED = 1 / 3, 1_000  # of so many values; of fewer, steps and no tail are what is seen
UNITS = (0.3, 10.0)  # of the median's distance from the end without a tail


def fit_log_transform(points: Points, seed: int) -> LogTransform | None:
    """To the long-tailed columns of a table (N, D), if Gaussians then describe the points better
    (BIC, change of variables included): a tail may as well be a small cluster. None otherwise, and
    for more than 100 columns or at most 20 points."""
    if points.shape[1] > MOST_COLUMNS:
        return None
    rows = np.asarray(thinned(points, FITTED), np.float64)
    varied = np.array([_has_many_values(column) for column in rows.T])
    low, high = reach(rows)
    near = (rows >= low) & (rows <= high)
    origin, unit = np.zeros((2, rows.shape[1]))
    for j in np.flatnonzero(varied):
        column = rows[near[:, j], j]
        if sign := _direction(column):
            origin[j], unit[j] = _origin_and_unit(column, sign)
    some = thinned(rows[near.all(1)], COMPARED)[:, varied]  # few values have no density
    if not unit.any() or len(some) <= gaussians.FEWEST * GAUSSIANS:
        return None
    bent = LogTransform(origin[varied], unit[varied])
    before, after = (_misfit(some, each, seed) for each in (None, bent))
    return LogTransform(origin, unit) if after < before else None


def _misfit(rows: Floats, logarithm: LogTransform | None, seed: int) -> float:
    scaling = Scaling.fit(rows, logarithm)
    scaled = scaling.apply(rows, torch.device("cpu")).numpy()
    mixture = gaussians.fit(scaled, GAUSSIANS, seed)
    assert mixture is not None  # noqa: S101 - there are enough points
    return float(mixture.bic(scaled) - 2 * scaling.log_slopes(rows).sum())


def _has_many_values(column: Floats) -> bool:
    some = thinned(column, ASKED)
    return len(np.unique(some)) >= DISTINCT * len(some)


def _direction(column: Floats) -> float:
    """1 or -1 where the column's tail points up or down, else 0."""
    within = column.clip(*np.quantile(column, BULK))  # one wild value is no tail
    lean = float(skew(within)) if within.std() > 0 else 0.0
    return float(np.sign(lean)) if abs(lean) > SKEWED else 0.0


def _origin_and_unit(column: Floats, sign: float) -> tuple[float, float]:
    end, quartile = np.quantile(sign * column, (BULK[0], 0.25))
    upwards = sign * column
    upwards = upwards[upwards >= end - (quartile - end)]  # the end without a tail is near
    origin = float(upwards.min())
    distance = upwards - origin
    median = float(np.median(distance[distance > 0]))

    def misfit(log_unit: float) -> float:
        """Minus the log likelihood of a Gaussian, a value."""
        bent = np.log1p(distance / (median * np.exp(log_unit)))
        return float(np.log(bent.std()) + bent.mean() + log_unit)

    best = minimize_scalar(misfit, bounds=np.log(UNITS), method="bounded")
    return sign * origin, sign * median * float(np.exp(best.x))
