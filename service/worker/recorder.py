"""What a training stores after each iteration."""

import hashlib
import logging
from dataclasses import asdict
from functools import cached_property

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
    """Stores a checkpoint, a preview and an event after each iteration."""

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
        checkpoint = checkpoint_bytes(state, run=self._claim.job_id)
        png = self._picture(state)
        old = patiently(self._watch, lambda: self._store(report, checkpoint, png))
        patiently(self._watch, lambda: blobs.remove(self._database, self._storage, old))

    def _store(self, report: Report, checkpoint: bytes, png: bytes | None) -> list[str]:
        """Keep what an iteration left; returns the blobs that are of no more use."""
        job_id, iteration = self._claim.job_id, report.iteration
        sha256 = hashlib.sha256(checkpoint).hexdigest()
        with blobs.intent(self._database, self._storage, sha256) as intent:
            self._storage.put(checkpoint)
            with self._database.write() as session:
                blobs.fulfil(session, intent)
                leases.record_iteration(session, self._claim, iteration, asdict(report))
                checkpoints.add(session, job_id, iteration, sha256, len(checkpoint))
                if png is not None:
                    previews.add(session, job_id, iteration, png)
                return checkpoints.release(session, job_id, checkpoints.KEPT)

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
