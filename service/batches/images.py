"""PNG and JPEG: one image, or several in a ZIP archive."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from service.batches.batch import Batch, Body, PointSpec, opened
from trainer.errors import InvalidPoints

FORMATS = ("PNG", "JPEG")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels


def open_image(body: Body, spec: PointSpec) -> Batch:
    """One image."""
    _check_images(spec)
    with opened(body) as file:
        return Batch(iter([pixels(file, "the image", spec.shape)[None]]))


def open_zip(body: Body, spec: PointSpec) -> Batch:
    """Images in the order of the archive; what it calls them doesn't matter."""
    _check_images(spec)
    return Batch(_zip_pieces(body, spec))


def pixels(file: IO[bytes], name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An image's values, 0 to 255, as (H, W) or (C, H, W). Raises InvalidPoints."""
    *channels, height, width = shape
    mode = MODES[channels[0] if channels else 1]
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.size != (width, height):
                raise InvalidPoints(
                    f"{name} has {image.height} x {image.width} pixels; the model was trained on "
                    f"{height} x {width}"
                )
            values = np.asarray(image.convert(mode))
    except UnidentifiedImageError:
        raise InvalidPoints(f"{name} is neither PNG nor JPEG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidPoints(f"{name} is damaged: {error}") from error
    return values.reshape(height, width, -1).transpose(2, 0, 1).reshape(shape)


def _zip_pieces(body: Body, spec: PointSpec) -> Iterator[NDArray[Any]]:
    held: list[NDArray[np.uint8]] = []
    try:
        with opened(body) as file, zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                with archive.open(entry) as image:
                    held.append(pixels(image, repr(entry.filename), spec.shape))
                if len(held) == spec.piece_rows:
                    yield np.stack(held)
                    held.clear()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise InvalidPoints(f"not a ZIP archive that can be read: {error}") from error
    if held:
        yield np.stack(held)


def _check_images(spec: PointSpec) -> None:
    if len(spec.shape) == 1:
        raise InvalidPoints(
            f"an image is not a point of this model: it takes {spec.shape[0]} numbers"
        )
    if len(spec.shape) == 3 and spec.shape[0] not in MODES:
        raise InvalidPoints(f"an image has 1, 3 or 4 channels; the model takes {spec.shape[0]}")
