"""Points of a stored data set, taken as a model's own."""

from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from api_schemas.datasets import Column
from service import pixels
from service.batches.batch import PointSpec
from service.encoding import Encoding
from service.tables import DatasetRow
from trainer.errors import InvalidPoints

FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Conversion:
    """Points of a data set -> points of the shape and encoding that a model takes.

    Columns are matched by name; where the data set's have no names of their own, by place.
    """

    shape: tuple[int, ...]
    encodings: tuple[Encoding, Encoding] | None = None  # from and to; none: points are as wanted

    @classmethod
    def between(cls, dataset: DatasetRow, spec: PointSpec) -> Self:
        """Raises InvalidPoints for a data set that the model can't take."""
        shape = tuple(dataset.shape)
        if spec.encoding is None or len(shape) > 1:
            if spec.shape not in (shape, (1, *shape)):  # grey images gain their channel
                raise InvalidPoints(
                    f"its points have shape {shape} each; the model was trained on {spec.shape}"
                )
            _check_pixels(dataset, spec)
            return cls(spec.shape)
        given = Encoding([Column.model_validate(column) for column in dataset.columns])
        if _nameless(given) and shape == spec.shape:
            return cls(spec.shape)
        spec.encoding.check_names(given.names)
        _check_kinds(given, spec.encoding)
        return cls(spec.shape, None if _same(given, spec.encoding) else (given, spec.encoding))

    def __call__(self, points: NDArray[Any], first_row: int) -> NDArray[Any]:
        """(n, ...) -> (n, *shape). Raises BadValue, which counts rows from ``first_row``."""
        if self.encodings:
            given, wanted = self.encodings
            return wanted.encode(given.decode(points), first_row)
        return points.reshape(len(points), *self.shape)


def _nameless(encoding: Encoding) -> bool:
    """Whether these are columns of numbers as arrays have them."""
    return encoding.names == [f"x{i}" for i in range(encoding.dimensions)]


def _check_pixels(dataset: DatasetRow, spec: PointSpec) -> None:
    given = Column.model_validate(dataset.columns[0])
    if spec.pixels and len(dataset.shape) > 1 and given.min is not None and given.max is not None:
        are_fractions = given.dtype in FLOATS and given.min < given.max
        pixels.check_range(spec.pixels, given.min, given.max, are_fractions)


def _check_kinds(given: Encoding, wanted: Encoding) -> None:
    kinds = {column.name: column.type for column in given.columns}
    for column in wanted.columns:
        if kinds[column.name] == "category" and column.type != "category":
            raise InvalidPoints(
                f"column {column.name!r} holds categories; the model was trained on "
                f"{column.type} values there"
            )


def _same(one: Encoding, other: Encoding) -> bool:
    """Whether both make the same points of the same rows; all values are there."""
    return [_kind(column) for column in one.columns] == [_kind(column) for column in other.columns]


def _kind(column: Column) -> tuple[str, str, list[str] | None]:
    kind = "number" if column.type == "integer" else column.type
    return column.name, kind, column.categories
