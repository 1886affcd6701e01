"""What a column's missing values become: its mean, median or mode, found in one pass."""

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Column, Missing
from service.ingest.source import Source, bad_file
from service.ingest.statistics import Statistics

SAMPLE_VALUES = 1 << 22


class RowSample:
    """Rows drawn at random, all of them while they are few: at most SAMPLE_VALUES values."""

    def __init__(self, columns: int) -> None:
        self._size = max(1, SAMPLE_VALUES // columns)
        self._random = np.random.default_rng(0)
        self._keys = np.empty(0)
        self.rows = np.empty((0, columns))

    def add(self, rows: NDArray[np.float64]) -> None:
        """Keep the rows with the lowest keys of all that came by."""
        keys = self._random.random(len(rows))
        if len(self._keys) == self._size:
            low = keys < self._keys.max()
            keys, rows = keys[low], rows[low]
        keys, rows = np.concatenate([self._keys, keys]), np.concatenate([self.rows, rows])
        kept = np.argsort(keys)[: self._size]
        self._keys, self.rows = keys[kept], rows[kept]


def with_fills(source: Source, choice: Missing) -> list[Column]:
    """The columns with what fills their gaps; means are exact, medians and modes of a sample.

    Only columns with gaps gain one. Raises InvalidInput for a column without values.
    """
    if choice in ("refuse", "drop") or not source.is_table:
        return source.columns
    statistics, sample = Statistics(len(source.columns)), RowSample(len(source.columns))
    for piece in source.pieces():
        values = np.asarray(piece, np.float64)
        statistics.add(values)
        sample.add(values)
    mean = statistics.mean
    return [
        column.model_copy(update={"fill": _fill(column, choice, sample.rows[:, at], mean[at])})
        if statistics.missing[at]
        else column
        for at, column in enumerate(source.columns)
    ]


def _fill(column: Column, choice: Missing, values: NDArray[np.float64], mean: float) -> float | str:
    values = values[~np.isnan(values)]
    if not len(values):
        raise bad_file(f"column {column.name!r} has too few values to find its {choice}")
    if choice == "mean" and column.type in ("number", "integer"):
        return float(mean)
    if choice == "median" and column.type in ("number", "integer"):
        return float(np.median(values))
    found, counts = np.unique(values, return_counts=True)
    mode = found[np.argmax(counts)]
    return column.categories[int(mode)] if column.categories else float(mode)
