"""Arrays: rows of numbers (N, D), or images (N, H, W) and (N, C, H, W)."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from api_schemas.datasets import Column, ColumnType, DatasetOptions, PixelType
from service.errors import InvalidInput
from service.ingest.source import Pieces, Source, check_columns, choose
from trainer.points import check_shape

TYPES: dict[str, ColumnType] = {"b": "boolean", "u": "integer", "i": "integer", "f": "number"}


def array_source(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pieces: Callable[[], Pieces],
    options: DatasetOptions,
) -> Source:
    """Columns of rows are called x0, x1, ... Raises InvalidInput or InvalidPoints."""
    check_shape(shape, dtype.kind)
    if len(shape) > 2:
        return image_source(shape[1:], dtype, pieces, options)
    names = [f"x{i}" for i in range(shape[1])]
    check_columns(names)
    chosen = choose(names, options.columns)
    columns = [Column(name=name, type=TYPES[dtype.kind]) for name in chosen]
    if chosen is names:
        return Source((len(names),), stored_dtype(dtype), columns, pieces)
    at = [int(name[1:]) for name in chosen]
    return Source(
        (len(at),), stored_dtype(dtype), columns, lambda: (piece[:, at] for piece in pieces())
    )


def image_source(
    point_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pieces: Callable[[], Pieces],
    options: DatasetOptions,
) -> Source:
    """Raises InvalidInput when columns are chosen."""
    if options.columns is not None:
        raise InvalidInput.at("columns", msg="images have no columns to choose from")
    pixels = Column(name="pixels", type="pixels", dtype=_pixel_type(dtype))
    return Source(point_shape, stored_dtype(dtype), [pixels], pieces)


def _pixel_type(dtype: np.dtype[Any]) -> PixelType:
    """That of the array, unless float32, in which models make images, can't hold it."""
    is_held = dtype.itemsize <= (8 if dtype.kind == "f" else 2)
    return cast(PixelType, (dtype if is_held else stored_dtype(dtype)).name)


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The smallest of uint8, float32 and float64 that loses nothing a model could use."""
    if dtype.itemsize == 1 and dtype.kind in "bu":
        return np.dtype("u1")
    return np.dtype("<f4") if dtype.kind == "f" and dtype.itemsize <= 4 else np.dtype("<f8")
