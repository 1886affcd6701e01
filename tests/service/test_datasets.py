"""Uploads are stored whole or not at all."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from api_schemas.datasets import DatasetOptions
from service import datasets
from service.database import Database
from service.errors import InvalidInput
from service.storage import Storage
from service.tables import DatasetRow

CSV = b"x,y\n1,2\n3,4\n"
OPTIONS = DatasetOptions()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "blobs")
    storage.prepare()
    return storage


def upload(folder: Path, content: bytes = CSV) -> datasets.Upload:
    path = folder / "upload"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return datasets.Upload(path, digest, len(content), "points\0.csv")


def files(storage: Storage) -> list[Path]:
    return [path for path in storage.folder.rglob("*") if path.is_file()]


def rows(database: Database) -> int:
    with database.read() as session:
        return len(session.scalars(select(DatasetRow)).all())


def store(database: Database, storage: Storage, folder: Path) -> tuple[str, bool]:
    with datasets.storing(database, storage, upload(folder), OPTIONS, None, 1 << 20) as stored:
        _, row, is_new = stored
        return row.id, is_new


def test_the_same_bytes_once(database: Database, storage: Storage, tmp_path: Path) -> None:
    first, is_new = store(database, storage, tmp_path)
    assert is_new
    assert store(database, storage, tmp_path) == (first, False)
    assert (rows(database), len(files(storage))) == (1, 1)


def test_what_the_block_refuses_is_not_kept(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    with (
        pytest.raises(KeyError),
        datasets.storing(database, storage, upload(tmp_path), OPTIONS, None, 1 << 20),
    ):
        raise KeyError
    assert (rows(database), files(storage)) == (0, [])


def test_a_bad_file_is_not_kept(database: Database, storage: Storage, tmp_path: Path) -> None:
    bad = upload(tmp_path, b"x\noops\n")
    with (
        pytest.raises(InvalidInput),
        datasets.storing(database, storage, bad, OPTIONS, None, 1 << 20),
    ):
        pass
    assert (rows(database), files(storage)) == (0, [])
