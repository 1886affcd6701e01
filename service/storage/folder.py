"""Blobs in one folder."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from service.storage.base import NAME, Storage, disk_errors


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

    def pages(self) -> Iterator[list[str]]:
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            yield [path.name for path in folder.iterdir() if NAME.fullmatch(path.name)]

    def delete(self, names: Collection[str]) -> None:
        with disk_errors():
            for name in names:
                self.path(name).unlink(missing_ok=True)

    def check(self) -> None:
        with self.scratch() as path:
            path.write_bytes(b"ready")
