"""What holds after every fault: reads database and storage, and says what is violated."""

import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
from sqlalchemy import func, select, true, update
from sqlalchemy.orm import Session

from service import assignments, collector, events, models
from service.database import Database
from service.storage import Storage
from service.table_types import Base, utc_now
from service.tables import (
    CheckpointRow,
    DatasetRow,
    IntentRow,
    JobRow,
    ModelRow,
)
from service.transitions import ENDED, TRANSITIONS

GRACE = timedelta(days=2)  # after which nobody is about to store anything
STEPS = {("queued", "queued")} | {
    step for leads_to in TRANSITIONS.values() for step in leads_to.items()
}


def violations(database: Database, storage: Storage, *of: str) -> list[str]:
    """Every way in which the service did not keep its promise, once no job runs.

    Given some jobs, it does not look at what the others came to.
    """
    _collect(database, storage)
    with database.read() as session:
        jobs = session.scalars(select(JobRow).where(JobRow.id.in_(of) if of else true())).all()
        trained = select(ModelRow).where(ModelRow.job_id.in_([job.id for job in jobs]))
        results = session.scalars(trained.order_by(ModelRow.id)).all()
        assigned = [job for job in jobs if (job.type, job.status) == ("assign", "succeeded")]
        return [
            *(line for job in jobs for line in _of_job(session, job)),
            *(line for model in results for line in _of_model(session, model)),
            *(line for job in assigned for line in _of_assigned(session, job)),
            *_different(session, results, assigned),
            *_orphan_rows(session),
            *_blobs(session, storage),
        ]


def _collect(database: Database, storage: Storage) -> None:
    """The collector comes after its grace."""
    then = utc_now() - GRACE
    with database.write() as session:
        session.execute(update(IntentRow).values(created_at=then))
    for path in storage.scratch_folder.iterdir():
        os.utime(path, (then.timestamp(), then.timestamp()))
    storage.prepare()
    collector.collect(database, storage, checkpoint_days=30)


def _of_job(session: Session, job: JobRow) -> Iterator[str]:
    """It has exactly one terminal state, reached in steps that there are, and at most one model."""
    log = events.page(session, job.id, 0, 1000).data
    statuses = [event.data["status"] for event in log if event.type == "status"]
    if job.status not in ENDED or statuses[-1:] != [job.status]:
        yield f"{job.id} is {job.status}, and its log ends with {statuses[-1:]}"
    if sum(status in ENDED for status in statuses) > 1:
        yield f"{job.id} ended more than once: {statuses}"
    if not STEPS.issuperset(pairwise(statuses)):
        yield f"{job.id} went ways that there are not: {statuses}"
    count = session.scalar(select(func.count()).where(ModelRow.job_id == job.id))
    if count != (job.type == "train" and job.status == "succeeded"):
        yield f"{job.id} {job.status} with {count} models"
    if job.error and job.error["code"] == "internal_error":
        yield f"{job.id} failed without a cause: {job.error}"


def _of_model(session: Session, model: ModelRow) -> Iterator[str]:
    """Its alpha sums to 1 and counts the stored assignments, and its weights are whole."""
    if abs(sum(model.alpha) - 1) > 1e-9:
        yield f"{model.id}: alpha sums to {sum(model.alpha)}"
    stored = yield from _of_source(session, assignments.of_model(model), sum(model.sizes))
    counted = np.bincount(stored["component"], minlength=len(model.alpha))
    if counted.tolist() != model.sizes or (counted / len(stored)).tolist() != model.alpha:
        yield f"{model.id}: alpha {model.alpha}, but {counted.tolist()} points are assigned"
    if len(models.weights(session, model.id)) != model.weights_bytes:
        yield f"{model.id}: weights are missing"


def _of_assigned(session: Session, job: JobRow) -> Iterator[str]:
    """It has assigned each point of its data set."""
    yield from _of_source(session, assignments.of_job(job), job.dataset.rows)


def _of_source(
    session: Session, source: assignments.Source, n: int
) -> Generator[str, None, assignments.Assigned]:
    """``n`` points are stored, each once, and the index names their components; returns them."""
    stored = np.concatenate([*assignments.pieces(session, source, None)])
    if not np.array_equal(stored["row"], np.arange(n)):
        yield f"{source.of}: rows are missing or doubled"
    indexed = select(source.index.component).where(source.index.of == source.of)
    if set(session.scalars(indexed)) != {*stored["component"].tolist()}:
        yield f"{source.of}: the index of assignments is another"
    return stored


def _different(
    session: Session, trained: Sequence[ModelRow], assigned: Sequence[JobRow]
) -> Iterator[str]:
    """Results of the same data and configuration that are not the same bit for bit."""
    runs: list[tuple[str, assignments.Source, bytes]] = []
    for model in trained:
        run = f"{model.provenance['dataset_sha256']} {model.config}"
        told = f"{model.alpha} {model.sizes} {model.metrics}".encode()
        weights = models.weights(session, model.id)
        runs.append((run, assignments.of_model(model), told + weights))
    for job in assigned:
        run = f"{job.dataset_id} {job.assigned_by} {job.include}"
        runs.append((run, assignments.of_job(job), b""))
    known: dict[str, tuple[str, str]] = {}
    for run, source, more in runs:
        result = hashlib.sha256(more)
        stored = select(source.chunks).where(source.chunks.of == source.of)
        for chunk in session.scalars(stored.order_by(source.chunks.first_row)):
            for part in (chunk.components, chunk.confidences, chunk.outlier_scores):
                result.update(part or b"")
        first, expected = known.setdefault(run, (source.of, result.hexdigest()))
        if result.hexdigest() != expected:
            yield f"{source.of} is another than {first}, of the same run"


def _orphan_rows(session: Session) -> Iterator[str]:
    """Rows that name what is not there, or that nobody needs."""
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            named = select(key.column)
            lost = key.parent.is_not(None) & key.parent.not_in(named)
            if count := session.scalar(select(func.count()).select_from(table).where(lost)):
                yield f"{count} rows of {table.name} have no {key.column.table.name}"
    succeeded = select(JobRow.id).where(JobRow.status == "succeeded")
    kept = CheckpointRow.kept & CheckpointRow.job_id.in_(succeeded)
    for name, needless in (("checkpoints", kept), ("intents", IntentRow.id.is_not(None))):
        if count := session.scalar(select(func.count()).where(needless)):
            yield f"{count} {name} that nobody needs"


def _blobs(session: Session, storage: Storage) -> Iterator[str]:
    """Stored bytes without a row, rows without their bytes, and bytes that are damaged."""
    kept = select(CheckpointRow.sha256).where(CheckpointRow.kept)
    needed = set(session.scalars(kept))
    live = DatasetRow.deleted_at.is_(None)
    needed |= set(session.scalars(select(DatasetRow.points_sha256).where(live)))
    stored = {name for page in storage.pages() for name in page}
    for problem, names in (("orphan", stored - needed), ("missing", needed - stored)):
        for name in sorted(names):
            yield f"blob {name} is {problem}"
    for name in stored:
        if hashlib.sha256(storage.path(name).read_bytes()).hexdigest() != name:
            yield f"blob {name} is damaged"
    for path in storage.scratch_folder.iterdir():
        yield f"scratch {path.name} is left"
