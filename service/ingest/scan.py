"""What a column of text holds, found over the whole file."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from api_schemas.datasets import MAX_NAME, Categories, Column, ColumnType, Decimal
from service.encoding import first_failing, to_numbers
from service.ingest.source import bad_file

MAX_CATEGORIES = 1000
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./-]\d\d?[./-]\d{2,4}( .*)?|\d\d?:\d\d(:.*)?")
BOOLEANS = pa.array(["false", "true"])
NUMBERLIKE = re.compile(r"[^\w\s]?\s*\d[\d.,' \xa0\u202f]*\s*\W?")  # as 1.234,5 or 12 %
ADVICE = "leave the column out with 'columns', or choose categories=onehot"
WRITTEN: dict[Decimal, str] = {
    ".": "numbers are written as 1234.5, or as 1234,5 with decimal=','",
    ",": "with a decimal comma numbers are written as 1234,5",
}
MIN_ROWS, NEARLY_UNIQUE = 20, 0.5


class ColumnScan:
    """Sees a column's values, piece by piece; ``column`` then tells its type.

    Text of a file without types, as CSV, may turn out to be numbers or booleans.
    """

    def __init__(
        self,
        name: str,
        categories: Categories,
        typed: bool,
        place: Callable[[int], str],
        decimal: Decimal,
    ) -> None:
        self._name = name
        self._categories = categories
        self._typed = typed
        self._place = place
        self._decimal = decimal
        self._values = 0
        self._numberlike: str | None = None
        self._kinds: set[str] = set()
        self._distinct: set[str] | None = set() if categories == "onehot" else None

    def add(self, array: pa.Array, first_row: int) -> None:
        """See the next values. Raises InvalidInput for dates and for text that is not wanted."""
        if array.null_count == len(array):
            return
        self._values += len(array) - array.null_count
        if "text" not in self._kinds:
            self._kinds.add(self._kind(array, first_row))
        if self._distinct is not None:
            found = pc.unique(pc.utf8_trim_whitespace(array.drop_null()))
            self._check_lengths(found)
            self._distinct.update(found.to_pylist())
            if len(self._distinct) > MAX_CATEGORIES:
                self._distinct = None

    @property
    def is_empty(self) -> bool:
        return not self._kinds

    @property
    def warnings(self) -> list[str]:
        """What a person should look at where text becomes categories."""
        if "text" not in self._kinds or self._distinct is None:
            return []
        said: list[str] = []
        if self._values >= MIN_ROWS and len(self._distinct) > NEARLY_UNIQUE * self._values:
            found = f"{len(self._distinct):,} categories in {self._values:,} values"
            said.append(f"column {self._name!r} hardly groups anything: it has {found}")
        if self._numberlike is not None:
            found = f"takes {self._numberlike!r} as a category"
            said.append(f"column {self._name!r} {found}; {WRITTEN[self._decimal]}")
        return said

    def column(self) -> Column:
        """Raises InvalidInput when it has no values, mixed ones, or too many categories."""
        if self.is_empty:
            raise bad_file(f"column {self._name!r} has no values")
        if self._kinds == {"boolean"}:
            return Column(name=self._name, type="boolean")
        if self._kinds <= {"integer", "number"}:
            kind: ColumnType = "number" if "number" in self._kinds else "integer"
            return Column(name=self._name, type=kind)
        if self._categories == "refuse":
            raise bad_file(f"column {self._name!r} mixes numbers with true and false")
        if self._distinct is None:
            raise bad_file(
                f"column {self._name!r} has more than {MAX_CATEGORIES:,} distinct categories; "
                "leave it out with 'columns'"
            )
        return Column(name=self._name, type="category", categories=sorted(self._distinct))

    def _kind(self, array: pa.Array, first_row: int) -> str:
        """The narrowest kind that all these values are of."""
        if not self._typed:
            if "number" not in self._kinds and self._are(array, pa.int64()):
                return "integer"
            if self._are(array, pa.float64()):
                return "number"
            words = pc.utf8_lower(pc.utf8_trim_whitespace(array.drop_null()))
            if pc.all(pc.is_in(words, BOOLEANS)).as_py():
                return "boolean"
        self._check_text(array, first_row)
        return "text"

    def _check_lengths(self, text: pa.Array) -> None:
        if pc.any(pc.greater(pc.utf8_length(text), MAX_NAME)).as_py():
            long = f"text of over {MAX_NAME:,} characters"
            raise bad_file(f"column {self._name!r} has {long}, which is no category")

    def _check_text(self, array: pa.Array, first_row: int) -> None:
        row = first_failing(array, pa.float64(), self._decimal)
        text = (array[row].as_py() or "")[:100]
        where = f"{self._place(first_row + row)}, column {self._name!r}"
        if DATE.fullmatch(text.strip()):
            advice = "leave the column out with 'columns', or turn them into numbers"
            raise bad_file(
                f"{where}: {text!r} looks like a date, and dates are not taken; {advice}"
            )
        if is_numberlike := NUMBERLIKE.fullmatch(text.strip()):
            self._numberlike = text
        if self._categories == "refuse":
            advice = WRITTEN[self._decimal] if is_numberlike else ADVICE
            raise bad_file(f"{where}: {text!r} is not a number; {advice}")

    def _are(self, array: pa.Array, kind: pa.DataType) -> bool:
        try:
            to_numbers(array, kind, self._decimal)
        except pa.ArrowInvalid:
            return False
        return True
