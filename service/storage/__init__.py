"""Data sets and checkpoints: bytes that go by their SHA-256 and never change."""

from pathlib import Path

from service.settings import Settings
from service.storage.base import Storage, disk_errors, seal
from service.storage.bucket import Bucket
from service.storage.folder import Folder

__all__ = ["Bucket", "Folder", "Storage", "disk_errors", "open_storage", "seal"]


def open_storage(settings: Settings) -> Storage:
    """What the settings name; nothing is written or connected yet. Raises ValueError."""
    url = settings.storage_url
    if url.startswith("s3://"):
        return Bucket(url, settings.cache_path, settings.cache_bytes)
    return Folder(Path(url.removeprefix("file://")))
