"""A job's life: every transition, and who may make it."""

import threading
from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import select, update

from api_schemas.jobs import JobRequest
from service import checkpoints, duties, events, jobs, leases
from service.database import Database
from service.errors import Conflict, InvalidInput, NotFound
from service.table_types import utc_now
from service.tables import DutyRow, JobRow
from service.transitions import Ending
from tests.service import rows

LEASE = 60.0


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as session:
        return rows.job(session).id


def claim(database: Database, job_id: str, lease: float = LEASE) -> leases.Claim:
    with database.write() as session:
        claimed = leases.claim(session, job_id, lease)
    assert claimed is not None
    return claimed


def finish(database: Database, claimed: leases.Claim, ending: Ending) -> None:
    with database.write() as session:
        leases.finish(session, claimed, ending)


def cancel(database: Database, job_id: str) -> str:
    with database.write() as session:
        return jobs.request_cancel(session, job_id).status


def status(database: Database, job_id: str) -> str:
    with database.read() as session:
        return jobs.get(session, job_id).status


def sweep(database: Database, max_losses: int = 3) -> list[str]:
    with database.write() as session:
        return leases.give_up_expired(session, max_losses)


def test_only_what_has_ended_is_deleted(database: Database, job_id: str) -> None:
    for move in (lambda: None, lambda: claim(database, job_id), lambda: cancel(database, job_id)):
        move()
        with pytest.raises(Conflict, match="cancel it"), database.write() as session:
            jobs.remove(session, job_id)
    with pytest.raises(NotFound), database.write() as session:
        jobs.remove(session, "job_x")


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_queued_running_end(database: Database, job_id: str, end: Ending) -> None:
    assert status(database, job_id) == "queued"
    claimed = claim(database, job_id)
    assert status(database, job_id) == "running"
    finish(database, claimed, end)
    with database.read() as session:
        job = jobs.view(jobs.get(session, job_id))
        log = events.page(session, job_id, 0, 10).data
    assert job.status == end
    assert job.started_at
    assert job.finished_at
    assert [event.data["status"] for event in log] == ["queued", "running", end]


