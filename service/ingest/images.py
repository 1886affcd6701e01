"""ZIP archives of PNG and JPEG images, all of one size and mode, in the archive's order."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api_schemas.datasets import DatasetOptions
from service.errors import TooLarge
from service.ingest.archive import open_archive, parts
from service.ingest.arrays import image_source
from service.ingest.source import Pieces, Source, bad_file, first_line
from trainer.points import CHUNK_VALUES, MAX_DIMENSIONS

MAX_IMAGES = 100_000
MAX_IMAGE_BYTES = 8 << 20  # of one file; more than any of MAX_DIMENSIONS values needs
OFFICE = "[Content_Types].xml"
LEFTOVERS = ("Thumbs.db", "desktop.ini")
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "CMYK": "RGB", "RGBA": "RGBA"}
UNDECODABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


def open_source(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Points are (H, W) when grey, else (C, H, W). Raises InvalidInput or TooLarge."""
    with open_archive(path) as archive:
        members = _images(archive)
        if len(members) > MAX_IMAGES:
            raise bad_file(f"{len(members):,} images; at most {MAX_IMAGES:,} are taken")
        if sum(member.file_size for member in members) > max_bytes:
            raise TooLarge("points_too_large", f"the archive unpacks to over {max_bytes:,} bytes")
        shape = _decode(archive, members[0]).shape

    def pieces() -> Pieces:
        rows = max(1, CHUNK_VALUES // int(np.prod(shape)))
        with open_archive(path) as archive:
            for at in range(0, len(members), rows):
                yield np.stack(list(_alike(archive, members[at : at + rows], shape)))

    return image_source(shape, np.dtype("u1"), pieces, options)


def _images(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """All members but folders and what operating systems leave in them, such as .DS_Store."""
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and (name := PurePosixPath(member.filename).name) not in LEFTOVERS
        and not name.startswith(".")
    ]
    if any(member.filename == OFFICE for member in members):
        raise bad_file("it is a document of an office program, as XLSX; save it as CSV")
    if not members:
        raise bad_file("the archive holds neither images nor arrays")
    return members


def _alike(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], shape: tuple[int, ...]
) -> Iterator[NDArray[Any]]:
    for member in members:
        image = _decode(archive, member)
        if image.shape != shape:
            raise bad_file(
                f"image {member.filename!r} has shape {image.shape}, the first one {shape}"
            )
        yield image


def _decode(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    name = repr(member.filename)
    if member.file_size > MAX_IMAGE_BYTES:
        raise bad_file(f"image {name} is larger than {MAX_IMAGE_BYTES:,} bytes")
    return decode(b"".join(parts(archive, member)), f"image {name}")


def decode(data: bytes, name: str) -> NDArray[Any]:
    """A PNG or JPEG as (H, W) when grey, else (3, H, W), of uint8. Raises InvalidInput."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.mode not in MODES:
                raise ValueError(f"its mode {image.mode} is not taken")
            mode = MODES[image.mode]
            if image.width * image.height * Image.getmodebands(mode) > MAX_DIMENSIONS:
                raise ValueError(f"it has over {MAX_DIMENSIONS:,} values")
            array = np.asarray(image.convert(mode))
    except UNDECODABLE as error:
        msg = "it is neither PNG nor JPEG" if "cannot identify" in str(error) else first_line(error)
        raise bad_file(f"{name} can't be read: {msg}") from error
    return array if array.ndim == 2 else array.transpose(2, 0, 1)
