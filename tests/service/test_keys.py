"""Keys, what they show and what they may: in the database, without HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import aliases, datasets, jobs, keys, leases, models, pulse, quotas
from service.access import Keyring
from service.database import Database
from service.errors import Conflict, Forbidden, NotFound, TooMany, Unauthorized
from service.ownership import Caller
from service.settings import Settings
from service.table_types import utc_now
from service.tables import AliasRow, DatasetRow, JobRow, KeyRow, ModelRow, PulseRow
from tests.service import rows

HOUR = timedelta(hours=1)
SETTINGS = Settings(_env_file=None)
ALICE, BOB = (Caller(owner, "write") for owner in ("alice", "bob"))
ADMIN = Caller("root", "admin")


def make(database: Database, **fields: Any) -> tuple[KeyRow, str]:
    with database.write() as session:
        return keys.create(session, **{"name": "x", "role": "write", **fields})


def caller(database: Database, token: str | None) -> Caller:
    with database.read() as session:
        return keys.caller(session, token, SETTINGS)


def test_without_keys_anyone_is_the_admin(database: Database) -> None:
    assert caller(database, None) == Caller("", "admin", None, None, None)
    with pytest.raises(Unauthorized, match="no such key"):
        caller(database, "kvae_x_y")


def test_a_key_is_its_owner_until_it_is_revoked(database: Database) -> None:
    key, token = make(database, role="read", max_jobs=2)
    assert len(token.rpartition(key.id.removeprefix("key_"))[2]) >= 43  # 256 bits
    expected = Caller(key.id, "read", key.id, SETTINGS.quota_bytes, 2)
    assert caller(database, token) == expected
    with database.write() as session:
        keys.revoke(session, key.id)
    for refused in (token, None):  # the last key's end opens nothing
        with pytest.raises(Unauthorized) as raised:
            caller(database, refused)
        assert raised.value.headers["WWW-Authenticate"].startswith("Bearer")
    with pytest.raises(NotFound), database.write() as session:
        keys.revoke(session, "key_x")


@pytest.mark.parametrize(
    "spoil", [str.upper, lambda t: t[:-1], lambda t: t + "x", lambda t: t[5:], lambda t: "é" + t]
)
def test_nearly_right_tokens(database: Database, spoil: object) -> None:
    _, token = make(database)
    with pytest.raises(Unauthorized):
        caller(database, spoil(token))  # type: ignore[operator]


def test_only_a_hash_is_stored(database: Database) -> None:
    _, token = make(database)
    with database.read() as session:
        stored = session.scalars(select(KeyRow)).one()
        assert token.split("_", 2)[2] not in str(vars(stored))


def test_use_is_noted_to_the_hour(database: Database) -> None:
    _, token = make(database)
    now = utc_now()
    for before, is_kept in (
        (None, False),
        (now - timedelta(minutes=59), True),
        (now - 2 * HOUR, False),
    ):
        with database.write() as session:
            session.execute(update(KeyRow).values(last_used_at=before))
        Keyring(database, SETTINGS).look_up(token)
        with database.read() as session:
            assert (keys.all_keys(session)[0].last_used_at == before) == is_kept


def test_a_look_up_waits_for_no_writer(database: Database) -> None:
    _, token = make(database)
    Keyring(database, SETTINGS).look_up(token)
    with database.write() as session, ThreadPoolExecutor() as threads:
        session.connection()
        threads.submit(Keyring(database, SETTINGS).look_up, token).result(5)


@pytest.fixture
def alices(database: Database) -> dict[type, str]:
    """A data set, a job and a model of alice's."""
    with database.used_by(ALICE).write() as session:
        job = rows.job(session)
        model = ModelRow(id="mdl_a", name="a", job_id=job.id, weights_bytes=0, shape=[2])
        model.columns, model.alpha, model.sizes = [], [1.0], [1]
        model.metrics, model.config, model.provenance, model.whole = {}, {}, {}, []
        session.add(model)
        session.flush()
        aliases.pin(session, "best", model.id)
    return {DatasetRow: job.dataset_id, JobRow: job.id, ModelRow: model.id}


@pytest.mark.parametrize("table", [DatasetRow, JobRow, ModelRow])
def test_what_is_anothers_is_not_there(
    database: Database, alices: dict[type, str], table: type[JobRow]
) -> None:
    for who, sees in ((ALICE, 1), (BOB, 0), (ADMIN, 1), (Caller("alice", "read"), 1)):
        with database.used_by(who).write() as session:
            assert len(session.scalars(select(table)).all()) == sees
            assert (session.get(table, alices[table]) is not None) == sees
            count = session.scalar(select(func.count()).select_from(table))
            assert count == sees
            renamed = session.execute(
                update(table).values(name="b").execution_options(synchronize_session=False)
            )
            assert renamed.rowcount == sees  # type: ignore[attr-defined]
    with database.used_by(BOB).write() as session:
        session.execute(delete(AliasRow))
        everyone = session.scalars(select(table).execution_options(everyone=True)).all()
        assert len(everyone) == 1