def test_only_one_of_many_workers_gets_a_job(database: Database, job_id: str) -> None:
    got: list[leases.Claim | None] = []

    def take() -> None:
        with database.write() as session:
            got.append(leases.claim(session, job_id, LEASE))

    workers = [threading.Thread(target=take) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(got) == 8
    assert len([claimed for claimed in got if claimed]) == 1


def test_cancel_of_a_queued_job_is_immediate(database: Database, job_id: str) -> None:
    assert cancel(database, job_id) == "cancelled"
    with database.write() as session:
        assert leases.claim(session, job_id, LEASE) is None


def test_cancel_of_a_running_job_asks_its_worker(database: Database, job_id: str) -> None:
    claimed = claim(database, job_id)
    assert cancel(database, job_id) == "cancelling"
    assert cancel(database, job_id) == "cancelling"
    with database.write() as session:
        assert leases.renew(session, claimed, LEASE, 0.5, 10)
    finish(database, claimed, "cancelled")
    assert status(database, job_id) == "cancelled"


def test_a_job_that_ends_before_it_sees_the_cancel_succeeds(
    database: Database, job_id: str
) -> None:
    claimed = claim(database, job_id)
    cancel(database, job_id)
    finish(database, claimed, "succeeded")
    assert status(database, job_id) == "succeeded"


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_changes_no_more(database: Database, job_id: str, end: Ending) -> None:
    claimed = claim(database, job_id)
    if end == "cancelled":
        cancel(database, job_id)
    finish(database, claimed, end)
    with pytest.raises(Conflict, match=f"already {end}"):
        cancel(database, job_id)
    for other in get_args(Ending):
        with pytest.raises(leases.LeaseLost):
            finish(database, claimed, other)
    with database.write() as session:
        assert leases.claim(session, job_id, LEASE) is None
    assert sweep(database) == []
    assert status(database, job_id) == end


def test_heartbeats_report_progress(database: Database, job_id: str) -> None:
    claimed = claim(database, job_id)
    with database.write() as session:
        assert not leases.renew(session, claimed, LEASE, 0.25, 30.0)
        assert not leases.renew(session, claimed, LEASE)  # as before the first step after a resume
        leases.record_iteration(session, claimed, 2, {"alpha": [1.0]})
    with database.read() as session:
        progress = jobs.view(jobs.get(session, job_id)).progress
    assert (progress.iteration, progress.fraction, progress.eta_seconds) == (2, 0.25, 30.0)


def test_a_silent_worker_loses_its_job_and_can_write_no_more(
    database: Database, job_id: str
) -> None:
    stale = claim(database, job_id, lease=-1)
    assert sweep(database) == [job_id]
    assert sweep(database) == []
    fresh = claim(database, job_id)
    assert fresh.attempt == stale.attempt + 1
    with database.write() as session, pytest.raises(leases.LeaseLost):
        leases.renew(session, stale, LEASE, 0.1, None)
    with database.write() as session, pytest.raises(leases.LeaseLost):
        leases.record_iteration(session, stale, 1, {})
    with pytest.raises(leases.LeaseLost):
        finish(database, stale, "succeeded")
    finish(database, fresh, "succeeded")


def test_the_checkpoint_passes_to_the_next_worker(database: Database, job_id: str) -> None:
    claim(database, job_id)
    with database.write() as session:
        checkpoints.add(session, job_id, 1, "a" * 64, 10)
        jobs.get(session, job_id).lease_expires_at = utc_now() - timedelta(seconds=1)
    sweep(database)
    assert claim(database, job_id).checkpoints == [(1, "a" * 64)]


def test_after_the_third_loss_a_job_fails(database: Database, job_id: str) -> None:
    for _ in range(2):
        claim(database, job_id, lease=-1)
        assert sweep(database) == [job_id]
    claim(database, job_id, lease=-1)
    assert sweep(database) == []
    with database.read() as session:
        job = jobs.view(jobs.get(session, job_id))
    assert job.status == "failed"
    assert job.error
    assert job.error.code == "worker_lost"


def test_an_iteration_done_forgives_losses(database: Database, job_id: str) -> None:
    for _ in range(4):
        claimed = claim(database, job_id)
        with database.write() as session:
            leases.record_iteration(session, claimed, 1, {})
            jobs.get(session, job_id).lease_expires_at = utc_now() - timedelta(seconds=1)
        assert sweep(database) == [job_id]


def test_a_lost_job_that_was_to_be_cancelled_is(database: Database, job_id: str) -> None:
    claim(database, job_id, lease=-1)
    cancel(database, job_id)
    assert sweep(database) == []
    assert status(database, job_id) == "cancelled"


def test_unsent_jobs_are_found_once(database: Database, job_id: str) -> None:
    with database.write() as session:
        assert leases.unsent(session, ()) == []
        rows.let_time_pass(session)
        assert leases.unsent(session, {job_id}) == []
        assert leases.unsent(session, ()) == [job_id]
        assert leases.unsent(session, ()) == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_row_that_another_holds_is_not_waited_for(database: Database, job_id: str) -> None:
    claim(database, job_id, lease=-1)
    with database.write() as holding:
        holding.get(JobRow, job_id, with_for_update=True)
        assert sweep(database) == []
    assert sweep(database) == [job_id]
    with database.write() as session:
        rows.let_time_pass(session)
    with database.write() as holding:
        holding.get(JobRow, job_id, with_for_update=True)
        with database.write() as session:
            assert leases.unsent(session, ()) == []


def test_a_clock_that_is_set_back_delays_nothing(database: Database, job_id: str) -> None:
    in_a_day = utc_now() + timedelta(days=1)
    with database.write() as session:
        jobs.get(session, job_id).enqueued_at = in_a_day
    with database.write() as session:
        assert leases.unsent(session, ()) == [job_id]
    claim(database, job_id)
    with database.write() as session:
        jobs.get(session, job_id).lease_expires_at = in_a_day
        assert duties.take(session, "sweep", timedelta(days=1))
        session.execute(update(DutyRow).values(due_at=in_a_day + timedelta(hours=1)))
        assert duties.take(session, "sweep", timedelta(days=1))
    assert sweep(database) == [job_id]


def test_a_job_that_does_not_fit_its_data_leaves_no_row(database: Database) -> None:
    with pytest.raises(InvalidInput, match="101 components"), database.write() as session:
        rows.job(session, components=101)
    with database.read() as session:
        assert session.scalars(select(JobRow)).all() == []


def test_unknown_jobs(database: Database) -> None:
    with database.write() as session:
        with pytest.raises(NotFound):
            jobs.get(session, "job_x")
        with pytest.raises(NotFound):
            jobs.request_cancel(session, "job_x")
        assert leases.claim(session, "job_x", LEASE) is None


def test_request_is_the_training_config() -> None:
    config = JobRequest(components=4, seed=9).training_config()
    assert (config.components, config.seed) == (4, 9)
