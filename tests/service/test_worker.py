"""The worker's part, in this process: what it goes on from, and what it leaves."""

import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from sqlalchemy import func, select

from api_schemas.jobs import JobRequest
from service import checkpoints, events, jobs, models
from service.database import migrate
from service.queue import JobQueue, create_celery
from service.settings import Settings
from service.storage import Folder
from service.tables import PreviewRow
from service.worker import recorder, training
from service.worker.heartbeat import CancelRequested, Pace
from service.worker.recorder import Recorder
from service.worker.runner import error_of
from service.worker.training import JobRunner
from tests.points import npy, three_blobs
from tests.service import rows
from trainer import Report, TrainingState

CONFIG = {"iterations": 5, "pretraining_epochs": 20, "epochs": 20, "estimator_epochs": 5}


@pytest.fixture
def runner(tmp_path: Path) -> JobRunner:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    migrate(url)
    Folder(tmp_path).prepare()
    settings = Settings(database_url=url, storage_url=str(tmp_path))
    return JobRunner(settings, JobQueue(create_celery(settings)))


def new_job(runner: JobRunner) -> str:
    points, _ = three_blobs()
    with runner.database.write() as session:
        dataset = rows.dataset(session, len(points))
        dataset.points_sha256 = runner.storage.put(npy(points))
        request = JobRequest.model_validate({"components": 3, "config": CONFIG})
        return jobs.create(session, dataset, request).id


def weights(runner: JobRunner, job_id: str) -> bytes:
    with runner.database.read() as session:
        job = jobs.get(session, job_id)
        assert job.status == "succeeded"
        assert job.model
        return models.weights(session, job.model.id)


def run_until(runner: JobRunner, job_id: str, iteration: int) -> None:
    """Run a job and cancel it after an iteration."""

    class CancellingRecorder(Recorder):
        def record(self, state: TrainingState, report: Report) -> None:
            super().record(state, report)
            if report.iteration == iteration:
                with runner.database.write() as session:
                    jobs.request_cancel(session, job_id)
                raise CancelRequested

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Recorder", CancellingRecorder)
        runner.run(job_id)


@pytest.mark.parametrize("torn", [0, 1, 2])
def test_a_torn_checkpoint_gives_way_to_the_one_before(runner: JobRunner, torn: int) -> None:
    undisturbed, job_id = new_job(runner), new_job(runner)
    runner.run(undisturbed)
    run_until(runner, job_id, 3)
    with runner.database.write() as session:
        jobs.resume(session, job_id)
        kept = checkpoints.kept(session, job_id)
    for checkpoint in kept[:torn]:
        path = runner.storage.path(checkpoint.sha256)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    runner.run(job_id)
    assert weights(runner, job_id) == weights(runner, undisturbed)
    with runner.database.read() as session:
        log = events.page(session, job_id, 0, 100).data
        done = [e.data["iteration"] for e in log if e.type == "metrics"]
        assert done == [1, 2, 3, *range([4, 3, 1][torn], 6)]
        warned = [e.message for e in log if e.level == "warning"]
        assert len(warned) == torn
        assert all("can't be used: its bytes are not those" in message for message in warned)
        assert not checkpoints.kept(session, job_id)
        of_job = select(func.count()).where(PreviewRow.job_id == job_id)
        assert session.scalar(of_job) == CONFIG["iterations"]


@pytest.mark.parametrize("after", [0.05, 0.5, 0.9])
def test_a_stopped_worker_leaves_where_it_was(runner: JobRunner, after: float) -> None:
    undisturbed, job_id = new_job(runner), new_job(runner)
    runner.run(undisturbed)
    reached: list[float] = []

    class Watched(Pace):
        def note(self, fraction: float, now: float) -> None:
            reached.append(fraction)
            super().note(fraction, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Pace", Watched)
        patch.setattr(runner, "is_stopping", lambda: max(reached, default=0) > after)
        patch.setattr(runner.queue, "send", lambda *_: None)
        runner.run(job_id)
        before = reached[:]
        patch.setattr(runner, "is_stopping", lambda: False)
        runner.run(job_id)
    assert len(before) == next(i for i, f in enumerate(reached, 1) if f > after)  # stopped at once
    assert reached == sorted(set(reached))  # and no step done twice
    assert weights(runner, job_id) == weights(runner, undisturbed)
    with runner.database.read() as session:
        done = [c.iteration for c in checkpoints.page(session, job_id, 0, 100).data]
        assert done == [1, 2, 3, 4, 5]
        dataset = jobs.get(session, job_id).dataset
        assert [*chain(*runner.storage.pages())] == [dataset.points_sha256]  # all others went


def test_a_picture_that_fails_is_not_worth_the_job(
    runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "preview", lambda *_: 1 / 0)
    job_id = new_job(runner)
    runner.run(job_id)
    assert weights(runner, job_id)


@pytest.mark.parametrize("resumed_at", [0.0, 0.5])
def test_the_rest_takes_as_long_as_this_attempts_pace_says(resumed_at: float) -> None:
    pace = Pace()
    assert (pace.fraction, pace.eta_seconds(1000)) == (None, None)
    pace.note(resumed_at, 1000)
    assert pace.eta_seconds(1001) is None
    pace.note(resumed_at + 0.25, 1010)
    assert pace.eta_seconds(1010) == 10 * (1 - resumed_at - 0.25) / 0.25
    pace.note(1.0, 1030)
    assert pace.eta_seconds(1030) == 0


@pytest.mark.parametrize(
    ("provoke", "code"),
    [
        (lambda: torch.empty(1 << 50), "out_of_memory"),
        (lambda: np.empty(1 << 50), "out_of_memory"),
        (lambda: 1 / 0, "internal_error"),
    ],
)
def test_memory_that_runs_out_is_named(provoke: Callable[[], object], code: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each another one
        provoke()
    assert error_of(caught.value)["code"] == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`", "out_of_memory"),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED", "device_failed"),
        ("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", "device_failed"),
        ("NCCL error in: ProcessGroupNCCL.cpp", "device_failed"),
        ("mat1 and mat2 shapes cannot be multiplied", "internal_error"),
    ],
)
def test_what_libraries_of_a_gpu_say_is_named(said: str, code: str) -> None:
    assert error_of(RuntimeError(said))["code"] == code


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_failures_of_a_gpu_are_named() -> None:
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(1 << 50, device="cuda")
    assert error_of(caught.value)["code"] == "out_of_memory"
    command = "import torch; torch.zeros(1, device='cuda')[torch.tensor([5], device='cuda')].cpu()"
    script = f"""
from service.worker.runner import error_of
try:
    {command}
except Exception as error:
    print(error_of(error)["code"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "device_failed"
