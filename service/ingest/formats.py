"""Which format a file has, by its content: names are often wrong, and media types say nothing.

One that does say a format must be right.
"""

from collections.abc import Mapping
from pathlib import Path

from api_schemas.datasets import DatasetFormat
from service import media
from service.errors import UnsupportedMediaType
from service.ingest import archive, arrow, idx, npy, text
from service.ingest.source import bad_file
from trainer.npy import MAGIC as NPY_MAGIC

HEAD_BYTES = 4096
PICKLE_MAGIC = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
MAGIC: dict[bytes, DatasetFormat] = {
    NPY_MAGIC: "npy",
    arrow.PARQUET_MAGIC: "parquet",
    arrow.FILE_MAGIC: "arrow",
    arrow.STREAM_MAGIC: "arrow",
}
TAKEN = "CSV, NPY, NPZ, Parquet, Arrow IPC, IDX, and ZIP archives of PNG or JPEG are taken"
FORMATS: Mapping[str, tuple[DatasetFormat, ...]] = {
    media.CSV: ("csv",),
    media.NPY: ("npy",),
    media.NPZ: ("npz",),
    media.PARQUET: ("parquet",),
    media.ARROW: ("arrow",),
    media.ARROW_FILE: ("arrow",),
    media.ZIP: ("zip", "npz"),
}


def check_declared(upload: Path, media_type: str, encoding: str | None) -> None:
    """Raise UnsupportedMediaType unless a file has the format that its media type says, if any."""
    if media_type == media.JSON:
        detail = f"a data set is not taken as {media_type}; {TAKEN}"
        raise UnsupportedMediaType("unsupported_media_type", detail)
    found = find_format(upload, encoding)
    if found not in FORMATS.get(media_type, (found,)):
        detail = f"the file is declared as {media_type}, but by its content it is {found}"
        raise UnsupportedMediaType("media_type_mismatch", detail)


def find_format(upload: Path, encoding: str | None = None) -> DatasetFormat:
    """What is no other format is text, surely so if its encoding is told.

    Raises UnsupportedMediaType, or InvalidInput for an empty or damaged file.
    """
    with upload.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise bad_file("the file is empty")
    for magic, found in MAGIC.items():
        if head.startswith(magic):
            return found
    if head.startswith((archive.MAGIC, archive.EMPTY_MAGIC)):
        with archive.open_archive(upload) as opened:
            is_npz = any(name.endswith(npy.SUFFIX) for name in opened.namelist())
        return "npz" if is_npz else "zip"
    is_gzipped = head.startswith(idx.GZIP_MAGIC)
    if idx.is_idx(idx.peek(upload) if is_gzipped else head):
        return "idx"
    if head.startswith(PICKLE_MAGIC):
        raise UnsupportedMediaType("unsupported_format", "a pickle; pickles are never loaded")
    is_text = encoding is not None or b"\0" not in head or head.startswith(tuple(text.MARKS))
    if is_gzipped or not is_text:
        raise UnsupportedMediaType("unsupported_format", f"an unknown format; {TAKEN}")
    return "csv"
