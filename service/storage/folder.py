"""Blobs in one folder."""

import os
from pathlib import Path

from service.storage.base import Storage, disk_errors


class Folder(Storage):
    """Blobs as files of one folder, the same for all processes."""

    def adopt(self, path: Path, sha256: str) -> None:
        with disk_errors():
            target = self.path(sha256)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def delete(self, sha256: str) -> None:
        with disk_errors():
            self.path(sha256).unlink(missing_ok=True)

    def check(self) -> None:
        with self.scratch() as path:
            path.write_bytes(b"ready")
