"""What every body of points is opened as."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import NativeFile

from api_schemas.datasets import Column
from service.encoding import Encoding
from service.tables import ModelRow
from trainer.errors import InvalidPoints

PIECE_VALUES = 1 << 20
PIECE_ROWS = 1 << 16

Body = bytes | Path


@dataclass(frozen=True)
class Batch:
    """Points in order, (n, *point_shape) a piece, and columns that came along but are not used."""

    pieces: Iterator[NDArray[Any]]
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PointSpec:
    """The points that a model takes: rows of a table by their encoding, or images."""

    shape: tuple[int, ...]
    encoding: Encoding | None

    @classmethod
    def of(cls, model: ModelRow) -> "PointSpec":
        """Of a model's training points."""
        columns = [Column(**column) for column in model.columns]
        return cls(tuple(model.shape), Encoding(columns) if len(model.shape) == 1 else None)

    @property
    def piece_rows(self) -> int:
        """Points that are held at once."""
        return max(1, min(PIECE_ROWS, PIECE_VALUES // prod(self.shape)))

    def table(self) -> Encoding:
        """Raises InvalidPoints when the points are images."""
        if self.encoding is None:
            raise InvalidPoints(
                f"a table holds rows of numbers; the model was trained on images {self.shape}"
            )
        return self.encoding


def opened(body: Body) -> NativeFile:
    """The bytes as a file; one on disk is mapped."""
    return pa.BufferReader(body) if isinstance(body, bytes) else pa.memory_map(str(body))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns the library's errors over a damaged file into InvalidPoints."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InvalidPoints(f"not {what} that can be read: {reason}") from error
