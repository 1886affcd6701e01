"""Rows for tests that need no upload."""

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from api_schemas.inference import AssignField
from api_schemas.jobs import JobRequest
from service import assign_jobs, jobs
from service.ids import new_id
from service.table_types import utc_now
from service.tables import DatasetRow, JobRow, ModelRow


def dataset(session: Session, rows: int = 100) -> DatasetRow:
    row = DatasetRow(
        id=new_id("ds"),
        name="points",
        format="npy",
        bytes=1,
        stored_bytes=1,
        sha256=new_id("")[1:] * 2,
        points_sha256="0" * 64,
        rows=rows,
        shape=[2],
        dtype="float64",
        options={},
        identity=new_id("")[1:] * 2,
        columns=[
            {"name": name, "type": "number", "min": 0, "max": 1, "mean": 0.5} for name in "xy"
        ],
        warnings=[],
    )
    session.add(row)
    session.flush()
    return row


def job(session: Session, components: int = 3) -> JobRow:
    return jobs.create(session, dataset(session), JobRequest(components=components))


def let_time_pass(session: Session) -> None:
    """What was sent was sent a minute ago."""
    session.execute(update(JobRow).values(enqueued_at=utc_now() - timedelta(minutes=1)))


def blank_model(components: int = 3, model_id: str | None = None) -> ModelRow:
    """One that can't compute."""
    return ModelRow(
        id=model_id or new_id("mdl"),
        name="model",
        weights_bytes=0,
        shape=[2],
        columns=[],
        alpha=[1 / components] * components,
        sizes=[1] * components,
        metrics={},
        config={},
        provenance={"source": "imported"},
        whole=[],
    )


def assign_job(session: Session, rows: int, *include: AssignField) -> JobRow:
    model = blank_model()
    session.add(model)
    session.flush()
    return assign_jobs.create(session, dataset(session, rows), model, include)
