"""A job whose storage is away waits, and fails with that cause in the end."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service import blobs, checkpoints, jobs, leases
from service.collector import collect
from service.database import Database
from service.errors import DatabaseUnavailable, StorageDamaged, StorageUnavailable
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.storage import Folder, bucket
from service.worker import heartbeat as heartbeats
from service.worker import patience
from service.worker.heartbeat import CancelRequested, Heartbeat, LetGo, StopRequested
from service.worker.patience import patiently
from service.worker.runner import error_of
from service.worker.training import JobRunner
from tests.servers import free_port
from tests.service import rows


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(bucket, "RETRIES", 0)


@pytest.fixture
def claim(database: Database) -> leases.Claim:
    with database.write() as session:
        claim = leases.claim(session, rows.job(session).id, 60)
    assert claim
    return claim


@pytest.fixture
def heartbeat(database: Database, claim: leases.Claim) -> Iterator[Heartbeat]:
    with beating(database, claim) as heartbeat:
        yield heartbeat


def beating(
    database: Database,
    claim: leases.Claim,
    let_go: LetGo = lambda _: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Heartbeat:
    def renew(session: Session) -> bool:
        return leases.renew(session, claim, 60)

    return Heartbeat(database, renew, let_go, 60, is_stopping)


STORAGE = StorageUnavailable("away")
DATABASE = OperationalError("INSERT ...", None, Exception("no space left"))


@pytest.mark.parametrize(("tries", "is_back"), [(0, True), (2, True), (3, False)])
@pytest.mark.parametrize(
    ("failure", "raised"),
    [(STORAGE, pytest.raises(StorageUnavailable)), (DATABASE, pytest.raises(DatabaseUnavailable))],
)
def test_it_is_tried_again(
    heartbeat: Heartbeat,
    tries: int,
    is_back: bool,
    failure: Exception,
    raised: pytest.RaisesExc[Exception],
) -> None:
    states = iter([*["away"] * tries, "back"])

    def action() -> str:
        state = next(states)
        if state == "away":
            raise failure
        return state

    if is_back:
        assert patiently(heartbeat, action) == "back"
    else:
        with raised as caught:
            patiently(heartbeat, action)
        assert error_of(caught.value)["code"].endswith("_unavailable")


def test_damage_is_not_waited_for(heartbeat: Heartbeat) -> None:
    tries = iter([StorageDamaged("damaged")])

    def action() -> None:
        raise next(tries)

    with pytest.raises(StorageDamaged):
        patiently(heartbeat, action)


def test_old_checkpoints_wait_for_the_collector(
    database: Database, claim: leases.Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Folder(tmp_path)
    storage.prepare()
    names = [storage.put(data) for data in (b"one", b"two")]
    with database.write() as session:
        for iteration, name in enumerate(names):
            checkpoints.add(session, claim.job_id, iteration, name, 3)
    with database.write() as session:
        assert set(checkpoints.release(session, claim.job_id)) == set(names)

    def away(names: list[str]) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", away)
        blobs.remove(database, storage, names)
    assert all(storage.path(name).exists() for name in names)
    collect(database, storage, 30)
    assert not any(storage.path(name).exists() for name in names)


def test_a_cancel_ends_the_wait(
    database: Database,
    claim: leases.Claim,
    heartbeat: Heartbeat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "PAUSES", (60.0,))
    with database.write() as session:
        jobs.request_cancel(session, claim.job_id)

    def action() -> None:
        raise StorageUnavailable("away")

    with pytest.raises(CancelRequested):
        patiently(heartbeat, action)


def test_work_that_does_not_look_up_is_cancelled_without_it(
    database: Database, claim: leases.Claim
) -> None:
    def let_go(request: object) -> None:
        assert isinstance(request, CancelRequested)
        with database.write() as session:
            leases.finish(session, claim, "cancelled")

    with beating(database, claim, let_go) as heartbeat:
        with database.write() as session:
            jobs.request_cancel(session, claim.job_id)
        asked = time.monotonic()
        while not is_in(database, claim, "cancelled"):
            time.sleep(0.05)
        assert time.monotonic() - asked < 20  # 2 at most on an idle machine; a lease is 60
        time.sleep(0.2)
        with pytest.raises(leases.LeaseLost):
            heartbeat.check()


def test_work_that_does_not_look_up_is_given_back_without_it(
    database: Database, claim: leases.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "STOP_SECONDS", 0.5)
    requests: list[object] = []

    def let_go(request: object) -> None:
        requests.append(request)
        with database.write() as session:
            leases.give_back(session, claim)

    with beating(database, claim, let_go, lambda: True):
        while not is_in(database, claim, "queued"):
            time.sleep(0.05)
    assert [type(request) for request in requests] == [StopRequested]


def is_in(database: Database, claim: leases.Claim, status: str) -> bool:
    with database.read() as session:
        return jobs.get(session, claim.job_id).status == status


def test_the_cause_is_named(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        job_id = rows.job(session).id
    away = f"s3://kvae?endpoint=http://127.0.0.1:{free_port()}"
    url = database.engine.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, storage_url=away, cache_path=tmp_path / "cache")
    runner = JobRunner(settings, JobQueue(create_celery(settings)))
    runner.run(job_id)
    runner.database.close()
    with database.read() as session:
        job = jobs.view(jobs.get(session, job_id))
    assert job.status == "failed"
    assert job.error
    assert job.error.code == "storage_unavailable"
    assert job.error.message == "the storage can't be reached, or refuses"
