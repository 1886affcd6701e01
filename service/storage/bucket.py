"""Blobs in an S3-compatible bucket, with a bounded folder of local copies."""

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from service.errors import StorageDamaged, StorageUnavailable
from service.storage.base import NAME, Storage, seal

if TYPE_CHECKING:  # obstore has no such names at run time
    from obstore.store import S3Config

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 4  # what is held in memory of a file on its way
GRACE_SECONDS = 60.0  # a copy asked for so lately may not be open yet
RETRIES, RETRY_FOR = 4, timedelta(seconds=20)

log = logging.getLogger(__name__)


class Bucket(Storage):
    """Blobs as objects under a prefix; no two machines need a disk in common.

    Copies go least recently used first, once they are more than ``max_bytes``; one that is mapped
    stays readable all the same.
    """

    def __init__(self, url: str, folder: Path, max_bytes: int) -> None:
        """``url`` is s3://bucket/prefix?endpoint=...&region=...; credentials are AWS_... variables.

        Raises ValueError for what is no such URL.
        """
        super().__init__(folder)
        self._max_bytes = max_bytes
        self._store = _connect(url)

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "copies").mkdir(exist_ok=True)

    def adopt(self, path: Path, sha256: str) -> None:
        with _server_errors():
            obstore.put(
                self._store, sha256, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )
        self._make_room(path.stat().st_size)
        os.replace(path, self._copy(sha256))

    def path(self, sha256: str) -> Path:
        copy = self._copy(sha256)
        try:
            os.utime(copy)
        except FileNotFoundError:
            self._fetch(sha256)
        return copy

    def pages(self) -> Iterator[list[str]]:
        with _server_errors():
            for objects in obstore.list(self._store):
                yield [found["path"] for found in objects if NAME.fullmatch(found["path"])]

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            self._copy(name).unlink(missing_ok=True)
        with _server_errors():
            obstore.delete(self._store, list(names))

    def check(self) -> None:
        with _server_errors():
            obstore.put(self._store, "ready", b"ready")

    def _copy(self, sha256: str) -> Path:
        return self.folder / "copies" / sha256

    def _fetch(self, sha256: str) -> None:
        """Bring a blob here, whole and checked or not at all; two at once do no harm."""
        with self.scratch() as path:
            with _server_errors(), path.open("wb") as file:
                blob = obstore.get(self._store, sha256)
                self._make_room(blob.meta["size"])
                for part in blob.stream(PART_BYTES):
                    file.write(part)
            if seal(path) != sha256:
                raise StorageDamaged(f"the stored bytes of {sha256} are damaged")
            os.replace(path, self._copy(sha256))

    def _make_room(self, needed: int) -> None:
        copies = sorted(_files(self.folder / "copies"))
        over = needed + sum(size for _, size, _ in copies) - self._max_bytes
        for used_at, size, path in copies:
            if over <= 0 or time.time() - used_at < GRACE_SECONDS:
                return
            path.unlink(missing_ok=True)
            over -= size


def _connect(url: str) -> S3Store:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if not parts.netloc or options.keys() - {"endpoint", "region"}:
        raise ValueError("a bucket is s3://bucket/prefix?endpoint=URL&region=NAME")
    config: S3Config = {}
    if "region" in options:
        config["region"] = options["region"]
    if "endpoint" in options:
        config["endpoint"] = options["endpoint"]
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=config,
        client_options={"allow_http": options.get("endpoint", "").startswith("http://")},
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_FOR},
    )


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Last use, bytes and path of each file that other processes leave where it is."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            found = path.stat()
            yield found.st_mtime, found.st_size, path


@contextmanager
def _server_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        if getattr(error, "errno", None):  # the local disk's
            raise
        log.warning("the storage failed: %s", str(error).splitlines()[0])
        raise StorageUnavailable("the storage can't be reached, or refuses") from error
