"""What is stored is there for as long as something names it, and no longer."""

import threading
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from service import blobs, checkpoints, datasets, duties, events, jobs
from service.collector import collect, collect_until
from service.database import Database
from service.errors import Forbidden, StorageUnavailable
from service.ownership import Caller
from service.settings import Settings
from service.storage import Bucket, Folder, Storage
from service.table_types import utc_now
from service.tables import DutyRow, IntentRow, JobRow
from tests.servers import wait_for
from tests.service import rows
from tests.service.api import api_server
from tests.service.test_datasets import store

AGES_AGO = utc_now() - timedelta(days=365)


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    storage: Storage = Folder(tmp_path / "blobs")
    if request.param == "bucket":
        storage = Bucket(request.getfixturevalue("s3"), tmp_path / "copies", 1 << 30)
    storage.prepare()
    storage.check()
    storage.delete(stored(storage))  # all tests share the bucket
    return storage


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    storage = Folder(tmp_path / "blobs")
    storage.prepare()
    return storage


def stored(storage: Storage) -> set[str]:
    return {name for page in storage.pages() for name in page}


def test_what_is_named_is_kept_and_the_rest_goes(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    store(database, storage, tmp_path)
    needed = stored(storage)
    with database.write() as session:
        job_id = rows.job(session).id
        for iteration in (1, 2, 3):
            name = storage.put(b"%d" % iteration)
            checkpoints.add(session, job_id, iteration, name, 1)
            needed.add(name)
        needed.difference_update(checkpoints.release(session, job_id, 2))
    orphan = storage.put(b"of a process that was killed")
    with blobs.intent(database, storage, storage.put(b"about to be named")) as intent:
        needed.add(intent.sha256)
        assert stored(storage) > {orphan}
        collect(database, storage, 30)
        assert stored(storage) == needed


def test_nothing_else_is_touched(database: Database, folder: Folder) -> None:
    theirs = [folder.folder / "ab" / "notes", folder.folder / "kvae.db"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    collect(database, folder, 30)
    assert all(path.exists() for path in theirs)


class Watched(Folder):
    """Lets others in while it stores or deletes."""

    meanwhile = staticmethod(lambda: None)

    def adopt(self, path: Path, sha256: str) -> None:
        self.meanwhile()
        super().adopt(path, sha256)

    def delete(self, names: Collection[str]) -> None:
        if names:
            self.meanwhile()
        super().delete(names)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    storage = Watched(tmp_path / "blobs")
    storage.prepare()
    return storage


def test_others_write_while_an_upload_is_stored(
    database: Database, watched: Watched, tmp_path: Path
) -> None:
    jobs_made: list[str] = []

    def make_job() -> None:
        with database.write() as session:
            jobs_made.append(rows.job(session).id)

    watched.meanwhile = make_job
    store(database, watched, tmp_path)
    assert jobs_made


def test_an_upload_of_what_is_just_being_collected_waits_and_stores_it_again(
    database: Database, watched: Watched, tmp_path: Path
) -> None:
    points, _ = store(database, watched, tmp_path)
    (name,) = stored(watched)
    uploading = threading.Thread(target=store, args=(database, watched, tmp_path))

    def upload_the_same() -> None:
        watched.meanwhile = lambda: None
        uploading.start()
        uploading.join(0.3)
        assert uploading.is_alive()

    watched.meanwhile = upload_the_same
    datasets.delete(database, watched, points)
    uploading.join()
    assert watched.path(name).exists()


def test_an_upload_that_ends_after_the_look_keeps_its_bytes(
    database: Database, folder: Folder, tmp_path: Path
) -> None:
    orphan = store(database, folder, tmp_path)[0]
    (name,) = stored(folder)
    datasets.delete(database, folder, orphan)
    listed = [name]  # as the collector found it
    store(database, folder, tmp_path)
    blobs.remove(database, folder, listed)
    assert folder.path(name).exists()


def test_a_refused_upload_leaves_nothing_but_what_others_need(
    database: Database, folder: Folder, tmp_path: Path
) -> None:
    poor = database.used_by(Caller("poor", "write", max_bytes=0))
    with pytest.raises(Forbidden):
        store(poor, folder, tmp_path)
    assert stored(folder) == set()
    store(database, folder, tmp_path)
    with pytest.raises(Forbidden):
        store(poor, folder, tmp_path)
    assert len(stored(folder)) == 1
    with database.read() as session:
        assert session.query(IntentRow).count() == 0


def test_a_killed_process_is_about_to_store_for_a_day(database: Database, folder: Folder) -> None:
    name = folder.put(b"x")
    with database.write() as session:
        intent = IntentRow(id="int_", sha256=name)
        session.add(intent)
    collect(database, folder, 30)
    assert stored(folder) == {name}
    with database.write() as session:
        session.execute(update(IntentRow).values(created_at=AGES_AGO))
    collect(database, folder, 30)
    assert stored(folder) == set()
    with pytest.raises(StorageUnavailable, match="longer than 1 day"), database.write() as session:
        blobs.fulfil(session, intent)


@pytest.mark.parametrize(("finished_at", "is_kept"), [(AGES_AGO, False), (utc_now(), True)])
def test_checkpoints_of_jobs_that_ended_long_ago_go(
    database: Database, folder: Folder, finished_at: str, is_kept: bool
) -> None:
    with database.write() as session:
        ended, unfinished = (rows.job(session).id for _ in range(2))
        for job_id in (ended, unfinished):
            checkpoints.add(session, job_id, 1, folder.put(job_id.encode()), 1)
        jobs.request_cancel(session, ended)
        of_job = JobRow.id == ended
        session.execute(update(JobRow).where(of_job).values(finished_at=finished_at))
        session.execute(update(JobRow).values(created_at=AGES_AGO))
    collect(database, folder, 30)
    assert len(stored(folder)) == 1 + is_kept
    with database.write() as session:
        assert len(checkpoints.kept(session, ended)) == is_kept
        assert checkpoints.kept(session, unfinished)
        jobs.resume(session, ended)
        said = events.page(session, ended, 0, 10).data[-1].message
    assert ("starts anew" in said) is not is_kept


def test_one_process_at_a_time_collects(database: Database, folder: Folder) -> None:
    with database.write() as session:
        assert duties.take(session, duties.COLLECT, timedelta(hours=1))
        assert not duties.take(session, duties.COLLECT, timedelta(hours=1))
    stop = threading.Event()
    stop.set()  # after one look
    folder.put(b"orphan")
    collect_until(stop, Settings(), database, folder)
    assert len(stored(folder)) == 1
    with database.write() as session:
        session.execute(update(DutyRow).values(due_at=utc_now()))
    collect_until(stop, Settings(), database, folder)
    assert stored(folder) == set()


def test_the_api_collects(tmp_path: Path, folder: Folder) -> None:
    folder.put(b"orphan")

    def check() -> None:
        assert stored(folder) == set()

    with api_server(tmp_path):
        wait_for(check, AssertionError)
