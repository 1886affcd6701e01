"""Columns with a long tail, as prices and durations have, bent so that they have none."""

from typing import NamedTuple, Self

import numpy as np
from scipy.stats import skew, yeojohnson

from trainer.starts import gaussians
from trainer.starts.arrays import Features, Floats, thinned

SKEWED = 1.0  # the least skewness of a column that is bent
DISTINCT = 1 / 3  # of its values; of fewer, steps and not a tail are what is seen
GAUSSIANS, COMPARED = 5, 2_000  # that tell whether the bent points are simpler, and of how many


class _Bend(NamedTuple):
    """What is done to a column: sign * unit * YeoJohnson((sign * x - origin) / scale; power)."""

    column: int
    sign: float
    origin: float
    scale: float
    power: float
    unit: float


class Unskewed:
    """The power transformation of Yeo & Johnson (2000) on each long-tailed column of a table.

    Variances stay. It is there only where a mixture of Gaussians describes the bent points better
    than the points (BIC, change of variables included): a tail may as well be a small cluster.
    """

    def __init__(self, bends: list[_Bend]) -> None:
        self._bends = bends

    @classmethod
    def fit(cls, rows: Features, seed: int) -> Self:
        """To rows (n, D)."""
        bent = cls([_bend(j, column) for j, column in enumerate(rows.T) if _has_tail(column)])
        return bent if bent._bends and bent._is_simpler(rows, seed) else cls([])

    def __call__(self, rows: Features) -> Features:
        """Any points' rows, bent: (n, D)."""
        if not self._bends:
            return rows
        bent = rows.copy()
        for bend in self._bends:
            distance = _distance(bend, rows[:, bend.column])
            bent[:, bend.column] = bend.sign * bend.unit * yeojohnson(distance, bend.power)
        return bent

    def _is_simpler(self, rows: Features, seed: int) -> bool:
        some = thinned(rows, COMPARED)
        bent = self(some)
        before, after = (gaussians.fit(each, GAUSSIANS, seed) for each in (some, bent))
        if before is None or after is None:
            return False
        slopes = sum(float(_log_slopes(each, some[:, each.column]).sum()) for each in self._bends)
        return bool(after.bic(bent) - 2 * slopes < before.bic(some))


def _has_tail(column: Features) -> bool:
    if len(np.unique(column)) < DISTINCT * len(column):
        return False
    return bool(abs(skew(column)) > SKEWED)


def _bend(j: int, column: Features) -> _Bend:
    sign = float(np.sign(skew(column)))
    towards = sign * column.astype(np.float64)
    origin = float(towards.min())
    scale = float(np.median(towards[towards > origin])) - origin  # a tail moves it little
    bend = _Bend(j, sign, origin, scale, power=1.0, unit=1.0)
    bent, power = yeojohnson(_distance(bend, column))
    return bend._replace(power=float(power), unit=float(towards.std() / bent.std()))


def _distance(bend: _Bend, column: Features) -> Floats:
    """From the end that has no tail."""
    return np.asarray((bend.sign * column.astype(np.float64) - bend.origin) / bend.scale)


def _log_slopes(bend: _Bend, column: Features) -> Floats:
    """Logarithms of the derivative, at values of the fit."""
    steps = np.log1p(_distance(bend, column))
    return np.asarray((bend.power - 1) * steps + np.log(bend.unit / bend.scale))
