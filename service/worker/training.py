"""Runs one job: claim, train from the last checkpoint, publish. Safe to run twice."""

import hashlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from service import blobs, checkpoints, leases, models
from service.errors import StorageDamaged
from service.ownership import Caller
from service.summaries import Summary, summarise
from service.transitions import Ending
from service.worker.heartbeat import (
    CancelRequested,
    EndRequest,
    Pace,
    StopRequested,
    Unwatched,
    Watch,
)
from service.worker.patience import patiently
from service.worker.ranks import oversee
from service.worker.recorder import Recorder
from service.worker.runner import Runner, error_of
from trainer import DamagedState, Fit, restore, train
from trainer.devices import choose_device, most_processes
from trainer.errors import RankLost
from trainer.ranks import Ranks
from trainer.steps import OnStep

log = logging.getLogger(__name__)


class JobRunner(Runner):
    """Takes trainings up by their job's id."""

    def run(self, job_id: str) -> None:
        """Bring the job to its end, unless it is not to be had or is taken away on the way."""
        with self.database.write() as session:
            claim = leases.claim(session, job_id, self.settings.lease_seconds)
        if claim is None:
            log.info("job %s is not to be had", job_id)
            return
        with bound_contextvars(job_id=job_id, attempt=claim.attempt):
            log.info("job begins")
            self._work(claim, self._train)
            log.info("job ends")

    def take_part(self, job_id: str, attempt: int, on_step: OnStep, ranks: Ranks) -> bool:
        """A process's part of a job that several share, for as long as another watches; returns
        whether it came to its end. Raises LeaseLost."""
        with self.database.read() as session:
            claim = leases.held(session, job_id, attempt)
        part = partial(self._train_part, on_step=on_step, watch=Unwatched(), ranks=ranks)
        return self._work(claim, part)

    def _work(self, claim: leases.Claim, train: Callable[[leases.Claim], None]) -> bool:
        """Train, and say how it ended; returns whether that was the end."""
        job_id = claim.job_id
        try:
            train(claim)
        except leases.LeaseLost:
            log.warning("job %s was taken away", job_id)
        except (CancelRequested, StopRequested) as request:
            self._let_go(claim, request)
        except RankLost as error:
            log.warning("job %s is left to the sweeper: %s", job_id, error)
        except OperationalError as error:
            log.warning("job %s is left to the sweeper: the database failed: %s", job_id, error)
        except Exception as error:
            self._finish(claim, "failed", error_of(error))
        else:
            return True
        return False

    def _train(self, claim: leases.Claim) -> None:
        lease_seconds, pace = self.settings.lease_seconds, Pace()

        def renew(session: Session) -> bool:
            progress = pace.fraction, pace.eta_seconds(time.monotonic())
            return leases.renew(session, claim, lease_seconds, *progress)

        with self.heartbeat(renew, partial(self._let_go, claim)) as heartbeat:

            def note(fraction: float) -> None:
                pace.note(fraction, time.monotonic())

            def step(fraction: float) -> None:
                note(fraction)
                heartbeat.check()

            count = most_processes(self.settings.device, min(claim.ranks, self.settings.max_ranks))
            if count == 1:
                self._train_part(claim, step, heartbeat, Ranks())
            else:
                oversee(count, claim, note, heartbeat)

    def _train_part(self, claim: leases.Claim, on_step: OnStep, watch: Watch, ranks: Ranks) -> None:
        """This process's part; the first process stores and publishes."""
        device = choose_device(self.settings.device)
        points = self.points(claim.points_sha256, watch)
        restored = partial(restore, device=device, processes=ranks.count)
        checkpoint = self._last_checkpoint(claim, watch, restored) if ranks.is_first else b""
        checkpoint = ranks.of_first(checkpoint, device)
        recorder = Recorder(self.database, self.storage, claim, watch, points)
        try:
            fit = train(
                points,
                claim.config,
                device=device,
                threads=self.settings.threads,
                ranks=ranks,
                resume=restored(checkpoint) if checkpoint else None,
                on_step=on_step,
                on_iteration=recorder.record if ranks.is_first else lambda state, report: None,
            )
        except StopRequested as request:
            if request.state:
                recorder.keep(request.state)
            raise
        if ranks.is_first:
            summary = summarise(fit.mixture, points, fit.partition)
            old = patiently(watch, lambda: self._publish(claim, fit, summary))
            blobs.remove(self.database, self.storage, old)

    def _publish(self, claim: leases.Claim, fit: Fit, summary: Summary) -> list[str]:
        """End the job with its model; returns the blobs that are of no more use."""
        with self.database.used_by(Caller(claim.owner)).write() as session:
            models.publish(session, claim, fit.mixture, summary, self.settings.code_version)
            return checkpoints.release(session, claim.job_id)

    def _last_checkpoint(
        self, claim: leases.Claim, watch: Watch, restored: Callable[[bytes], object]
    ) -> bytes:
        """The newest checkpoint that can be gone on from, or nothing. Others are logged."""
        for kept in claim.checkpoints:
            try:
                data = patiently(watch, partial(self._read, kept.sha256))
                restored(data)
            except (DamagedState, FileNotFoundError, StorageDamaged) as error:
                message = f"the checkpoint of iteration {kept.iteration} can't be used: {error}"
                with self.database.write() as session:
                    leases.warn(session, claim, message)
            else:
                return data
        return b""

    def _read(self, sha256: str) -> bytes:
        """Raises FileNotFoundError, StorageUnavailable or DamagedState."""
        data = self.storage.path(sha256).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DamagedState("its bytes are not those that were written")
        return data

    def _let_go(self, claim: leases.Claim, request: EndRequest) -> None:
        if isinstance(request, CancelRequested):
            self._finish(claim, "cancelled")
        else:
            self._give_back(claim)

    def _give_back(self, claim: leases.Claim) -> None:
        try:
            with self.database.write() as session:
                leases.give_back(session, claim)
        except leases.LeaseLost:
            log.warning("job %s was taken away before it could be given back", claim.job_id)
            return
        self.queue.send("train", claim.job_id)

    def _finish(
        self, claim: leases.Claim, ending: Ending, error: dict[str, Any] | None = None
    ) -> None:
        try:
            with self.database.write() as session:
                leases.finish(session, claim, ending, error)
        except leases.LeaseLost:
            log.warning("job %s was taken away before it could be %s", claim.job_id, ending)
