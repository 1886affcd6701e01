"""Assign jobs: their parts are done by many workers, whatever happens to these, and each once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from service import assign_jobs, assignments, events, jobs, models, pulse
from service.assign_jobs import Part
from service.database import Database
from service.errors import Conflict, NotFound
from service.tables import JobPartRow, utc_now
from tests.service import rows

LEASE = 60.0
ROWS, PART_ROWS = 100, 30
COMPONENTS = np.arange(ROWS) % 3


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assign_jobs, "part_rows", lambda *_: PART_ROWS)


@pytest.fixture
def parts(database: Database) -> list[Part]:
    with database.write() as session:
        return assign_jobs.unfinished(session, rows.assign_job(session, ROWS).id)


def claim(database: Database, part: Part, lease: float = LEASE) -> assign_jobs.Claim:
    with database.write() as session:
        claimed = assign_jobs.claim(session, part, lease)
    assert claimed
    return claimed


def finish(database: Database, claimed: assign_jobs.Claim) -> None:
    components = COMPONENTS[claimed.rows]
    with database.write() as session:
        shares = {"confidence": np.full(len(components), 0.5, np.float32)}
        assign_jobs.finish(session, claimed, components, shares)


def sweep(database: Database, max_losses: int = 3) -> list[Part]:
    with database.write() as session:
        assert jobs.give_up_expired(session, max_losses) == []
        return assign_jobs.give_up_expired(session, max_losses)


def job(database: Database, part: Part) -> Any:
    with database.read() as session:
        return jobs.view(jobs.get(session, part.job_id))


def found(database: Database, part: Part) -> assignments.Assigned:
    with database.read() as session:
        source = assignments.of_job(assign_jobs.result(session, part.job_id))
        return np.concatenate(list(assignments.pieces(session, source, None)))


def check_void(database: Database, stale: assign_jobs.Claim) -> None:
    with pytest.raises(jobs.LeaseLost):
        finish(database, stale)
    with pytest.raises(jobs.LeaseLost), database.write() as session:
        assign_jobs.renew(session, stale, LEASE)
    with pytest.raises(jobs.LeaseLost), database.write() as session:
        assign_jobs.fail(session, stale, {})


def at_once(*acts: Callable[[], object]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_from_parts_to_the_whole(database: Database, parts: list[Part]) -> None:
    told = []
    for part in parts:
        claimed = claim(database, part)
        assert (claimed.rows.start, claimed.attempt) == (part.number * PART_ROWS, 1)
        assert job(database, part).status == "running"
        with pytest.raises(Conflict, match="is running"):
            found(database, part)
        finish(database, claimed)
        progress = job(database, part).progress
        told.append((progress.fraction, progress.eta_seconds is not None))
    assert told == [(0.3, False), (0.6, True), (0.9, True), (1.0, False)]
    ended = job(database, parts[0])
    assert (ended.status, ended.type, ended.attempt) == ("succeeded", "assign", 1)
    assert (ended.config, ended.model, ended.progress.iteration) == (None, None, None)
    whole = found(database, parts[0])
    np.testing.assert_array_equal(whole["row"], np.arange(ROWS))
    np.testing.assert_array_equal(whole["component"], COMPONENTS)
    np.testing.assert_allclose(whole["confidence"], 0.5, atol=1e-5)
    with database.read() as session:
        log = events.page(session, parts[0].job_id, 0, 100).data
    statuses = [event.data["status"] for event in log if event.type == "status"]
    assert statuses == ["queued", "running", "succeeded"]
    assert log[-2].message == "rows 90 to 99 are assigned"


def test_a_part_is_taken_once(database: Database, parts: list[Part]) -> None:
    got: list[assign_jobs.Claim | None] = []

    def take() -> None:
        with database.write() as session:
            got.append(assign_jobs.claim(session, parts[1], LEASE))

    at_once(*[take] * 8)
    (claimed,) = (one for one in got if one)
    finish(database, claimed)
    take()
    assert (len(got), got[-1]) == (9, None)


def test_parts_that_end_at_once(database: Database, parts: list[Part]) -> None:
    claims = [claim(database, part) for part in parts]
    at_once(*[lambda one=one: finish(database, one) for one in claims])  # type: ignore[misc]
    np.testing.assert_array_equal(found(database, parts[0])["component"], COMPONENTS)
    with database.read() as session:
        log = events.page(session, parts[0].job_id, 0, 100).data
    assert [event.message for event in log].count("succeeded") == 1


def test_a_silent_worker_loses_its_part_and_can_write_no_more(
    database: Database, parts: list[Part]
) -> None:
    stale, other = claim(database, parts[0], lease=-1), claim(database, parts[1])
    assert sweep(database) == [parts[0]]
    assert sweep(database) == []
    check_void(database, stale)
    fresh = claim(database, parts[0])
    check_void(database, stale)
    for claimed in (fresh, other, *(claim(database, part) for part in parts[2:])):
        with database.write() as session:
            assert not assign_jobs.renew(session, claimed, LEASE)
        finish(database, claimed)
    assert job(database, parts[0]).status == "succeeded"


def test_after_the_third_loss_the_job_fails_and_can_be_resumed(
    database: Database, parts: list[Part]
) -> None:
    finish(database, claim(database, parts[0]))
    other = claim(database, parts[1])
    for again in ([parts[3]], [parts[3]], []):
        claim(database, parts[3], lease=-1)
        assert sweep(database) == again
    failed = job(database, parts[0])
    assert (failed.status, failed.error.code) == ("failed", "worker_lost")
    assert failed.error.message == "the worker on rows 90 to 99 was lost 3 times"
    with pytest.raises(jobs.LeaseLost):
        finish(database, other)
    with database.write() as session:
        jobs.resume(session, parts[0].job_id)
        assert assign_jobs.unfinished(session, parts[0].job_id) == parts[1:]
    with pytest.raises(jobs.LeaseLost):
        finish(database, other)
    for part in parts[1:]:
        finish(database, claim(database, part))
    np.testing.assert_array_equal(found(database, parts[0])["component"], COMPONENTS)
    assert (job(database, parts[0]).attempt, job(database, parts[0]).error) == (2, None)


def test_a_cancel_is_immediate(database: Database, parts: list[Part]) -> None:
    claimed = claim(database, parts[0])
    with database.write() as session:
        assert jobs.request_cancel(session, parts[0].job_id).status == "cancelled"
    with pytest.raises(jobs.LeaseLost):
        finish(database, claimed)
    with database.write() as session:
        assert assign_jobs.claim(session, parts[1], LEASE) is None
        assert assign_jobs.unsent(session, -1) == []
        with pytest.raises(Conflict, match="already cancelled"):
            jobs.request_cancel(session, parts[0].job_id)
    with pytest.raises(Conflict, match="is cancelled"):
        found(database, parts[0])


def test_what_can_t_be_assigned_fails_the_job(database: Database, parts: list[Part]) -> None:
    claimed = claim(database, parts[0])
    error = {"code": "invalid_points", "message": "row 1, column 'x': bad", "param": None}
    with database.write() as session:
        assign_jobs.fail(session, claimed, error)
    assert job(database, parts[0]).error.model_dump() == error


def test_unsent_parts_are_found_once(database: Database, parts: list[Part]) -> None:
    claim(database, parts[2])
    with database.write() as session:
        assert jobs.unsent(session, -1) == []
        assert assign_jobs.unsent(session, 60) == []
        assert assign_jobs.unsent(session, -1) == [parts[0], parts[1], parts[3]]
        assert assign_jobs.unsent(session, 60) == []


def test_a_training_is_another_thing(database: Database, parts: list[Part]) -> None:
    with database.write() as session:
        assert jobs.claim(session, parts[0].job_id, LEASE) is None
        training = rows.job(session).id
        assert assign_jobs.claim(session, Part(training, 0), LEASE) is None
        with pytest.raises(NotFound, match="trains a model"):
            assign_jobs.result(session, training)


def test_a_worker_on_parts_is_alive(database: Database, parts: list[Part]) -> None:
    def is_alive() -> bool:
        with database.read() as session:
            return pulse.is_alive(session, 10)

    assert not is_alive()
    finish(database, claim(database, parts[0]))
    assert is_alive()
    with database.write() as session:
        session.get_one(JobPartRow, parts[0]).lease_expires_at = utc_now() - timedelta(seconds=1)
    assert not is_alive()


def test_a_model_stays_until_its_job_has_ended(database: Database, parts: list[Part]) -> None:
    model_id = job(database, parts[0]).assigned_by
    with (
        pytest.raises(Conflict, match=f"needed by '{parts[0].job_id}'"),
        database.write() as session,
    ):
        models.remove(session, model_id)
    for part in parts:
        finish(database, claim(database, part))
    with database.write() as session:
        models.remove(session, model_id)
    assert job(database, parts[0]).assigned_by == model_id
    assert len(found(database, parts[0])) == ROWS


def test_outlier_scores_are_kept_if_asked_for(database: Database) -> None:
    with database.write() as session:
        job_id = rows.assign_job(session, PART_ROWS, "outlier_score").id
    claimed = claim(database, Part(job_id, 0))
    scores = np.linspace(0, 1, PART_ROWS)
    with database.write() as session:
        shares = {"confidence": scores[::-1], "outlier_score": scores}
        assign_jobs.finish(session, claimed, COMPONENTS[:PART_ROWS], shares)
    np.testing.assert_allclose(found(database, claimed.part)["outlier_score"], scores, atol=1e-5)
    with database.read() as session:
        source = assignments.of_job(jobs.get(session, job_id))
        page = assignments.page(session, source, 2, 3, 2)
    assert [row.row for row in page.data] == [5, 8]
    assert page.data[0].model_dump()["outlier_score"] == pytest.approx(scores[5], abs=1e-5)


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
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    shape: list[int],
    components: int,
    include: Any,
    expected: int,
) -> None:
    monkeypatch.undo()
    with database.write() as session:
        model = rows.model(session, components)
        model.shape = shape
        assert assign_jobs.part_rows(model, include) == expected
