"""What answers come as: NumPy arrays, or tables of pandas or pyarrow."""

import io
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from client import media

Format = Literal["numpy", "pandas", "pyarrow"]
Points = TypeVar("Points")


@dataclass(frozen=True)
class Samples(Generic[Points]):
    """Points that a model made up, (n, ...), and which component made each, (n,)."""

    points: Points
    components: NDArray[np.int64]
    seed: int
    model: str


def accepted(format: Format, array: str) -> str:
    """The media type to ask for; ``array`` is that of NumPy's."""
    if format not in get_args(Format):
        raise ValueError(f"{format!r} is none of {', '.join(get_args(Format))}")
    return array if format == "numpy" else media.ARROW


def read_array(content: bytes) -> NDArray[Any]:
    """Of NPY."""
    array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def read_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Of NPZ, by name."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def read_table(content: bytes) -> Any:
    """A pyarrow.Table of an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()


def read(content: bytes, format: Format) -> Any:
    """An answer that was asked for as ``accepted(format, media.NPY)``."""
    if format == "numpy":
        return read_array(content)
    table = read_table(content)
    return table.to_pandas() if format == "pandas" else table
