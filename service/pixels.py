"""Pixels of images: in the type and range of those that a model was trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Column
from trainer.errors import InvalidPoints


def restored(pixels: Column, images: NDArray[Any]) -> NDArray[Any]:
    """Images as the data has them: (n, ...) -> (n, ...), whole numbers rounded."""
    dtype = np.dtype(pixels.dtype or images.dtype)
    return (images if dtype.kind == "f" else np.rint(images)).astype(dtype)


def check(pixels: Column, images: NDArray[Any]) -> None:
    """Raise InvalidPoints for images, (n, ...), of another scale than those trained on."""
    if images.size:
        low, high = float(images.min()), float(images.max())
        check_range(pixels, low, high, images.dtype.kind == "f" and bool((images % 1).any()))


def check_range(pixels: Column, low: float, high: float, fractions: bool) -> None:
    """Raise InvalidPoints for a range of another scale than that trained on.

    That is one that reaches further out than it is wide, or than bytes do where they were such, or
    shares of 1 for what was whole.
    """
    if pixels.min is None or pixels.max is None or pixels.min == pixels.max:
        return
    span = pixels.max - pixels.min
    lowest, highest = pixels.min - span, pixels.max + span
    if pixels.dtype == "uint8":
        lowest, highest = max(0, lowest), min(255, highest)
    was_whole = pixels.dtype is not None and np.dtype(pixels.dtype).kind != "f"
    are_shares = fractions and low >= 0 and high <= 1 < pixels.max and was_whole
    if are_shares or low < lowest or high > highest:
        raise InvalidPoints(
            f"pixels from {low:g} to {high:g}; the model was trained on pixels from "
            f"{pixels.min:g} to {pixels.max:g}"
        )
