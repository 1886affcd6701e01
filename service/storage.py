"""Bytes under a folder: data sets and checkpoints, named by their SHA-256 and never changed."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def seal(path: Path) -> str:
    """Bring a file's bytes to the disk; returns the name that they go by."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Storage:
    """Blobs under ``folder``; a name is visible only once all its bytes are on disk."""

    folder: Path

    def prepare(self) -> None:
        """Create the folders. Raises OSError."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new file on the same disk, for uploads and conversions; gone after the block."""
        descriptor, name = tempfile.mkstemp(dir=self.folder / "tmp")
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def adopt(self, path: Path, sha256: str) -> None:
        """Make a sealed scratch file the blob of its name, at once and durably."""
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def put(self, data: bytes) -> str:
        """Store ``data``; returns its name."""
        with self.scratch() as path:
            path.write_bytes(data)
            sha256 = seal(path)
            self.adopt(path, sha256)
        return sha256

    def path(self, sha256: str) -> Path:
        """Where a blob lies."""
        return self.folder / sha256[:2] / sha256

    def delete(self, sha256: str) -> None:
        """Forget a blob; one that is not there is no error."""
        self.path(sha256).unlink(missing_ok=True)
