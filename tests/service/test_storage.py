"""Blobs in a folder and in a bucket."""

import contextlib
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import obstore
import pytest

from service.errors import StorageUnavailable
from service.settings import Settings
from service.storage import Bucket, Folder, Storage, open_storage, seal
from service.storage import bucket as bucket_module
from tests.servers import free_port, s3_server

HELLO = hashlib.sha256(b"hello").hexdigest()
PLENTY = 1 << 30


@pytest.fixture
def bucket(s3: str, tmp_path: Path) -> Bucket:
    storage = Bucket(s3, tmp_path / "here", PLENTY)
    storage.prepare()
    return storage


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "bucket":
        found: Bucket = request.getfixturevalue("bucket")
        return found
    storage = Folder(tmp_path / "here")
    storage.prepare()
    return storage


@pytest.fixture
def elsewhere(s3: str, tmp_path: Path) -> Bucket:
    """The same bucket from another machine."""
    storage = Bucket(s3, tmp_path / "elsewhere", PLENTY)
    storage.prepare()
    return storage


def files(storage: Storage) -> list[Path]:
    return [path for path in storage.folder.rglob("*") if path.is_file()]


def test_bytes_go_by_their_hash(storage: Storage) -> None:
    assert storage.put(b"hello") == storage.put(b"hello") == HELLO
    assert storage.path(HELLO).read_bytes() == b"hello"
    storage.delete([HELLO])
    storage.delete([HELLO])
    with pytest.raises(FileNotFoundError):
        storage.path(HELLO).read_bytes()


def test_all_names_are_told(storage: Storage) -> None:
    def told() -> set[str]:
        return {name for page in storage.pages() for name in page}

    storage.check()  # what it leaves is no blob
    before = told()  # by other tests
    names = {storage.put(b"blob %d" % i) for i in range(5)}
    with storage.scratch():
        assert told() - before == names
    storage.delete(names)
    assert told() == before


def test_scratch_files_vanish(storage: Storage) -> None:
    with contextlib.suppress(ZeroDivisionError), storage.scratch() as path:
        path.write_bytes(b"x")
        raise ZeroDivisionError
    assert files(storage) == []


def test_what_a_killed_process_left_goes_at_the_next_start(storage: Storage) -> None:
    folder, old, new = (storage.folder / "tmp" / name for name in ("folder", "old", "new"))
    folder.mkdir()
    for path in (folder / "part", old, new):
        path.touch()
    for path in (folder, old):
        os.utime(path, (0, 0))
    storage.prepare()
    assert [*storage.scratch_folder.iterdir()] == [new]


def test_it_can_be_written(storage: Storage) -> None:
    storage.check()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow over 4 KiB; not for longer than a call, as it may log."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_named_and_nothing_is_left(storage: Storage) -> None:
    failed = pytest.raises(StorageUnavailable, match="the disk failed: File too large")
    with failed, full_disk():
        storage.put(b"x" * 5000)
    assert files(storage) == []


def test_a_large_file_can_be_mapped_on_another_machine(bucket: Bucket, elsewhere: Bucket) -> None:
    points = np.random.default_rng(0).random((20, 1 << 17))  # 20 MiB: in parts
    with bucket.scratch() as path:
        with path.open("wb") as file:
            np.save(file, points)
        name = seal(path)
        bucket.adopt(path, name)
    mapped = np.load(elsewhere.path(name), mmap_mode="r")
    np.testing.assert_array_equal(mapped, points)
    assert [path.name for path in files(elsewhere)] == [name]


def test_copies_are_bounded_and_those_in_use_stay_readable(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "GRACE_SECONDS", -1.0)
    storage = Bucket(s3, tmp_path, 2500)
    storage.prepare()
    names = [storage.put(bytes([i]) * 1000) for i in range(2)]
    mapped = np.memmap(storage.path(names[0]), np.uint8, "r")
    for i, name in enumerate(names):  # the first one was used longer ago
        os.utime(storage.path(name), (i, i))
    names.append(storage.put(b"z" * 1000))
    assert {path.name for path in files(storage)} == set(names[1:])
    assert bytes(mapped) == bytes(1000)
    assert storage.path(names[0]).read_bytes() == bytes(1000)


def test_damaged_bytes_are_not_used(bucket: Bucket, elsewhere: Bucket) -> None:
    name = bucket.put(b"whole")
    obstore.put(bucket._store, name, b"damaged")
    with pytest.raises(StorageUnavailable, match="are damaged"):
        elsewhere.path(name)
    assert files(elsewhere) == []


def test_a_server_that_is_away_is_named_and_nothing_is_left(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "RETRIES", 0)
    port = free_port()
    storage = Bucket(f"s3://kvae?endpoint=http://127.0.0.1:{port}", tmp_path, PLENTY)
    storage.prepare()
    for call in (
        lambda: storage.put(b"x"),
        lambda: storage.path(HELLO),
        lambda: list(storage.pages()),
        lambda: storage.delete([HELLO]),
        storage.check,
    ):
        with pytest.raises(StorageUnavailable, match="can't be reached"):
            call()
    assert files(storage) == []
    with s3_server(port):
        assert storage.path(storage.put(b"x")).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("url", "kind"),
    [("blobs", Folder), ("file:///var/blobs", Folder), ("s3://name/a?region=eu-central-1", Bucket)],
)
def test_what_a_url_means(url: str, kind: type[Storage]) -> None:
    assert type(open_storage(Settings(storage_url=url))) is kind


@pytest.mark.parametrize("url", ["ftp://host/x", "file://blobs", "s3://", "s3://b?key=secret"])
def test_what_no_url_of_a_storage_is(url: str) -> None:
    with pytest.raises(ValueError, match=r"storage is a folder|a bucket is s3://"):
        open_storage(Settings(storage_url=url))