def test_the_modules_find_nothing_of_anothers(database: Database, alices: dict[type, str]) -> None:
    with database.used_by(BOB).write() as session:
        for find, ref in (
            (datasets.get, alices[DatasetRow]),
            (jobs.get, alices[JobRow]),
            (jobs.request_cancel, alices[JobRow]),
            (models.get, alices[ModelRow]),
            (models.get, "best"),
            (models.current_id, alices[ModelRow]),
            (models.current_id, "best"),
        ):
            with pytest.raises(NotFound):
                find(session, ref)
    with database.used_by(ADMIN).read() as session:
        assert models.get(session, alices[ModelRow]).aliases[0].owner == "alice"
        assert models.current_id(session, alices[ModelRow]) == alices[ModelRow]
        for find in (models.get, models.current_id):
            with pytest.raises(NotFound):  # names are everyone's own
                find(session, "best")
    with database.used_by(ALICE).read() as session:
        assert models.current_id(session, "best") == alices[ModelRow]
    assert database.used_by(ALICE) == database.used_by(ALICE) != database.used_by(BOB)


def test_names_are_everyones_own(database: Database, alices: dict[type, str]) -> None:
    model_id = alices[ModelRow]
    with database.used_by(ADMIN).write() as session:
        assert aliases.page(session, None, 9).data == []
        assert aliases.pin(session, "best", model_id)
    with database.used_by(ALICE).write() as session:
        aliases.drop(session, "best")
    with (
        pytest.raises(Conflict, match="'best' stands for"),  # the admin's
        database.used_by(ALICE).write() as session,
    ):
        models.remove(session, model_id)
    with database.used_by(ADMIN).write() as session:
        assert aliases.get(session, "best").model_id == model_id
        aliases.drop(session, "best")
        models.remove(session, model_id)


def test_names_of_before_there_were_keys_are_the_admins(
    database: Database, alices: dict[type, str]
) -> None:
    model_id, other_id = alices[ModelRow], "mdl_b"
    with database.write() as session:
        session.add(rows.blank_model(model_id=other_id))
        session.flush()
        for name in ("default", "old"):
            aliases.pin(session, name, model_id)
    key = replace(ADMIN, key="key_root")
    with database.used_by(key).write() as session:
        assert [alias.id for alias in aliases.page(session, None, 9).data] == ["default", "old"]
        assert models.get(session, "old").id == models.current_id(session, "old") == model_id
        assert not aliases.pin(session, "old", other_id)
        assert models.current_id(session, "old") == other_id
        aliases.drop(session, "old")
    with database.used_by(ADMIN).write() as session:  # a worker, which has no key
        aliases.follow(session, "default", other_id)
    with database.read() as session:
        assert aliases.get(session, "default").model_id == model_id
    with database.used_by(key).write() as session:
        assert [alias.model for alias in aliases.page(session, None, 9).data] == [other_id]
        aliases.drop(session, "default")  # the admin's own, which hid the other
        assert [alias.model for alias in aliases.page(session, None, 9).data] == [model_id]
        aliases.drop(session, "default")
        assert aliases.page(session, None, 9).data == []


def test_the_same_bytes_for_each_owner(database: Database) -> None:
    for who in (ALICE, BOB):
        with database.used_by(who).write() as session:
            rows.dataset(session).identity = "e" * 64
    with pytest.raises(IntegrityError), database.used_by(BOB).write() as session:
        rows.dataset(session).identity = "e" * 64


def test_the_quota_of_bytes(database: Database) -> None:
    allowed = Caller("alice", "write", max_bytes=2)
    with database.used_by(allowed).write() as session:
        for _ in range(2):
            rows.dataset(session)
            quotas.check_bytes(session)
        rows.dataset(session)
        with pytest.raises(Forbidden, match=r"quota 'bytes': .* 2 bytes; .* take 3"):
            quotas.check_bytes(session)
        session.execute(update(DatasetRow).values(deleted_at=utc_now()))
        quotas.check_bytes(session)
    with database.used_by(BOB).write() as session:
        quotas.check_bytes(session)


def test_the_quota_of_jobs(database: Database) -> None:
    alice = database.used_by(Caller("alice", "write", max_jobs=1))

    def refused(attempt: Callable[[Session], object]) -> None:
        with pytest.raises(TooMany, match="quota 'jobs'") as raised, alice.write() as session:
            attempt(session)
        assert raised.value.headers == {"Retry-After": "10"}

    with alice.write() as session:
        first = rows.job(session)
    refused(rows.job)
    with alice.write() as session:
        jobs.request_cancel(session, first.id)
        rows.job(session)
    refused(lambda session: jobs.resume(session, first.id))


def test_a_worker_is_alive_by_its_pulse_or_by_its_lease(database: Database) -> None:
    def alive() -> bool:
        with database.read() as session:
            return pulse.is_alive(session, 10)

    assert not alive()
    with database.write() as session:
        assert pulse.is_due(session, 10)
        pulse.note(session, "one")
        pulse.note(session, "one")
        assert not pulse.is_due(session, 10)
    assert alive()
    with database.write() as session:
        session.execute(update(PulseRow).values(beat_at=utc_now() - timedelta(seconds=31)))
        job_id = rows.job(session).id
    assert not alive()
    with database.write() as session:
        leases.claim(session, job_id, 60)
    assert alive()
    with database.write() as session:
        session.execute(update(JobRow).values(lease_expires_at=utc_now()))
    assert not alive()
