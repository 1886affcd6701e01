"""Points as the trainer takes them: numpy arrays (N, D), (N, H, W) or (N, C, H, W)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.errors import InvalidPoints

Points = NDArray[np.generic]
Values = Callable[[NDArray[np.float64]], NDArray[np.float64]]

CHUNK_VALUES = 1 << 22
MAX_DIMENSIONS = 1 << 20
KEPT_VALUES = 1 << 26  # 256 MiB of float32
QUARTILE_POINTS = 10_000  # that tell how far a column's values usually reach
OUTLYING = 20.0  # interquartile ranges from the quartiles, from where a value counts as if there
ROUNDING = 1e-14  # of the mean: values that differ by less are one
ROUNDING_OF_TWO = 1e-6  # of the variance that rounding may take
FARTHEST = 1e6  # standard deviations; what is farther is as far, as its square must be finite


def chunks(points: Points) -> Iterator[slice]:
    """Slices over the rows that hold a bounded number of values each."""
    rows = max(1, CHUNK_VALUES // max(1, prod(points.shape[1:])))
    return (slice(at, at + rows) for at in range(0, len(points), rows))


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


@dataclass(frozen=True)
class Scaling:
    """The affine map from the data's units to the networks': (x - shift) / scale.

    Tables are standardised a column, by what is not far out: one wild value hides no cluster. A
    column of two values is scaled by their distance: a rare flag does not outweigh all else, and
    those of one category weigh about as much as a column of numbers.
    Images are mapped to [0, 1] by one shift and scale.
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, points: Points) -> "Scaling":
        """Read off the training points, in float64, a chunk at a time."""
        if points.ndim > 2:
            lowest = min(float(points[part].min()) for part in chunks(points))
            highest = max(float(points[part].max()) for part in chunks(points))
            return cls(np.array([lowest]), np.array([(highest - lowest) or 1.0]))
        return cls(*_shift_and_scale(points))

    def apply(self, points: Points, device: torch.device) -> Tensor:
        """Networks' float32 points: (N, *point) -> (N, *inner_shape)."""
        out = torch.empty((len(points), *inner_shape(points.shape[1:])), device=device)
        for part in chunks(points):
            scaled = (np.asarray(points[part], np.float64) - self.shift) / self.scale
            near = scaled.clip(-FARTHEST, FARTHEST).astype(np.float32)
            out[part] = torch.from_numpy(near).view_as(out[part])
        return out

    def undo(self, x: Tensor, point_shape: tuple[int, ...]) -> NDArray[np.floating]:
        """Data units: (n, *inner_shape) -> (n, *point_shape).

        Rows are float64, as a column's spread may be small beside its mean; images are float32,
        their pixels kept in range.
        """
        values = x.cpu().double().numpy().reshape(len(x), *point_shape)
        if len(point_shape) == 1:
            return values * self.scale + self.shift
        return (values.clip(0, 1) * self.scale + self.shift).astype(np.float32)


class ScaledPoints:
    """Training points as the networks see them, float32 (N, *inner_shape), on a device.

    Few enough are scaled once and kept; of more, for example a mapped file, what is asked for is
    read and scaled each time, so that memory stays bounded.
    """

    def __init__(self, points: Points, scaling: Scaling, device: torch.device) -> None:
        self.device, self.scaling = device, scaling
        self.shape = inner_shape(points.shape[1:])
        self._points = points
        fits = points.size <= KEPT_VALUES or device.type != "cpu"
        self._kept = scaling.apply(points, device) if fits else None

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Points by their indices: (...) -> (..., *inner_shape)."""
        if self._kept is not None:
            return self._kept[index]
        rows = self._points[index.flatten().cpu().numpy()]
        return self.scaling.apply(rows, self.device).view(*index.shape, *self.shape)

    def slices(self) -> list[slice]:
        """All points in order, a bounded number at a time."""
        return list(chunks(self._points))

    def part(self, part: slice) -> Tensor:
        """The points of a slice of N: (n, *inner_shape)."""
        if self._kept is not None:
            return self._kept[part]
        return self.scaling.apply(self._points[part], self.device)

    def parts(self) -> Iterator[tuple[slice, Tensor]]:
        """The points of each of the slices."""
        return ((part, self.part(part)) for part in self.slices())


def _shift_and_scale(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each column of a table: (D,) and (D,)."""
    low, high = _reach(points)
    lowest, highest = _extremes(points, lambda x: x.clip(low, high))
    spread = highest - lowest
    constant = spread <= ROUNDING * np.abs(highest)
    unit = np.where(constant, 1.0, spread)  # squares of minute values would be 0

    def within(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x.clip(low, high) - lowest) / unit

    mean = _mean(points, within)
    variance = _mean(points, lambda x: np.square(within(x) - mean))
    # no values from 0 to 1 vary more, and only if all are either (Bhatia & Davis, 2000)
    has_two = variance >= (1 - ROUNDING_OF_TWO) * mean * (1 - mean)
    return lowest + unit * mean, unit * np.where(constant | has_two, 1.0, np.sqrt(variance))


def _reach(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds of each column's values that are not far out: (D,) and (D,)."""
    every = -(-len(points) // QUARTILE_POINTS)
    some = np.asarray(points[::every], np.float64)
    first, third = np.quantile(some, (0.25, 0.75), axis=0)
    reach = np.where(third > first, OUTLYING * (third - first), np.inf)  # of a rare feature, all
    return first - reach, third + reach


def _extremes(points: Points, of: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    highest, lowest = np.full(points.shape[1], -np.inf), np.full(points.shape[1], np.inf)
    for part in chunks(points):
        values = of(np.asarray(points[part], np.float64))
        highest, lowest = np.maximum(highest, values.max(0)), np.minimum(lowest, values.min(0))
    return lowest, highest


def _mean(points: Points, of: Values) -> NDArray[np.float64]:
    total = sum(of(np.asarray(points[part], np.float64)).sum(0) for part in chunks(points))
    return np.asarray(total / len(points), np.float64)
