"""The checker finds what is planted."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from api_schemas.jobs import JobRequest
from service import events, jobs
from service.database import Database, migrate
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.storage import Folder
from service.tables import (
    AliasRow,
    AssignedChunkRow,
    AssignmentChunkRow,
    CheckpointRow,
    ComponentRow,
    EventRow,
    IntentRow,
    JobRow,
    ModelRow,
    WeightChunkRow,
)
from service.worker.training import JobRunner
from tests.faults.invariants import violations
from tests.points import npy, three_blobs
from tests.service import rows

TINY = {"iterations": 1, "pretraining_epochs": 2, "epochs": 2, "estimator_epochs": 2}


@dataclass(frozen=True)
class World:
    """What a service leaves after two equal jobs, or what is made of it."""

    database: Database
    storage: Folder

    def violations(self) -> list[str]:
        return violations(self.database, self.storage)


def world(folder: Path) -> World:
    return World(Database(f"sqlite:///{folder / 'kvae.db'}"), Folder(folder / "blobs"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    url, storage = f"sqlite:///{folder / 'kvae.db'}", str(folder / "blobs")
    migrate(url)
    settings = Settings(database_url=url, storage_url=storage)
    runner = JobRunner(settings, JobQueue(create_celery(settings)))
    points = runner.storage.put(npy(three_blobs()[0]))
    with runner.database.write() as session:
        dataset = rows.dataset(session, len(three_blobs()[0]))
        dataset.points_sha256 = points
        request = JobRequest.model_validate({"components": 3, "config": TINY})
        both = [jobs.create(session, dataset, request).id for _ in range(2)]
    for job in both:
        runner.run(job)
    runner.database.close()
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Iterator[World]:
    found = world(shutil.copytree(sound, tmp_path / "copy"))
    yield found
    found.database.close()


def test_what_is_sound_is_found_sound(copy: World) -> None:
    assert copy.violations() == []


def job(session: Session) -> JobRow:
    return session.scalars(select(JobRow).order_by(JobRow.id)).all()[-1]


def ended_again(session: Session) -> None:
    events.add(session, job(session).id, "status", "failed", status="failed")


def running(session: Session) -> None:
    job(session).status = "running"


def cancelled_with_a_model(session: Session) -> None:
    job(session).status = "cancelled"
    ended = events.page(session, job(session).id, 0, 100).data[-1].id
    cancelled = update(EventRow).where(EventRow.id == ended).values(data={"status": "cancelled"})
    session.execute(cancelled)


def without_its_model(session: Session) -> None:
    session.execute(delete(AliasRow))
    session.execute(delete(ModelRow).where(ModelRow.job_id == job(session).id))


def another_alpha(session: Session) -> None:
    session.execute(update(ModelRow).values(alpha=[0.5, 0.25, 0.25]))


def alpha_of_more(session: Session) -> None:
    session.execute(update(ModelRow).values(alpha=[0.5, 0.5, 0.5]))


def half_of_the_assignments(session: Session) -> None:
    half = b"\0\0" * 150
    session.execute(
        update(AssignmentChunkRow).values(components=half, confidences=half, outlier_scores=half)
    )


def no_index(session: Session) -> None:
    session.execute(delete(AssignedChunkRow))


def no_weights(session: Session) -> None:
    session.execute(update(ModelRow).values(weights_bytes=1))


def another_result(session: Session) -> None:
    session.execute(update(ModelRow).where(ModelRow.job_id == job(session).id).values(metrics={}))


def a_needless_checkpoint(session: Session) -> None:
    session.execute(update(CheckpointRow).values(kept=True))


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (running, "is running"),
        (ended_again, "ended more than once"),
        (cancelled_with_a_model, "cancelled with 1 models"),
        (without_its_model, "succeeded with 0 models"),
        (another_alpha, "points are assigned"),
        (alpha_of_more, "alpha sums to 1.5"),
        (half_of_the_assignments, "rows are missing"),
        (no_index, "the index of assignments"),
        (no_weights, "weights are missing"),
        (another_result, "of the same run"),
        (a_needless_checkpoint, "checkpoints that nobody needs"),
    ],
)
def test_what_is_planted_in_the_database_is_found(
    copy: World, plant: Callable[[Session], None], said: str
) -> None:
    with copy.database.write() as session:
        plant(session)
    assert any(said in line for line in copy.violations())


def test_rows_of_nothing_are_found(copy: World) -> None:
    with sqlite3.connect(copy.database.engine.url.database or "") as connection:
        connection.execute("DELETE FROM models")  # it keeps no foreign keys unless asked to
    connection.close()
    found = copy.violations()
    for table in (WeightChunkRow, ComponentRow, AssignmentChunkRow):
        assert any(f"rows of {table.__tablename__} have no models" in line for line in found)


def test_what_is_planted_in_the_storage_is_found(copy: World) -> None:
    (points,) = [name for page in copy.storage.pages() for name in page]
    path = copy.storage.path(points)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"!")
    assert copy.violations() == [f"blob {points} is damaged"]
    path.unlink()
    assert copy.violations() == [f"blob {points} is missing"]


def test_the_collector_comes_first(copy: World) -> None:
    orphan = copy.storage.put(b"of a process that was killed")
    with copy.database.write() as session:
        session.add(IntentRow(id="int_", sha256=orphan))
    (copy.storage.scratch_folder / "half").touch()
    assert copy.violations() == []
    with copy.database.read() as session:
        assert session.scalar(select(func.count(IntentRow.id))) == 0
