"""NPY: one numpy array (N, D), (N, H, W) or (N, C, H, W)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.ingest.source import Source, check_columns
from trainer.npy import map_npy
from trainer.points import check_shape, chunks


def open_source(path: Path) -> Source:
    """Raises InvalidInput or InvalidPoints."""
    array = map_npy(path)
    check_shape(array.shape, array.dtype.kind)
    point_shape = array.shape[1:]
    columns = [f"x{i}" for i in range(point_shape[0])] if len(point_shape) == 1 else []
    check_columns(columns)
    return Source(point_shape, stored_dtype(array.dtype), columns, _pieces(array))


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The smallest of uint8, float32 and float64 that loses nothing a model could use."""
    if dtype.itemsize == 1 and dtype.kind in "bu":
        return np.dtype("u1")
    return np.dtype("<f4") if dtype.kind == "f" and dtype.itemsize <= 4 else np.dtype("<f8")


def _pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for part in chunks(array):
        yield np.asarray(array[part])
