"""Blobs and ids."""

import contextlib
from pathlib import Path

import pytest

from service.ids import new_id
from service.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path)
    storage.prepare()
    return storage


def test_bytes_go_by_their_hash(storage: Storage) -> None:
    name = storage.put(b"hello")
    assert name == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert storage.put(b"hello") == name
    assert storage.path(name).read_bytes() == b"hello"
    storage.delete(name)
    storage.delete(name)
    assert not storage.path(name).exists()


def test_scratch_files_vanish(storage: Storage) -> None:
    with contextlib.suppress(ZeroDivisionError), storage.scratch() as path:
        path.write_bytes(b"x")
        raise ZeroDivisionError
    assert list((storage.folder / "tmp").iterdir()) == []


def test_ids_are_ordered_and_distinct() -> None:
    ids = [new_id("job") for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [i[:14] for i in ids] == sorted(i[:14] for i in ids)
    assert {len(i) for i in ids} == {30}
