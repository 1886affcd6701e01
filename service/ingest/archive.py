"""ZIP archives, whose members are read in memory and never extracted by their names."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from service.ingest.source import bad_file, first_line

MAGIC = b"PK\x03\x04"
EMPTY_MAGIC = b"PK\x05\x06"
MAX_DIRECTORY_BYTES = 32 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others unpack without bounds
PART_BYTES = 1 << 20
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, or of an unknown version
    ValueError,
)


class _Bounded(io.FileIO):
    """zipfile reads the whole list of members in one go, however long it claims to be."""

    def __init__(self, path: Path, max_read: int) -> None:
        super().__init__(path)
        self._max_read = max_read

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size > self._max_read:
            raise zipfile.BadZipFile(f"its list of members is over {self._max_read:,} bytes")
        return super().read(size) or b""


@contextmanager
def open_archive(path: Path, max_directory: int = MAX_DIRECTORY_BYTES) -> Iterator[zipfile.ZipFile]:
    """Raises InvalidInput when it is damaged or has too many members."""
    with _Bounded(path, max_directory) as file:
        with _explained("the archive"):
            archive = zipfile.ZipFile(file)
        for name in archive.namelist():
            if name.startswith("/") or ".." in PurePosixPath(name.replace("\\", "/")).parts:
                raise bad_file(f"{name!r} leads out of the archive")
        yield archive


def parts(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes, never more than it declares. Raises InvalidInput when it is damaged."""
    name = f"{member.filename!r} in the archive"
    if member.compress_type not in METHODS:
        raise bad_file(f"{name} is packed by other than deflate")
    with _explained(name), archive.open(member) as file:
        while part := file.read(PART_BYTES):
            yield part


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise bad_file(f"{what} can't be read: {first_line(error)}") from error
