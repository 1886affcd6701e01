"""One answer a key, kept with what it tells of."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import Request, Response
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from service import idempotency, jobs
from service.database import Database
from service.datasets import Upload
from service.errors import Conflict, InvalidInput
from service.ownership import Caller
from service.table_types import utc_now
from service.tables import IdempotencyRow, JobRow
from service.uploads import Form
from tests.service import rows


def request(path: str = "/jobs", caller: str | None = None) -> Request:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "server": ("h", 1),
        "scheme": "http",
        "headers": [],
        "state": {"caller": Caller(key=caller)},
    }
    return Request(scope)


@contextmanager
def attempt(
    database: Database, key: str | None = "k", body: bytes = b"{}", caller: str | None = None
) -> Iterator[idempotency.Attempt]:
    with idempotency.attempt(database, request(caller=caller), key, body) as taken:
        yield taken


def create(
    database: Database,
    key: str | None = "k",
    body: bytes = b"{}",
    after_commit: Callable[[], None] = lambda: None,
) -> Response:
    """What a route does."""
    with attempt(database, key, body) as taken:
        if taken.earlier:
            return taken.earlier
        with database.write() as session:
            job = rows.job(session)
            answer = taken.answer(session, 202, jobs.view(job), f"/jobs/{job.id}")
        after_commit()
        return answer


def lose_the_connection() -> None:
    raise OperationalError("COMMIT", None, Exception("the connection was lost"))


def count(database: Database, table: type[JobRow] | type[IdempotencyRow] = JobRow) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_first_answer_comes_again(database: Database) -> None:
    first, again = create(database), create(database)
    assert again.body == first.body
    assert again.status_code == first.status_code == 202
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    create(database, key="another")
    create(database, key=None)
    create(database, key=None)
    assert count(database) == 4


def test_another_request_under_a_key_is_refused(database: Database) -> None:
    create(database)
    with pytest.raises(InvalidInput, match="was used for another request"):
        create(database, body=b"[]")
    with attempt(database, body=b"[]", caller="key_of-someone-else") as taken:
        assert taken.earlier is None


def test_a_key_in_flight_is_a_conflict(database: Database) -> None:
    with attempt(database), pytest.raises(Conflict, match="not done yet"):
        create(database)
    assert count(database) == 0


def test_only_one_of_many_does_it(database: Database) -> None:
    got: list[str] = []

    def one() -> None:
        try:
            got.append(bytes(create(database).body).decode())
        except Conflict:
            got.append("conflict")

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got) - {"conflict"}) == 1
    assert count(database) == 1


def fail_late(database: Database) -> None:
    with attempt(database) as taken, database.write() as session:
        taken.answer(session, 202, jobs.view(rows.job(session)), "/")
        raise ZeroDivisionError


def test_a_failed_request_leaves_its_key_unused(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_late(database)
    assert count(database) == count(database, IdempotencyRow) == 0
    assert create(database).status_code == 202


@pytest.mark.parametrize(("age", "answered"), [("KEPT", True), ("LEASE", False)])
def test_old_keys_can_be_taken_again(database: Database, age: str, answered: bool) -> None:
    outlasted: timedelta = getattr(idempotency, age)
    stuck = attempt(database)
    slow = stuck.__enter__()
    if answered:
        with database.write() as session:
            slow.answer(session, 202, jobs.view(rows.job(session)), "/")
    with database.write() as session:
        session.get_one(IdempotencyRow, slow.key_id).created_at = utc_now() - outlasted
    before = count(database)
    assert "idempotency-replayed" not in create(database).headers
    assert count(database) == before + 1
    with pytest.raises(Conflict), database.write() as session:  # the one that was too slow
        slow.answer(session, 202, jobs.view(rows.job(session)), "/")
    assert count(database) == before + 1


def test_a_commit_that_seems_to_fail_is_not_done_again(database: Database) -> None:
    with pytest.raises(OperationalError):
        create(database, after_commit=lose_the_connection)
    assert create(database).headers["idempotency-replayed"] == "true"
    assert count(database) == 1


def test_a_key_is_held_while_its_request_is_at_work(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE", timedelta(seconds=1))
    with attempt(database):
        time.sleep(2)
        with pytest.raises(Conflict, match="not done yet"):
            create(database)


def test_expired_keys_are_forgotten(database: Database) -> None:
    create(database)
    with database.write() as session:
        idempotency.forget_expired(session)
    assert count(database, IdempotencyRow) == 1
    with database.write() as session:
        session.scalars(select(IdempotencyRow)).one().created_at -= idempotency.KEPT
        idempotency.forget_expired(session)
    assert count(database, IdempotencyRow) == 0


def test_what_makes_two_requests_the_same() -> None:
    def form(sha256: str, filename: str, **fields: str) -> Form:
        return Form(Upload(Path(), sha256, 1, filename, ""), {**fields}, {})

    same = [form("a", "x", k="1", c="2"), form("a", "x", c="2", k="1")]
    others = [form("b", "x", k="1", c="2"), form("a", "y", k="1", c="2"), form("a", "x")]
    bodies: list[bytes | Form] = [*same, *others, b"", b"1"]
    prints = [idempotency.fingerprint(request(), body) for body in bodies]
    prints.append(idempotency.fingerprint(request("/datasets"), b""))
    assert prints[0] == prints[1]
    assert len(set(prints)) == len(prints) - 1
