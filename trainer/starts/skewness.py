"""Columns with a long tail, as prices and durations have, bent so that they have none."""

from typing import NamedTuple, Self

import numpy as np
from scipy.stats import skew, yeojohnson

from trainer.starts import gaussians
from trainer.starts.arrays import Features, Floats

SKEWED = 1.0  # the least skewness of a column that is bent
DISTINCT = 1 / 3  # of its values; of fewer, steps and not a tail are what is seen
GAUSSIANS, COMPARED = 5, 2_000  # that tell whether the bent points are simpler, and of how many


class _Bend(NamedTuple):
    """What is done to a column: unit * YeoJohnson((sign * x - origin) / spread; power)."""

    column: int
    sign: float
    origin: float
    spread: float
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
        bends = [_bend(j, column) for j, column in enumerate(rows.T) if _has_tail(column)]
        bent = cls(bends)
        some = rows[:: -(-len(rows) // COMPARED)]
        before = gaussians.fit(some, GAUSSIANS, seed) if bends else None
        after = gaussians.fit(bent(some), GAUSSIANS, seed) if before else None
        if before is None or after is None:
            return cls([])
        volume = 2 * sum(float(_log_slopes(bend, some[:, bend.column]).sum()) for bend in bends)
        return bent if after.bic(bent(some)) - volume < before.bic(some) else cls([])

    def __call__(self, rows: Features) -> Features:
        """Any points' rows, bent: (n, D)."""
        if not self._bends:
            return rows
        bent = rows.copy()
        for bend in self._bends:
            distance = _distance(bend, rows[:, bend.column])
            bent[:, bend.column] = bend.sign * bend.unit * yeojohnson(distance, bend.power)
        return bent


def _has_tail(column: Features) -> bool:
    if len(np.unique(column)) < DISTINCT * len(column):
        return False
    return bool(abs(skew(column)) > SKEWED)


def _bend(j: int, column: Features) -> _Bend:
    sign = float(np.sign(skew(column)))
    towards = sign * column.astype(np.float64)
    bend = _Bend(j, sign, float(towards.min()), float(towards.std()), 1.0, 1.0)
    bent, power = yeojohnson(_distance(bend, column))
    return bend._replace(power=float(power), unit=bend.spread / float(bent.std()))


def _distance(bend: _Bend, column: Features) -> Floats:
    """From the end that has no tail, in standard deviations."""
    return np.asarray((bend.sign * column.astype(np.float64) - bend.origin) / bend.spread)


def _log_slopes(bend: _Bend, column: Features) -> Floats:
    """Logarithms of the derivative, at values of the fit."""
    steps = np.log1p(_distance(bend, column))
    return np.asarray((bend.power - 1) * steps + np.log(bend.unit / bend.spread))
