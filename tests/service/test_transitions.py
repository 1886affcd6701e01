"""Every status against everything that can happen to a job, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy.orm import Session

from api_schemas.jobs import JobStatus
from service import checkpoints, events, jobs, leases
from service.database import Database
from service.errors import Conflict
from service.table_types import utc_now
from service.tables import JobRow
from service.transitions import ENDED, TRANSITIONS
from tests.service import rows

STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)


def ending(status: str) -> Callable[[Session, leases.Claim], object]:
    return lambda session, claim: leases.finish(session, claim, status)  # type: ignore[arg-type]


ACTS: dict[str, tuple[Callable[[Session, leases.Claim], object], dict[JobStatus, JobStatus]]] = {
    "claim": (lambda s, c: leases.claim(s, c.job_id, 60), {"queued": "running"}),
    "lose": (
        lambda s, c: leases.give_up_expired(s, 9),
        {"running": "queued", "cancelling": "cancelled"},
    ),
    "lose too often": (
        lambda s, c: leases.give_up_expired(s, 1),
        {"running": "failed", "cancelling": "cancelled"},
    ),
    "cancel": (
        lambda s, c: jobs.request_cancel(s, c.job_id),
        {"queued": "cancelled", "running": "cancelling"},
    ),
    "stop": (ending("cancelled"), {"cancelling": "cancelled"}),
    "give back": (
        lambda s, c: leases.give_back(s, c),
        {"running": "queued", "cancelling": "cancelled"},
    ),
    "succeed": (ending("succeeded"), {"running": "succeeded", "cancelling": "succeeded"}),
    "fail": (ending("failed"), {"running": "failed", "cancelling": "failed"}),
    "resume": (
        lambda s, c: jobs.resume(s, c.job_id),
        {"cancelled": "queued", "failed": "queued"},
    ),
}


def in_status(database: Database, status: JobStatus) -> leases.Claim:
    """The claim on a job whose lease has run out."""
    with database.write() as session:
        job_id = rows.job(session).id
        claim = leases.claim(session, job_id, -1)
        assert claim
        job = session.get_one(JobRow, job_id)
        job.status, job.finished_at = status, utc_now() if status in ENDED else None
    return claim


def test_every_act_in_every_status(database: Database) -> None:
    for name, (act, leads_to) in ACTS.items():
        for status in STATUSES:
            claim = in_status(database, status)
            try:
                with database.write() as session:
                    act(session, claim)
            except (Conflict, leases.LeaseLost):
                assert status not in leads_to, (name, status)
            with database.write() as session:
                job = jobs.get(session, claim.job_id)
                log = events.page(session, job.id, 0, 10).data
                told = [e.data["status"] for e in log if e.type == "status"]
                after = leads_to.get(status, status)
                moved = [after] if status in leads_to else []
                assert (job.status, told) == (after, ["queued", "running", *moved]), (name, status)
                assert (job.finished_at is not None) == (after in ENDED), (name, status)
                job.lease_expires_at = utc_now() + timedelta(hours=1)  # no later act finds it


def test_the_acts_are_all_there_is() -> None:
    acts = {edge for _, leads_to in ACTS.values() for edge in leads_to.items()}
    of_training = {name: edges for name, edges in TRANSITIONS.items() if name != "stopped"}
    assert acts == {edge for leads_to in of_training.values() for edge in leads_to.items()}


@pytest.mark.parametrize("has_checkpoint", [True, False])
@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_resumed_job_is_as_good_as_new(
    database: Database, status: JobStatus, has_checkpoint: bool
) -> None:
    claim = in_status(database, "cancelling")
    with database.write() as session:
        leases.record_iteration(session, claim, 3, {})
        if has_checkpoint:
            checkpoints.add(session, claim.job_id, 3, "a" * 64, 1)
        error = {"code": "x", "message": "y", "param": None} if status == "failed" else None
        ending(status)(session, claim) if error is None else leases.finish(
            session, claim, "failed", error
        )
    with database.write() as session:
        job = jobs.view(jobs.resume(session, claim.job_id))
        log = events.page(session, claim.job_id, 0, 10).data
    assert (job.status, job.error, job.finished_at) == ("queued", None, None)
    assert job.progress.iteration == 3 * has_checkpoint
    goes_on = "goes on after iteration 3" if has_checkpoint else "starts anew, as no checkpoint is"
    assert log[-1].message.startswith(f"resumed; {goes_on}")
    with database.write() as session:
        again = leases.claim(session, claim.job_id, 60)
        assert again
        assert again.attempt == 2
        with pytest.raises(leases.LeaseLost):
            leases.warn(session, claim, "the worker before has no say")
