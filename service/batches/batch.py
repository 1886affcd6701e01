"""What every body of points is opened as."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

from numpy.typing import NDArray

from api_schemas.datasets import Column
from service.encoding import Encoding
from service.tables import ModelRow
from trainer.errors import InvalidPoints
from trainer.points import check_shape

PIECE_VALUES = 1 << 20
PIECE_ROWS = 1 << 16

Pieces = Iterator[NDArray[Any]]


@dataclass(frozen=True)
class Batch:
    """Points in order, (n, *point_shape) a piece, and columns that came along but are not used."""

    pieces: Pieces
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PointSpec:
    """The points that a model of K components takes: rows by their encoding, or images."""

    shape: tuple[int, ...]
    components: int
    encoding: Encoding | None

    @classmethod
    def of(cls, model: ModelRow) -> "PointSpec":
        """Of a model's training points."""
        columns = [Column.model_validate(column) for column in model.columns]
        encoding = Encoding(columns) if len(model.shape) == 1 else None
        return cls(tuple(model.shape), len(model.alpha), encoding)

    @property
    def piece_rows(self) -> int:
        """Points that are held at once, with K values each of what is answered."""
        return max(1, min(PIECE_ROWS, PIECE_VALUES // max(prod(self.shape), self.components)))

    def table(self) -> Encoding:
        """Raises InvalidPoints when the points are images."""
        if self.encoding is None:
            raise InvalidPoints(f"this is a table; the model was trained on images {self.shape}")
        return self.encoding

    def batch(self, points: NDArray[Any]) -> Batch:
        """An array as it is. Raises InvalidPoints."""
        check_shape(points.shape, points.dtype.kind)
        return Batch(self.cut(points))

    def cut(self, points: NDArray[Any]) -> Pieces:
        """Points in pieces that are held at once."""
        return (points[at : at + self.piece_rows] for at in range(0, len(points), self.piece_rows))
