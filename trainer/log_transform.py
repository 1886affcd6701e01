"""Columns with a long tail, as prices and durations have, straightened by a logarithm."""

from dataclasses import dataclass

import numpy as np

from trainer.points import Floats

MOST = float(np.finfo(np.float32).max)  # that a value may be


@dataclass(frozen=True)
class LogTransform:
    """The started logarithm (Tukey, 1977) of columns: log(1 + d) with d = (x - origin) / unit.

    The origin is the end without a tail; what new points have below it is d. A unit is negative
    where the tail points down, and 0 for a column that stays as it is.
    """

    origin: Floats  # (D,)
    unit: Floats  # (D,)

    def apply(self, rows: Floats) -> Floats:
        """(n, D) -> (n, D)."""
        d = self._distance(rows)
        return np.where(self.unit, d.clip(max=0) + np.log1p(d.clip(0)), rows)

    def undo(self, bent: Floats) -> Floats:
        """Inverse of `apply`, but nothing lies below the origin: no made-up price is negative."""
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.expm1(bent.clip(0)) * self.unit + self.origin
        return np.where(self.unit, rows, bent).clip(-MOST, MOST)

    def log_slopes(self, rows: Floats) -> Floats:
        """Sum over the columns of the logarithms of the derivative's size: (n, D) -> (n,)."""
        slopes = -np.log1p(self._distance(rows).clip(0)) - np.log(np.abs(self._divisor()))
        return np.asarray(np.where(self.unit, slopes, 0).sum(1))

    def _distance(self, rows: Floats) -> Floats:
        return (rows - self.origin) / self._divisor()

    def _divisor(self) -> Floats:
        return np.where(self.unit, self.unit, 1)
