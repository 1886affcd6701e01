"""What a training stores after each iteration."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, partial

from sqlalchemy.orm import Session

from service import blobs, checkpoints, leases, previews
from service.database import Database
from service.scatter import Plane
from service.storage import Storage
from service.worker.heartbeat import Watch
from service.worker.patience import patiently
from trainer import Report, TrainingState, checkpoint_bytes
from trainer.points import Points
from trainer.preview import preview

log = logging.getLogger(__name__)


class Recorder:
    """Stores a checkpoint, a preview and an event after each iteration, and where a run stops."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        claim: leases.Claim,
        watch: Watch,
        points: Points,
    ) -> None:
        self._database = database
        self._storage = storage
        self._claim = claim
        self._watch = watch
        self._points = points

    def record(self, state: TrainingState, report: Report) -> None:
        """The training's callback. Raises LeaseLost, CancelRequested, StorageUnavailable or
        DatabaseUnavailable."""
        png = self._picture(state)

        def note(session: Session) -> None:
            leases.record_iteration(session, self._claim, report.iteration, asdict(report))
            if png is not None:
                previews.add(session, self._claim.job_id, report.iteration, png)

        self._keep(state, report.iteration, note)

    def keep(self, state: TrainingState) -> None:
        """A run that is stopped within an iteration, as whose checkpoint it counts until that is
        done. Raises what `record` does."""
        self._keep(state, state.iteration + 1, partial(leases.check, claim=self._claim))

    def _keep(self, state: TrainingState, iteration: int, note: Callable[[Session], None]) -> None:
        checkpoint = checkpoint_bytes(state, run=self._claim.job_id)
        old = patiently(self._watch, lambda: self._store(checkpoint, iteration, note))
        patiently(self._watch, lambda: blobs.remove(self._database, self._storage, old))

    def _store(
        self, checkpoint: bytes, iteration: int, note: Callable[[Session], None]
    ) -> list[str]:
        """Keep a checkpoint and what ``note`` adds; returns the blobs that are of no more use."""
        job_id = self._claim.job_id
        sha256 = hashlib.sha256(checkpoint).hexdigest()
        with blobs.intent(self._database, self._storage, sha256) as intent:
            self._storage.put(checkpoint)
            with self._database.write() as session:
                blobs.fulfil(session, intent)
                note(session)
                replaced = checkpoints.add(session, job_id, iteration, sha256, len(checkpoint))
                return replaced + checkpoints.release(session, job_id, checkpoints.KEPT)

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
