"""What every format is opened as."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import MAX_NAME, Column, CsvDialect
from service.encoding import some
from service.errors import InvalidInput
from service.unpacking import MAX_COLUMNS

Pieces = Iterator[NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """An opened upload, whose pieces can be gone through more than once.

    A table's pieces are the values of service.encoding, (n, columns), to be stored as ``dtype``;
    those of images are (n, *point_shape). ``place`` names a row of the file.
    """

    point_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns: list[Column]
    pieces: Callable[[], Pieces]
    place: Callable[[int], str] = "row {}".format
    dialect: CsvDialect | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        return len(self.point_shape) == 1


def bad_file(msg: str) -> InvalidInput:
    """The error for a file that can't be points."""
    return InvalidInput.at("file", msg=msg, code="invalid_file")


def first_line(error: Exception) -> str:
    """What a library says is wrong, without its details."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def check_columns(names: list[str]) -> None:
    """Raise InvalidInput unless a table's columns are few enough, and their names short and
    distinct."""
    if not names:
        raise bad_file("the table has no columns")
    check_width(len(names))
    if any(len(name) > MAX_NAME for name in names):
        raise bad_file(f"the name of a column is longer than {MAX_NAME:,} characters")
    if (twice := _repeated(names)) is not None:
        raise bad_file(f"column {twice!r} occurs twice")


def check_width(columns: int) -> None:
    """Raise InvalidInput for very many columns."""
    if columns > MAX_COLUMNS:
        raise bad_file(f"{columns:,} columns; at most {MAX_COLUMNS:,} are taken")


def choose(names: list[str], wanted: list[str] | None) -> list[str]:
    """The columns of a table to use. Raises InvalidInput unless they are there."""
    if wanted is None:
        return names
    if (twice := _repeated(wanted)) is not None:
        raise InvalidInput.at("columns", msg=f"column {twice!r} is chosen twice")
    for name in set(wanted).difference(names):
        raise InvalidInput.at(
            "columns", msg=f"the file has no column {name!r}; it has {some(names)}"
        )
    return wanted


def _repeated(names: list[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
