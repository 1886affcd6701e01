"""Points as the trainer takes them: numpy arrays (N, D), (N, H, W) or (N, C, H, W)."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.errors import InvalidPoints

Points = NDArray[np.generic]
Floats = NDArray[np.float64]
Value = TypeVar("Value", bound=np.generic)

CHUNK_VALUES = 1 << 22
MAX_DIMENSIONS = 1 << 20


def chunks(points: Points) -> Iterator[slice]:
    """Slices over the rows that hold a bounded number of values each."""
    rows = max(1, CHUNK_VALUES // max(1, prod(points.shape[1:])))
    return (slice(at, at + rows) for at in range(0, len(points), rows))


def thinned(points: NDArray[Value], most: int) -> NDArray[Value]:
    """All points, or ``most`` of them in their order, the same ones each time."""
    if len(points) <= most:
        return points
    # not every n-th: what takes turns, as hours of the day do, would be met at one of them
    return points[np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))]


def check_shape(shape: tuple[int, ...], kind: str = "f") -> None:
    """Raise InvalidPoints unless an array of this shape and dtype kind can hold points."""
    if kind not in "buif":
        raise InvalidPoints(f"points must be numbers, not dtype kind {kind!r}")
    if len(shape) not in (2, 3, 4):
        raise InvalidPoints(
            "points must have shape (N, D) for rows, (N, H, W) or (N, C, H, W) for images, "
            f"not {shape}"
        )
    if shape[0] == 0:
        raise InvalidPoints("there are no points: the first axis has length 0")
    if not 0 < prod(shape[1:]) <= MAX_DIMENSIONS:
        raise InvalidPoints(
            f"a point must have 1 to {MAX_DIMENSIONS:,} values; here it has shape {shape[1:]}"
        )
    if len(shape) == 4 and shape[1] > 4 and shape[3] in (1, 3, 4):
        raise InvalidPoints(
            f"images must be (N, C, H, W), channels first; {shape} looks like channels last"
        )


def check_finite(points: Points, first_row: int = 0, names: Sequence[str] = ()) -> None:
    """Raise InvalidPoints that names the first value that is not finite or not a float32."""
    limit = np.finfo(np.float32).max
    for part in chunks(points):
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(np.asarray(points[part], np.float64)) <= limit)
        if bad.any():
            row, *at = (int(i) for i in np.argwhere(bad)[0])
            value = points[part][(row, *at)]
            column = repr(names[at[0]]) if names else at[0] if len(at) == 1 else tuple(at)
            raise InvalidPoints(
                f"row {first_row + part.start + row}, column {column}: "
                f"{value} is not a finite number below {limit:.1e}"
            )


def check_points(points: Points) -> None:
    """Raise InvalidPoints unless the points can be trained on or assigned."""
    check_shape(points.shape, points.dtype.kind)
    check_finite(points)


def inner_shape(point_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape networks see: (D,) or (C, H, W); a grey image (H, W) gains its channel."""
    return (1, *point_shape) if len(point_shape) == 2 else point_shape
