"""What every body of points is opened as."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from numpy.typing import NDArray

from api_schemas.datasets import Column
from service import pixels
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
    """The points that a model of K components takes: rows by their encoding, or images, whose
    pixels are of some range."""

    shape: tuple[int, ...]
    components: int
    encoding: Encoding | None = None
    pixels: Column | None = None

    @classmethod
    def of(cls, model: ModelRow) -> "PointSpec":
        """Of a model's training points."""
        columns = [Column.model_validate(column) for column in model.columns]
        shape, k = tuple(model.shape), len(model.alpha)
        if len(shape) == 1:
            return cls(shape, k, Encoding(columns))
        return cls(shape, k, pixels=columns[0])

    @cached_property
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
        """Points in pieces that are held at once. Raises InvalidPoints, as they are read, for
        pixels of another range."""
        for at in range(0, len(points), self.piece_rows):
            yield self.checked(points[at : at + self.piece_rows])

    def checked(self, points: NDArray[Any]) -> NDArray[Any]:
        """The same points. Raises InvalidPoints for pixels of another range."""
        if self.pixels and points.ndim > 2:
            pixels.check(self.pixels, points)
        return points
