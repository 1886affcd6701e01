"""NPY: an array (N, D), (N, H, W) or (N, C, H, W)."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from service.batches.batch import Batch, Body, PointSpec
from trainer.npy import map_npy, parse_npy
from trainer.points import Points, check_shape


def open_npy(body: Body, spec: PointSpec) -> Batch:
    """Raises InvalidPoints."""
    array = parse_npy(body) if isinstance(body, bytes) else map_npy(body)
    check_shape(array.shape, array.dtype.kind)
    return Batch(in_pieces(array, spec))


def in_pieces(array: Points, spec: PointSpec) -> Iterator[NDArray[Any]]:
    """An array in pieces that can be held at once."""
    return (array[at : at + spec.piece_rows] for at in range(0, len(array), spec.piece_rows))
