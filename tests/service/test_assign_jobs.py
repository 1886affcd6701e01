"""Assign jobs: their parts are done by many workers, whatever happens to these, and each once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from service import assign_jobs, assignments, events, jobs, leases, models, pulse
from service.database import Database
from service.errors import Conflict, NotFound
from service.metrics import Metrics
from service.table_types import utc_now
from service.tables import JobPartRow
from tests.service import rows

LEASE = 60.0
ROWS, PART_ROWS, PARTS = 100, 30, 4
COMPONENTS = np.arange(ROWS) % 3


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assign_jobs, "part_rows", lambda *_: PART_ROWS)


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as session:
        return rows.assign_job(session, ROWS).id


def take(database: Database, job_id: str, lease: float = LEASE) -> assign_jobs.Claim | None:
    with database.write() as session:
        return assign_jobs.claim(session, job_id, lease)


def claim(database: Database, job_id: str, lease: float = LEASE) -> assign_jobs.Claim:
    claimed = take(database, job_id, lease)
    assert claimed
    return claimed


def finish(database: Database, *claims: assign_jobs.Claim) -> None:
    for claimed in claims:
        components = COMPONENTS[claimed.rows]
        with database.write() as session:
            shares = {"confidence": np.full(len(components), 0.5, np.float32)}
            assign_jobs.finish(session, claimed, components, shares)


def sweep(database: Database) -> list[str]:
    with database.write() as session:
        assert leases.give_up_expired(session, 3) == []
        return assign_jobs.give_up_expired(session, 3)


def view(database: Database, job_id: str) -> Any:
    with database.read() as session:
        return jobs.view(jobs.get(session, job_id))


def log(database: Database, job_id: str) -> list[str]:
    with database.read() as session:
        return [event.message for event in events.page(session, job_id, 0, 100).data]


def found(database: Database, job_id: str) -> assignments.Assigned:
    with database.read() as session:
        source = assignments.of_job(assign_jobs.result(session, job_id))
        return np.concatenate(list(assignments.pieces(session, source, None)))


def check_void(database: Database, stale: assign_jobs.Claim) -> None:
    with pytest.raises(leases.LeaseLost):
        finish(database, stale)
    with pytest.raises(leases.LeaseLost), database.write() as session:
        assign_jobs.renew(session, stale, LEASE)
    with pytest.raises(leases.LeaseLost), database.write() as session:
        assign_jobs.fail(session, stale, {})


def at_once(acts: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_from_parts_to_the_whole(database: Database, job_id: str) -> None:
    told = []
    for number in range(PARTS):
        claimed = claim(database, job_id)
        assert (claimed.number, claimed.rows.start) == (number, number * PART_ROWS)
        assert view(database, job_id).status == "running"
        with pytest.raises(Conflict, match="is running"):
            found(database, job_id)
        with database.write() as session:
            assert not assign_jobs.renew(session, claimed, LEASE)
            assert assign_jobs.can_be_shared(session, job_id) == (number < PARTS - 2)
        finish(database, claimed)
        progress = view(database, job_id).progress
        told.append((progress.fraction, progress.eta_seconds is not None))
    assert told == [(0.3, False), (0.6, True), (0.9, True), (1.0, False)]
    job = view(database, job_id)
    assert (job.status, job.type, job.attempt) == ("succeeded", "assign", 1)
    assert (job.config, job.model, job.progress.iteration) == (None, None, None)
    whole = found(database, job_id)
    np.testing.assert_array_equal(whole["row"], np.arange(ROWS))
    np.testing.assert_array_equal(whole["component"], COMPONENTS)
    np.testing.assert_allclose(whole["confidence"], 0.5, atol=1e-5)
    said = log(database, job_id)
    assert said[:3] == ["queued", "running", "rows 0 to 29 are assigned"]
    assert said[-2:] == ["rows 90 to 99 are assigned", "succeeded"]


def test_a_part_is_taken_once(database: Database, job_id: str) -> None:
    got: list[assign_jobs.Claim | None] = []
    at_once([lambda: got.append(take(database, job_id))] * 9)
    claims = [claimed for claimed in got if claimed]
    assert sorted(claimed.number for claimed in claims) == list(range(PARTS))
    at_once([lambda one=one: finish(database, one) for one in claims])  # type: ignore[misc]
    assert log(database, job_id).count("succeeded") == 1
    np.testing.assert_array_equal(found(database, job_id)["component"], COMPONENTS)
    assert take(database, job_id) is None


def test_a_silent_worker_loses_its_part_and_can_write_no_more(
    database: Database, job_id: str
) -> None:
    stale, other = claim(database, job_id, lease=-1), claim(database, job_id)
    assert sweep(database) == [job_id]
    assert sweep(database) == []
    assert (
        log(database, job_id)[-1] == "the worker on rows 0 to 29 fell silent; another takes them up"
    )
    check_void(database, stale)
    fresh = claim(database, job_id)
    assert (fresh.number, fresh.attempt) == (stale.number, stale.attempt + 1)
    check_void(database, stale)
    finish(database, other, fresh, claim(database, job_id), claim(database, job_id))
    assert view(database, job_id).status == "succeeded"


def test_after_the_third_loss_the_job_fails_and_can_be_resumed(
    database: Database, job_id: str
) -> None:
    finish(database, claim(database, job_id))
    other = claim(database, job_id)
    for again in ([job_id], [job_id], []):
        assert claim(database, job_id, lease=-1).number == 2
        assert sweep(database) == again
    failed = view(database, job_id)
    assert (failed.status, failed.error.code) == ("failed", "worker_lost")
    assert failed.error.message == "the worker on rows 60 to 89 was lost 3 times"
    check_void(database, other)
    with database.write() as session:
        jobs.resume(session, job_id)
    check_void(database, other)
    for number in (1, 2, 3):
        claimed = claim(database, job_id)
        assert claimed.number == number
        finish(database, claimed)
    np.testing.assert_array_equal(found(database, job_id)["component"], COMPONENTS)
    assert (view(database, job_id).attempt, view(database, job_id).error) == (2, None)


def test_a_cancel_is_immediate(database: Database, job_id: str) -> None:
    claimed = claim(database, job_id)
    with database.write() as session:
        assert jobs.request_cancel(session, job_id).status == "cancelled"
    check_void(database, claimed)
    assert take(database, job_id) is None
    with database.write() as session:
        assert not assign_jobs.can_be_shared(session, job_id)
        rows.let_time_pass(session)
        assert assign_jobs.unsent(session, ()) == []
        with pytest.raises(Conflict, match="already cancelled"):
            jobs.request_cancel(session, job_id)
    with pytest.raises(Conflict, match="is cancelled"):
        found(database, job_id)


def test_what_can_t_be_assigned_fails_the_job(database: Database, job_id: str) -> None:
    claimed = claim(database, job_id)
    error = {"code": "invalid_points", "message": "row 1, column 'x': bad", "param": None}
    with database.write() as session:
        assign_jobs.fail(session, claimed, error)
    assert view(database, job_id).error.model_dump() == error


def test_a_job_with_parts_that_wait_is_found_once(database: Database, job_id: str) -> None:
    for _ in range(PARTS):
        with database.write() as session:
            rows.let_time_pass(session)
            assert leases.unsent(session, ()) == []
            assert assign_jobs.unsent(session, {job_id}) == []
            assert assign_jobs.unsent(session, ()) == [job_id]
            assert assign_jobs.unsent(session, ()) == []
        claim(database, job_id)
    with database.write() as session:
        rows.let_time_pass(session)
        assert assign_jobs.unsent(session, ()) == []


def test_a_training_is_another_thing(database: Database, job_id: str) -> None:
    with database.write() as session:
        assert leases.claim(session, job_id, LEASE) is None
        training = rows.job(session).id
        assert assign_jobs.claim(session, training, LEASE) is None
        with pytest.raises(NotFound, match="trains a model"):
            assign_jobs.result(session, training)


def test_a_worker_on_parts_is_alive(database: Database, job_id: str) -> None:
    def is_alive() -> bool:
        with database.read() as session:
            return pulse.is_alive(session, 10)

    assert not is_alive()
    finish(database, claim(database, job_id))
    assert is_alive()
    with database.write() as session:
        part = session.get_one(JobPartRow, (job_id, 0))
        part.lease_expires_at = utc_now() - timedelta(seconds=1)
    assert not is_alive()


def test_a_model_stays_until_its_job_has_ended(database: Database, job_id: str) -> None:
    model_id = view(database, job_id).assigned_by
    with pytest.raises(Conflict, match=f"needed by '{job_id}'"), database.write() as session:
        models.remove(session, model_id)
    finish(database, *[claim(database, job_id) for _ in range(PARTS)])
    with database.write() as session:
        models.remove(session, model_id)
    assert view(database, job_id).assigned_by == model_id
    assert len(found(database, job_id)) == ROWS


def test_outlier_scores_are_kept_if_asked_for(database: Database) -> None:
    with database.write() as session:
        job_id = rows.assign_job(session, PART_ROWS, "outlier_score").id
    claimed = claim(database, job_id)
    scores = np.linspace(0, 1, PART_ROWS)
    with database.write() as session:
        shares = {"confidence": scores[::-1], "outlier_score": scores}
        assign_jobs.finish(session, claimed, COMPONENTS[:PART_ROWS], shares)
    np.testing.assert_allclose(found(database, job_id)["outlier_score"], scores, atol=1e-5)
    with database.read() as session:
        source = assignments.of_job(jobs.get(session, job_id))
        page = assignments.page(session, source, 2, 3, 2)
    assert [row.row for row in page.data] == [5, 8]
    assert page.data[0].model_dump()["outlier_score"] == round(scores[5], assignments.DIGITS)


def test_the_seconds_of_an_assign_job_are_counted(database: Database, job_id: str) -> None:
    metrics = Metrics(database)
    finish(database, *[claim(database, job_id) for _ in range(PARTS)])
    assert b'kvae_job_seconds_count{phase="assigning"} 1.0' in metrics.scrape()


@pytest.mark.parametrize(
    ("shape", "components", "include", "expected"),
    [
        ([2], 3, [], 1 << 22),
        ([784], 10, [], 5 << 16),
        ([3, 512, 512], 10, [], 341),
        ([16], 10, ["outlier_score"], 52_428),
        ([3, 512, 512], 99, ["outlier_score"], 1),
    ],
)
def test_parts_are_whole_chunks_or_less_than_one(
    monkeypatch: pytest.MonkeyPatch,
    shape: list[int],
    components: int,
    include: Any,
    expected: int,
) -> None:
    monkeypatch.undo()
    model = rows.blank_model(components)
    model.shape = shape
    assert assign_jobs.part_rows(model, include) == expected
