"""Runs one job: claim, train from the last checkpoint, publish. Safe to run twice."""

import logging
import traceback
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from service import events, jobs, models
from service.database import Database
from service.errors import StorageUnavailable
from service.settings import Settings
from service.storage import Storage, open_storage
from service.worker.heartbeat import CancelRequested, Heartbeat
from service.worker.patience import patiently
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
from trainer.points import Points

log = logging.getLogger(__name__)


class JobRunner:
    """Takes jobs up by id, with everything that a run needs at hand."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.storage = open_storage(settings)
        self.storage.prepare()

    def run(self, job_id: str) -> None:
        """Bring the job to its end, unless it is not to be had or is taken away on the way."""
        with self.database.write() as session:
            claim = jobs.claim(session, job_id, self.settings.lease_seconds)
        if claim is None:
            log.info("job %s is not to be had", job_id)
            return
        try:
            self._train(claim)
        except jobs.LeaseLost:
            log.warning("job %s was taken away", job_id)
        except CancelRequested:
            self._finish(claim, "cancelled")
        except TrainerError as error:
            self._finish(claim, "failed", _error("training_failed", str(error)))
        except StorageUnavailable as error:
            self._finish(claim, "failed", _error(error.code, error.detail))
        except Exception as error:
            log.error("job %s failed: %s", job_id, traceback.format_exc())
            message = f"{type(error).__name__} in the worker; its log has the details"
            self._finish(claim, "failed", _error("internal_error", message))

    def _train(self, claim: jobs.Claim) -> None:
        device = choose_device(self.settings.device)
        with Heartbeat(self.database, claim, self.settings.lease_seconds) as heartbeat:
            points = patiently(heartbeat, lambda: self._points(claim))
            recorder = Recorder(self.database, self.storage, claim, heartbeat)
            fit = train(
                points,
                claim.config,
                device=device,
                threads=self.settings.threads,
                resume=patiently(heartbeat, lambda: self._checkpoint(claim, device)),
                on_step=heartbeat.step,
                on_iteration=recorder.record,
            )
            with self.database.write() as session:
                models.publish(session, claim, fit.mixture, fit.partition)
        recorder.forget_checkpoint()

    def _points(self, claim: jobs.Claim) -> Points:
        points: Points = np.load(self.storage.path(claim.points_sha256), mmap_mode="r")
        return points

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

    def __init__(
        self, database: Database, storage: Storage, claim: jobs.Claim, heartbeat: Heartbeat
    ) -> None:
        self._database = database
        self._storage = storage
        self._claim = claim
        self._heartbeat = heartbeat
        self._checkpoint = claim.checkpoint_sha256

    def record(self, state: TrainingState, report: Report) -> None:
        """The training's callback. Raises LeaseLost, CancelRequested or StorageUnavailable."""
        data = checkpoint_bytes(state, run=self._claim.job_id)
        checkpoint = patiently(self._heartbeat, lambda: self._storage.put(data))
        with self._database.write() as session:
            jobs.record_iteration(
                session, self._claim, report.iteration, checkpoint, asdict(report)
            )
        previous, self._checkpoint = self._checkpoint, checkpoint
        if previous != checkpoint:
            self._forget(previous)

    def forget_checkpoint(self) -> None:
        """A finished job needs none."""
        self._forget(self._checkpoint)

    def _forget(self, checkpoint: str | None) -> None:
        try:
            if checkpoint:
                self._storage.delete(checkpoint)
        except StorageUnavailable as error:  # it only takes room
            log.warning("checkpoint %s stays behind: %s", checkpoint, error)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None}
