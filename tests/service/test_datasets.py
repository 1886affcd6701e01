"""Uploads are stored whole or not at all."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from api_schemas.common import Page
from api_schemas.datasets import DatasetOptions, PointRow
from api_schemas.jobs import JobRequest
from service import datasets, jobs
from service.database import Database
from service.errors import Conflict, InvalidInput, NotFound
from service.ownership import Caller
from service.storage import Folder, Storage
from service.tables import DatasetRow

CSV = b"x,y\n1,2\n3,4\n"
OPTIONS = DatasetOptions()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Folder(tmp_path / "blobs")
    storage.prepare()
    return storage


def upload(folder: Path, content: bytes = CSV) -> datasets.Upload:
    path = folder / "upload"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return datasets.Upload(path, digest, len(content), "points\0.csv", "")


def files(storage: Storage) -> list[Path]:
    return [path for path in storage.folder.rglob("*") if path.is_file()]


def rows(database: Database) -> int:
    with database.read() as session:
        return len(session.scalars(select(DatasetRow)).all())


def store(
    database: Database, storage: Storage, folder: Path, options: DatasetOptions = OPTIONS
) -> tuple[str, bool]:
    with datasets.storing(database, storage, upload(folder), options, None, 1 << 20) as stored:
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


def test_other_options_are_another_data_set(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    first, _ = store(database, storage, tmp_path)
    spelled_out = DatasetOptions(missing="refuse", columns=None)
    assert store(database, storage, tmp_path, spelled_out) == (first, False)
    turned, is_new = store(database, storage, tmp_path, DatasetOptions(columns=["y", "x"]))
    assert is_new
    with database.read() as session:
        view = datasets.view(datasets.get(session, turned))
    assert view.options == DatasetOptions(columns=["y", "x"])
    assert [column.name for column in view.columns] == ["y", "x"]


def test_deleting(database: Database, storage: Storage, tmp_path: Path) -> None:
    first, _ = store(database, storage, tmp_path)
    same_points, _ = store(database, storage, tmp_path, DatasetOptions(missing="drop"))
    datasets.delete(database, storage, first)
    with database.read() as session, pytest.raises(NotFound):
        datasets.get(session, first)
    with pytest.raises(NotFound):
        datasets.delete(database, storage, first)
    assert len(files(storage)) == 1  # the other one needs it
    again, is_new = store(database, storage, tmp_path)
    assert is_new
    assert again != first
    datasets.delete(database, storage, again)
    datasets.delete(database, storage, same_points)
    assert files(storage) == []


def test_owners_share_points_and_no_data_set(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    alice, admin = database.used_by(Caller("alice", "write")), database.used_by(Caller("root"))
    (hers, _), (his, is_new) = (store(of, storage, tmp_path) for of in (alice, admin))
    assert is_new
    assert store(admin, storage, tmp_path) == (his, False)
    with admin.write() as session:
        request = JobRequest(components=1)
        job = jobs.create(session, datasets.hold(session, hers), request).id
    with pytest.raises(Conflict, match=f"needed by '{job}'"):
        datasets.delete(alice, storage, hers)
    with admin.write() as session:
        jobs.request_cancel(session, job)
    datasets.delete(alice, storage, hers)
    assert len(files(storage)) == 1
    datasets.delete(admin, storage, his)
    assert files(storage) == []


def test_what_a_job_needs_or_may_need_again_is_kept(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    dataset, _ = store(database, storage, tmp_path)
    with database.write() as session:
        request = JobRequest(components=1)
        job = jobs.create(session, datasets.hold(session, dataset), request).id
    for release in (jobs.request_cancel, jobs.remove):
        with pytest.raises(Conflict, match=f"needed by '{job}'"):
            datasets.delete(database, storage, dataset)
        with database.write() as session:
            release(session, job)
    datasets.delete(database, storage, dataset)
    with database.write() as session, pytest.raises(NotFound):
        datasets.hold(session, dataset)


def test_rows_in_the_datas_own_units(
    database: Database, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, _ = store(database, storage, tmp_path)
    with database.read() as session:
        row = datasets.get(session, dataset)

    def page(rows: Sequence[int], limit: int) -> Page[PointRow]:
        return datasets.rows_page(row, datasets.points(storage, row, rows, limit), rows)

    first = page(range(2), 1)
    assert [(item.row, item.values) for item in first.data] == [(0, {"x": 1, "y": 2})]
    assert first.has_more
    chosen = page(datasets.chosen_rows(row, [1, 0, 1], -1), 5)
    assert ([item.row for item in chosen.data], chosen.has_more) == ([1, 0], False)
    assert datasets.chosen_rows(row, [1, 0], 1) == [0]
    assert page(range(8, 2), 5).data == []
    with pytest.raises(InvalidInput, match="there is no row 2"):
        datasets.chosen_rows(row, [1, 2], -1)
    monkeypatch.setattr(datasets, "MAX_PAGE_VALUES", 3)
    assert len(page(range(2), 2).data) == 1


def test_points_that_are_deleted_while_they_are_asked_for(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    dataset_id, _ = store(database, storage, tmp_path)
    with database.read() as session:
        row = datasets.get(session, dataset_id)
    datasets.delete(database, storage, dataset_id)
    with pytest.raises(NotFound, match="are no longer there"):
        datasets.points(storage, row, range(2), 1)
