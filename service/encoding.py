"""From a table's own columns to points and back: missing values, categories, whole numbers."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api_schemas.datasets import Column, Decimal
from trainer.errors import InvalidPoints

Values = NDArray[np.float64]

LIMIT = float(np.finfo(np.float32).max)
BOOLEANS = pa.array(["false", "true", "0", "1"])  # the odd ones are true
NAMED = 10  # as many columns or categories are named in an error


class BadValue(InvalidPoints):
    """A value of a table that can't be used."""

    def __init__(self, row: int, column: str, msg: str) -> None:
        super().__init__(f"row {row}, column {column!r}: {msg}")
        self.row, self.column, self.msg = row, column, msg


class MissingValue(BadValue):
    """A value that is not there where nothing is to be filled in."""


class Encoding:
    """How rows of a table become points (n, D), as its columns say.

    On the way there they are values (n, columns): numbers, booleans as 0 and 1, categories as
    their place in the list, NaN for what is missing.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)
        self.names = [column.name for column in columns]
        self.widths = [len(column.categories or [0]) for column in columns]
        self.starts = np.cumsum([0, *self.widths[:-1]])
        self.dimensions = sum(self.widths)
        self.is_plain = all(map(_is_plain, columns))  # an array of numbers says all, by place
        self._fills = np.array([_fill(column) for column in columns], np.float64)

    def encode(
        self, table: pa.Table | pa.RecordBatch, first_row: int = 0, decimal: Decimal = "."
    ) -> Values:
        """The points of a table's rows, (n, D); columns are matched by name, others ignored.

        Raises InvalidPoints, or BadValue, which counts rows from ``first_row``.
        """
        values = self.values(table, first_row, decimal)
        self.check(values, first_row)
        return self.expand(values, first_row)

    def check_names(self, given: Sequence[str]) -> None:
        """Raise InvalidPoints unless each column is among the given ones, once."""
        times = Counter(given)
        for name in self.names:
            if times[name] != 1:
                fault = f"occurs {times[name]} times" if times[name] else "is missing"
                raise InvalidPoints(f"column {name!r} {fault}; there are {some(given)}")

    def check_schema(self, schema: pa.Schema) -> None:
        """Raise InvalidPoints unless each column is there, once, as numbers or text."""
        self.check_names(schema.names)
        for name in self.names:
            kind = schema.field(name).type
            plain = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (is_text(plain) or is_numeric(plain)):
                raise InvalidPoints(f"column {name!r} holds {kind}, not numbers or text")

    def values(
        self, table: pa.Table | pa.RecordBatch, first_row: int = 0, decimal: Decimal = "."
    ) -> Values:
        """(n, columns) of a table that may hold its values as text. Raises as ``encode`` does."""
        self.check_schema(table.schema)
        values = np.empty((table.num_rows, len(self.columns)))
        for at, column in enumerate(self.columns):
            array = table.column(column.name)
            plain = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
            values[:, at] = _numbers(column, plain, first_row, decimal)
        return values

    def check(self, values: Values, first_row: int = 0) -> None:
        """Raise BadValue for what is infinite or no float32; NaN may still be filled in."""
        too_large = np.abs(values) > LIMIT
        if too_large.any():
            row, at = np.argwhere(too_large)[0].tolist()
            msg = f"{values[row, at]} is not a finite number below {LIMIT:.1e}"
            raise BadValue(first_row + row, self.names[at], msg)

    def expand(self, values: Values, first_row: int = 0) -> Values:
        """Fill in what is missing and set categories apart: (n, columns) -> (n, D).

        Raises MissingValue where nothing is to be filled in.
        """
        missing = np.isnan(values)
        if missing.any():
            values = np.where(missing, self._fills, values)
            left = np.argwhere(np.isnan(values))
            if len(left):
                row, at = left[0].tolist()
                raise MissingValue(first_row + row, self.names[at], "the value is missing or NaN")
        if not any(column.categories for column in self.columns):
            return values
        points = np.zeros((len(values), self.dimensions))
        for at, (column, start) in enumerate(zip(self.columns, self.starts, strict=True)):
            if column.categories:
                points[np.arange(len(points)), start + values[:, at].astype(int)] = 1
            else:
                points[:, start] = values[:, at]
        return points

    def decode(self, points: NDArray[Any]) -> pa.Table:
        """Rows in the data's own columns: points (n, D) -> a table of n rows.

        Integers are rounded, booleans true from a half on, categories the likeliest.
        """
        parts = zip(self.columns, self.starts, self.widths, strict=True)
        arrays = [_restore(column, points[:, at : at + width]) for column, at, width in parts]
        return pa.table(arrays, names=self.names)


def some(names: Sequence[str]) -> str:
    """The first few names, for an error."""
    rest = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return (", ".join(repr(name[:100]) for name in names[:NAMED]) or "none") + rest


def to_numbers(array: pa.Array, kind: pa.DataType, decimal: Decimal) -> pa.Array:
    """Text as numbers, spaces around them ignored. Raises pyarrow.ArrowInvalid."""
    if decimal == ",":
        pointless = pc.replace_substring(array, ".", "?")  # 1.234 is no number then
        array = pc.replace_substring(pointless, ",", ".")
    try:
        return pc.cast(array, kind)
    except pa.ArrowInvalid:
        return pc.cast(pc.utf8_trim_whitespace(array), kind)


def first_failing(array: pa.Array, kind: pa.DataType, decimal: Decimal) -> int:
    """Index of the first text that is no number of this kind; there must be one."""
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            to_numbers(array[low:middle], kind, decimal)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of this type are numbers, or nothing at all."""
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _is_plain(column: Column) -> bool:
    return column.fill is None and column.type in ("number", "integer")


