"""What all kinds of storage share."""

import errno
import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import StorageUnavailable

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
NAME = re.compile("[0-9a-f]{64}")
STALE_SECONDS = 86_400.0  # scratch that old was left by a process that was killed

log = logging.getLogger(__name__)


def seal(path: Path) -> str:
    """Bring a file's bytes to the disk; returns the name that they go by."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


class Storage(ABC):
    """Blobs; a name is visible only once all its bytes are stored.

    Whatever writes or reads raises StorageUnavailable when the disk or the server fails.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` is where scratch files and local copies lie."""
        self.folder = folder

    def prepare(self) -> None:
        """Create the folders, remove what killed processes left. Raises OSError."""
        self.scratch_folder.mkdir(parents=True, exist_ok=True)
        for path in self.scratch_folder.iterdir():
            if _age(path) > STALE_SECONDS:
                _remove(path)

    @property
    def scratch_folder(self) -> Path:
        return self.folder / "tmp"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new file on the same disk, for uploads and conversions; gone after the block."""
        with disk_errors():
            descriptor, name = tempfile.mkstemp(dir=self.scratch_folder)
            os.close(descriptor)
            try:
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)

    def put(self, data: bytes) -> str:
        """Store ``data``; returns its name."""
        with self.scratch() as path:
            path.write_bytes(data)
            sha256 = seal(path)
            self.adopt(path, sha256)
        return sha256

    @abstractmethod
    def adopt(self, path: Path, sha256: str) -> None:
        """Make a sealed scratch file the blob of its name, at once and durably."""

    @abstractmethod
    def path(self, sha256: str) -> Path:
        """A local file with the blob's bytes, to be opened at once, then read or mapped.

        Opening it raises FileNotFoundError where there is no such blob, if this has not.
        """

    @abstractmethod
    def pages(self) -> Iterator[list[str]]:
        """The names of all blobs, some hundreds at a time."""

    @abstractmethod
    def delete(self, names: Collection[str]) -> None:
        """Forget blobs; one that is not there is no error."""

    @abstractmethod
    def check(self) -> None:
        """Raise unless blobs can be stored just now."""


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise StorageUnavailable for a disk that is full or broken."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        log.warning("the disk failed: %s", error)
        raise StorageUnavailable(f"the disk failed: {error.strerror}") from error


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError as error:  # it is in nobody's way
        log.warning("%s can't be removed: %s", path, error)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # gone in this moment
        return 0.0
