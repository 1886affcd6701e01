"""Runs one job: claim, train from the last checkpoint, publish. Safe to run twice."""

import hashlib
import logging
import time
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any

import torch
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from service import blobs, checkpoints, jobs, models, previews
from service.database import Database
from service.errors import StorageDamaged
from service.ownership import Caller
from service.scatter import Plane
from service.storage import Storage
from service.summaries import summarise
from service.transitions import Ending
from service.worker.heartbeat import CancelRequested, Heartbeat, Pace, StopRequested
from service.worker.patience import patiently
from service.worker.runner import Runner, error_of
from trainer import (
    DamagedState,
    Report,
    TrainingState,
    checkpoint_bytes,
    restore,
    train,
)
from trainer.devices import choose_device
from trainer.points import Points
from trainer.preview import preview

log = logging.getLogger(__name__)


class JobRunner(Runner):
    """Takes trainings up by their job's id."""

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
        except StopRequested:
            self._give_back(claim)
        except OperationalError as error:
            log.warning("job %s is left to the sweeper: the database failed: %s", job_id, error)
        except Exception as error:
            self._finish(claim, "failed", error_of(error))

    def _train(self, claim: jobs.Claim) -> None:
        device = choose_device(self.settings.device)
        lease_seconds, pace = self.settings.lease_seconds, Pace()

        def renew(session: Session) -> bool:
            progress = pace.fraction, pace.eta_seconds(time.monotonic())
            return jobs.renew(session, claim, lease_seconds, *progress)

        with self.heartbeat(renew) as heartbeat:

            def step(fraction: float) -> None:
                pace.note(fraction, time.monotonic())
                heartbeat.check()

            points = self.points(claim.points_sha256, heartbeat)
            recorder = Recorder(self.database, self.storage, claim, heartbeat, points)
            fit = train(
                points,
                claim.config,
                device=device,
                threads=self.settings.threads,
                resume=self._resumed(claim, heartbeat, device),
                on_step=step,
                on_iteration=recorder.record,
            )
            summary = summarise(fit.mixture, points, fit.partition)
            with self.database.used_by(Caller(claim.owner)).write() as session:
                models.publish(session, claim, fit.mixture, summary, self.settings.code_version)
                old = checkpoints.release(session, claim.job_id)
        blobs.remove(self.database, self.storage, old)

    def _resumed(
        self, claim: jobs.Claim, heartbeat: Heartbeat, device: torch.device
    ) -> TrainingState | None:
        """What to go on from: the newest checkpoint that is whole. A damaged one is logged."""
        for kept in claim.checkpoints:
            try:
                return restore(patiently(heartbeat, partial(self._read, kept.sha256)), device)
            except (DamagedState, FileNotFoundError, StorageDamaged) as error:
                message = f"the checkpoint of iteration {kept.iteration} can't be used: {error}"
                with self.database.write() as session:
                    jobs.warn(session, claim, message)
        return None

    def _read(self, sha256: str) -> bytes:
        """Raises FileNotFoundError, StorageUnavailable or DamagedState."""
        data = self.storage.path(sha256).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DamagedState("its bytes are not those that were written")
        return data

    def _give_back(self, claim: jobs.Claim) -> None:
        try:
            with self.database.write() as session:
                jobs.give_back(session, claim)
        except jobs.LeaseLost:
            log.warning("job %s was taken away before it could be given back", claim.job_id)
            return
        self.queue.send("train", claim.job_id)

    def _finish(
        self, claim: jobs.Claim, ending: Ending, error: dict[str, Any] | None = None
    ) -> None:
        try:
            with self.database.write() as session:
                jobs.finish(session, claim, ending, error)
        except jobs.LeaseLost:
            log.warning("job %s was taken away before it could be %s", claim.job_id, ending)


class Recorder:
    """Stores a checkpoint, a preview and an event after each iteration."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        claim: jobs.Claim,
        heartbeat: Heartbeat,
        points: Points,
    ) -> None:
        self._database = database
        self._storage = storage
        self._claim = claim
        self._heartbeat = heartbeat
        self._points = points

    def record(self, state: TrainingState, report: Report) -> None:
        """The training's callback. Raises LeaseLost, CancelRequested or StorageUnavailable."""
        job_id, iteration = self._claim.job_id, report.iteration
        checkpoint = checkpoint_bytes(state, run=job_id)
        sha256 = hashlib.sha256(checkpoint).hexdigest()
        png = self._picture(state)
        with blobs.intent(self._database, self._storage, sha256) as intent:
            patiently(self._heartbeat, lambda: self._storage.put(checkpoint))
            with self._database.write() as session:
                blobs.fulfil(session, intent)
                jobs.record_iteration(session, self._claim, iteration, asdict(report))
                checkpoints.add(session, job_id, iteration, sha256, len(checkpoint))
                if png is not None:
                    previews.add(session, job_id, iteration, png)
                old = checkpoints.release(session, job_id, checkpoints.KEPT)
        blobs.remove(self._database, self._storage, old)

    @cached_property
    def _plane(self) -> Plane | None:
        return Plane.of(self._points) if self._points.ndim == 2 else None

    def _picture(self, state: TrainingState) -> bytes | None:
        """A PNG of samples; none, and a line in the worker's log, where it can't be made."""
        wanted = previews.samples_wanted(state.config.k, state.architecture.is_image)
        try:
            return previews.render(preview(state, self._points, wanted), self._plane)
        except Exception:  # a picture is not worth a job
            log.exception("job %s: no preview", self._claim.job_id)
            return None