def _fill(column: Column) -> float:
    if column.fill is None:
        return np.nan
    if column.categories:
        return column.categories.index(str(column.fill))
    return float(column.fill)


def _numbers(column: Column, array: pa.Array, first_row: int, decimal: Decimal) -> Values:
    if column.categories:
        return _codes(column, array, pa.array(column.categories), first_row)
    if column.type == "boolean":
        return _codes(column, array, BOOLEANS, first_row) % 2
    if not is_text(array.type):
        return _to_numpy(pc.cast(array, pa.float64(), safe=False))
    try:
        return _to_numpy(to_numbers(array, pa.float64(), decimal))
    except pa.ArrowInvalid:
        row = first_failing(array, pa.float64(), decimal)
        text = array[row].as_py()[:100]
        raise BadValue(first_row + row, column.name, f"{text!r} is not a number") from None


def _codes(column: Column, array: pa.Array, known: pa.Array, first_row: int) -> Values:
    """The place of each value among the known ones, NaN for none."""
    text = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    if column.type == "boolean":
        text = pc.utf8_lower(text)
    codes = _to_numpy(pc.cast(pc.index_in(text, known), pa.float64()))
    unknown = np.isnan(codes) & text.is_valid().to_numpy(zero_copy_only=False)
    if unknown.any():
        _refuse_unknown(column, int(np.argmax(unknown)), text, known, first_row)
    return codes


def _refuse_unknown(
    column: Column, row: int, text: pa.Array, known: pa.Array, first_row: int
) -> NoReturn:
    value = text[row].as_py()[:100]
    msg = f"{value!r} is none of {some(known.to_pylist())}"
    raise BadValue(first_row + row, column.name, msg)


def _to_numpy(array: pa.Array) -> Values:
    values: Values = array.to_numpy(zero_copy_only=False)
    return values


def _restore(column: Column, part: NDArray[Any]) -> pa.Array:
    if column.categories:
        return pa.array(column.categories).take(pa.array(part.argmax(1)))
    values = np.asarray(part[:, 0], np.float64)
    if column.type == "boolean":
        return pa.array(values >= 0.5)
    if column.type == "integer":
        return pa.array(np.rint(values).clip(-(2.0**62), 2.0**62).astype(np.int64))
    return pa.array(values)
