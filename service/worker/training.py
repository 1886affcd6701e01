"""Runs one job: claim, train from the last checkpoint, publish. Safe to run twice."""

import logging
import traceback
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from structlog.contextvars import bound_contextvars

from service import events, jobs, models
from service.database import Database
from service.ownership import Caller
from service.settings import Settings
from service.storage import Storage
from service.worker.heartbeat import CancelRequested, Heartbeat
from trainer import (
    DamagedState,
    Report,
    TrainerError,
    TrainingState,
    checkpoint_bytes,
    restore,
    train,
)
from trainer.devices import choose_device

log = logging.getLogger(__name__)


class JobRunner:
    """Takes jobs up by id, with everything that a run needs at hand."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.storage = Storage(settings.storage_path)

    def run(self, job_id: str) -> None:
        """Bring the job to its end, unless it is not to be had or is taken away on the way."""
        with self.database.write() as session:
            claim = jobs.claim(session, job_id, self.settings.lease_seconds)
        if claim is None:
            log.info("job %s is not to be had", job_id)
            return
        with bound_contextvars(job_id=job_id, attempt=claim.attempt):
            log.info("job begins")
            self._work(claim)
            log.info("job ends")

    def _work(self, claim: jobs.Claim) -> None:
        job_id = claim.job_id
        try:
            self._train(claim)
        except jobs.LeaseLost:
            log.warning("job %s was taken away", job_id)
        except CancelRequested:
            self._finish(claim, "cancelled")
        except TrainerError as error:
            self._finish(claim, "failed", _error("training_failed", str(error)))
        except Exception as error:
            log.error("job %s failed: %s", job_id, traceback.format_exc())
            message = f"{type(error).__name__} in the worker; its log has the details"
            self._finish(claim, "failed", _error("internal_error", message))

    def _train(self, claim: jobs.Claim) -> None:
        points = np.load(self.storage.path(claim.points_sha256), mmap_mode="r")
        device = choose_device(self.settings.device)
        recorder = Recorder(self.database, self.storage, claim)
        with Heartbeat(self.database, claim, self.settings.lease_seconds) as heartbeat:
            fit = train(
                points,
                claim.config,
                device=device,
                threads=self.settings.threads,
                resume=self._checkpoint(claim, device),
                on_step=heartbeat.step,
                on_iteration=recorder.record,
            )
            with self.database.used_by(Caller(claim.owner)).write() as session:
                models.publish(session, claim, fit.mixture, fit.partition)
        recorder.forget_checkpoint()

    def _checkpoint(self, claim: jobs.Claim, device: torch.device) -> TrainingState | None:
        """What to resume from; a damaged checkpoint is logged and training starts anew."""
        if claim.checkpoint_sha256 is None:
            return None
        try:
            return restore(self.storage.path(claim.checkpoint_sha256).read_bytes(), device)
        except (DamagedState, FileNotFoundError) as error:
            with self.database.write() as session:
                message = f"the checkpoint can't be used, training starts anew: {error}"
                events.add(session, claim.job_id, "message", message, "warning")
            return None

    def _finish(self, claim: jobs.Claim, status: str, error: dict[str, Any] | None = None) -> None:
        try:
            with self.database.write() as session:
                jobs.finish(session, claim, status, error)
        except jobs.LeaseLost:
            log.warning("job %s was taken away before it could be %s", claim.job_id, status)


class Recorder:
    """Stores a checkpoint and an event after each iteration; keeps the last checkpoint only."""

    def __init__(self, database: Database, storage: Storage, claim: jobs.Claim) -> None:
        self._database = database
        self._storage = storage
        self._claim = claim
        self._checkpoint = claim.checkpoint_sha256

    def record(self, state: TrainingState, report: Report) -> None:
        """The training's callback. Raises LeaseLost."""
        checkpoint = self._storage.put(checkpoint_bytes(state, run=self._claim.job_id))
        with self._database.write() as session:
            jobs.record_iteration(
                session, self._claim, report.iteration, checkpoint, asdict(report)
            )
        previous, self._checkpoint = self._checkpoint, checkpoint
        if previous and previous != checkpoint:
            self._storage.delete(previous)

    def forget_checkpoint(self) -> None:
        """A finished job needs none."""
        if self._checkpoint:
            self._storage.delete(self._checkpoint)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None}
