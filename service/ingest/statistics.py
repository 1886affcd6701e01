"""What the values of the columns are like, kept while they pass by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Column

MIN_ID_ROWS = 10
NEARLY_EMPTY = 0.9
EXACT_UP_TO = 2.0**53  # integers, as numbers of 64 bits


class Statistics:
    """Of values (n, columns), where NaN is missing. What is missing counts also in rows that go."""

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.missing = np.zeros(columns, np.int64)
        self.min = np.full(columns, np.nan)
        self.max = np.full(columns, np.nan)
        self.rising = np.ones(columns, bool)
        self.falling = np.ones(columns, bool)
        self._sum = np.zeros(columns)
        self._present = np.zeros(columns, np.int64)
        self._last = np.empty((0, columns))

    def add(self, values: NDArray[Any], drop: bool = False) -> NDArray[np.float64]:
        """See the next rows; those that stay, without those that lack a value if they are to go."""
        values = np.asarray(values, np.float64)
        gaps = np.isnan(values)
        self.rows += len(values)
        self.missing += gaps.sum(0)
        if drop:
            values, gaps = values[~gaps.any(1)], gaps[~gaps.any(1)]
        if len(values):
            self._present += len(values) - gaps.sum(0)
            self._see(values)
        return values

    def _see(self, values: NDArray[np.float64]) -> None:
        self.min = np.fmin(self.min, np.fmin.reduce(values))
        self.max = np.fmax(self.max, np.fmax.reduce(values))
        self._sum += np.nansum(values, 0)
        steps = np.diff(values, axis=0, prepend=self._last)
        self.rising &= (steps > 0).all(0)
        self.falling &= (steps < 0).all(0)
        self._last = values[-1:]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Of the values that stay; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = self._sum / self._present
        return mean

    def report(self, columns: list[Column]) -> list[Column]:
        """The columns with what was seen of them."""
        seen = zip(columns, self.missing, self.min, self.max, self.mean, strict=True)
        reported: list[Column] = []
        for column, missing, low, high, mean in seen:
            found: dict[str, float] = {"missing": int(missing)}
            if not column.categories:
                found |= {"min": float(low), "max": float(high), "mean": float(mean)}
            reported.append(column.model_copy(update=found))
        return reported

    def warnings(self, columns: list[Column]) -> list[str]:
        """What a person should look at before training."""
        huge = np.fmax(np.abs(self.min), np.abs(self.max)) > EXACT_UP_TO
        constant = self.min == self.max
        ordered = (self.rising | self.falling) & (self.rows >= MIN_ID_ROWS)
        missing = self.missing / max(self.rows, 1)
        said: list[str] = []
        for at, column in enumerate(columns):
            name = f"column {column.name!r}"
            if huge[at] and column.type == "integer":
                said.append(f"{name} has numbers beyond 2^53, whose last digits are lost")
            elif constant[at]:
                said.append(f"{name} is constant")
            if ordered[at] and column.type == "integer":
                said.append(f"{name} looks like a row number: whole, distinct and in order")
            if missing[at] > NEARLY_EMPTY:
                said.append(f"{name} is nearly empty: {missing[at]:.1%} of it is missing")
        return said
