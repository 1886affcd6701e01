"""What every format is opened as."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput

MAX_COLUMNS = 65_536


@dataclass(frozen=True)
class Source:
    """One point's shape, the dtype to store, the columns' names and pieces of rows, in order."""

    point_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns: list[str]
    pieces: Iterator[NDArray[Any]]


def bad_file(msg: str) -> InvalidInput:
    """The error for a file that can't be points."""
    return InvalidInput.at("file", msg=msg, code="invalid_file")


def check_columns(names: list[str]) -> None:
    """Raise InvalidInput unless a table's columns are few enough, named and distinct."""
    if len(names) > MAX_COLUMNS:
        raise bad_file(f"{len(names):,} columns; at most {MAX_COLUMNS:,} are taken")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise bad_file(f"column {name!r} occurs twice")
        seen.add(name)
