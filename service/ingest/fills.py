"""What a column's missing values become: its mean, median or mode, found in one pass."""

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Column, Missing
from service.ingest.source import Source, bad_file
from service.ingest.statistics import Statistics

SAMPLE_VALUES = 1 << 21


class RowSample:
    """Rows drawn at random, all of them while they hold at most SAMPLE_VALUES values."""

    def __init__(self, columns: int) -> None:
        self._size = max(1, SAMPLE_VALUES // columns)
        self._kept = np.empty((self._size, columns))
        self._seen = 0
        self._random = np.random.default_rng(0)

    def add(self, rows: NDArray[np.float64]) -> None:
        """See the next rows: the n-th stays with a chance of size / n, in the place of another."""
        number = self._seen + np.arange(len(rows))
        drawn = (self._random.random(len(rows)) * (number + 1)).astype(np.int64)
        place = np.where(number < self._size, number, drawn)
        stays = place < self._size
        self._kept[place[stays]] = rows[stays]
        self._seen += len(rows)

    @property
    def rows(self) -> NDArray[np.float64]:
        return self._kept[: self._seen]


def with_fills(source: Source, choice: Missing) -> list[Column]:
    """The columns with what fills their gaps; means are exact, medians and modes of a sample.

    All gain one, as points to assign may have gaps where these have none. Raises InvalidInput for
    a column without values.
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
        for at, column in enumerate(source.columns)
    ]


def _fill(column: Column, choice: Missing, values: NDArray[np.float64], mean: float) -> float | str:
    values = values[~np.isnan(values)]
    if not len(values):
        raise bad_file(f"column {column.name!r} has too few values to find its {choice}")
    is_number = column.type in ("number", "integer")
    if is_number and choice != "mode":
        return float(mean if choice == "mean" else np.median(values))
    found, counts = np.unique(values, return_counts=True)
    mode = found[np.argmax(counts)]
    return column.categories[int(mode)] if column.categories else float(mode)
