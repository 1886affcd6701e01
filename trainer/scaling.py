"""From the data's units to the networks', and back."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.log_transform import LogTransform
from trainer.points import Floats, Points, chunks, inner_shape, thinned

Values = Callable[[Floats], Floats]

KEPT_VALUES = 1 << 26  # 256 MiB of float32
QUARTILE_POINTS = 10_000  # that tell how far a column's values usually reach
OUTLYING = 20.0  # interquartile ranges from the quartiles, from where a value counts as if there
ROUNDING = 1e-14  # of the mean: values that differ by less are one
ROUNDING_OF_TWO = 1e-6  # of the variance that rounding may take
FARTHEST = 1e6  # standard deviations; what is farther is as far, as its square must be finite


@dataclass(frozen=True)
class Scaling:
    """The map from the data's units to the networks': (x - shift) / scale.

    Tables are standardised a column, by what is not far out: one wild value hides no cluster. A
    column of two values is scaled by their distance: a rare flag does not outweigh all else, and
    those of one category weigh about as much as a column of numbers. A constant column has scale 0:
    it is made up as it is, and its new values are told apart in the data's units. Columns with long
    tails may be bent before, by a logarithm.
    Images are mapped to [0, 1] by one shift and scale.
    """

    shift: Floats
    scale: Floats
    logarithm: LogTransform | None = None

    @classmethod
    def fit(cls, points: Points, logarithm: LogTransform | None = None) -> "Scaling":
        """Read off the training points, in float64, a chunk at a time; of tables once they are
        bent, where a logarithm is given."""
        if points.ndim > 2:
            lowest = min(float(points[part].min()) for part in chunks(points))
            highest = max(float(points[part].max()) for part in chunks(points))
            return cls(np.array([lowest]), np.array([highest - lowest]))
        bend = logarithm.apply if logarithm else lambda rows: rows
        return cls(*_shift_and_scale(points, bend), logarithm)

    @property
    def divisor(self) -> Floats:
        """The scale, or 1 where that is 0."""
        return np.where(self.scale, self.scale, 1.0)

    def state_dict(self) -> dict[str, Tensor]:
        """What a file keeps of it."""
        kept = {"shift": self.shift, "scale": self.scale}
        if self.logarithm:
            kept |= asdict(self.logarithm)
        return {name: torch.from_numpy(values) for name, values in kept.items()}

    @classmethod
    def from_state_dict(cls, tensors: dict[str, Tensor]) -> "Scaling":
        """Inverse of `state_dict`."""
        kept = {name: values.cpu().numpy() for name, values in tensors.items()}
        shift, scale = kept.pop("shift"), kept.pop("scale")
        return cls(shift, scale, LogTransform(**kept) if kept else None)

    def apply(self, points: Points, device: torch.device) -> Tensor:
        """Networks' float32 points: (N, *point) -> (N, *inner_shape)."""
        out = torch.empty((len(points), *inner_shape(points.shape[1:])), device=device)
        for part in chunks(points):
            x = np.asarray(points[part], np.float64)
            x = self.logarithm.apply(x) if self.logarithm else x
            near = ((x - self.shift) / self.divisor).clip(-FARTHEST, FARTHEST)
            out[part] = torch.from_numpy(near.astype(np.float32)).view_as(out[part])
        return out

    def undo(self, x: Tensor, point_shape: tuple[int, ...]) -> NDArray[np.floating]:
        """Data units: (n, *inner_shape) -> (n, *point_shape).

        Rows are float64, as a column's spread may be small beside its mean; images are float32,
        their pixels kept in range.
        """
        values = x.cpu().double().numpy().reshape(len(x), *point_shape)
        if len(point_shape) > 1:
            return (values.clip(0, 1) * self.scale + self.shift).astype(np.float32)
        values = values * self.scale + self.shift
        return self.logarithm.undo(values) if self.logarithm else values

    def log_slopes(self, points: Points) -> Floats:
        """Logarithm of the factor by which a volume in data units grows, at each point, while all
        values are near: (N, *point) -> (N,)."""
        slopes = np.full(
            len(points), -np.log(np.broadcast_to(self.divisor, points.shape[1:])).sum()
        )
        if self.logarithm:
            slopes += self.logarithm.log_slopes(np.asarray(points, np.float64))
        return slopes


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


def _shift_and_scale(points: Points, bend: Values) -> tuple[Floats, Floats]:
    """Of each column of a table: (D,) and (D,)."""
    low, high = reach(bend(np.asarray(thinned(points, QUARTILE_POINTS), np.float64)))
    lowest, highest = _extremes(points, lambda x: bend(x).clip(low, high))
    spread = highest - lowest
    constant = spread <= ROUNDING * np.abs(highest)
    unit = np.where(constant, 1.0, spread)  # squares of minute values would be 0

    def within(x: Floats) -> Floats:
        return (bend(x).clip(low, high) - lowest) / unit

    mean = _mean(points, within)
    variance = _mean(points, lambda x: np.square(within(x) - mean))
    # no values from 0 to 1 vary more, and only if all are either (Bhatia & Davis, 2000)
    has_two = variance >= (1 - ROUNDING_OF_TWO) * mean * (1 - mean)
    deviation = np.where(has_two, 1.0, np.sqrt(variance))
    return lowest + unit * mean, np.where(constant, 0.0, unit * deviation)


def reach(rows: Floats) -> tuple[Floats, Floats]:
    """The bounds of each column's values that are not far out: (n, D) -> (D,) and (D,)."""
    first, third = np.quantile(rows, (0.25, 0.75), axis=0)
    far = np.where(third > first, OUTLYING * (third - first), np.inf)  # of a rare feature, none
    return first - far, third + far


def _extremes(points: Points, of: Values) -> tuple[Floats, Floats]:
    highest, lowest = np.full(points.shape[1], -np.inf), np.full(points.shape[1], np.inf)
    for part in chunks(points):
        values = of(np.asarray(points[part], np.float64))
        highest, lowest = np.maximum(highest, values.max(0)), np.minimum(lowest, values.min(0))
    return lowest, highest


def _mean(points: Points, of: Values) -> Floats:
    total = sum(of(np.asarray(points[part], np.float64)).sum(0) for part in chunks(points))
    return np.asarray(total / len(points), np.float64)
