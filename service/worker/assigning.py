"""Assigns one part of a job: claim, compute a piece at a time, store. Safe to run twice."""

import logging
from functools import partial

import numpy as np
from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from api_schemas.inference import AssignField
from service import assign_jobs
from service.assign_jobs import Claim, Part
from service.assigning import Assigned, assign
from service.batches import Conversion
from service.jobs import LeaseLost
from service.model_cache import load
from service.worker.heartbeat import Heartbeat
from service.worker.runner import Runner, error_of
from trainer.devices import choose_device, cpu_threads

log = logging.getLogger(__name__)


class PartRunner(Runner):
    """Takes parts of assign jobs up."""

    def run(self, part: Part) -> None:
        """Bring the part to its end, unless it is not to be had or is taken away on the way."""
        with self.database.write() as session:
            claim = assign_jobs.claim(session, part, self.settings.lease_seconds)
        if claim is None:
            log.info("part %d of job %s is not to be had", part.number, part.job_id)
            return
        with bound_contextvars(job_id=part.job_id, part=part.number, attempt=claim.attempt):
            log.info("part begins")
            self._work(claim)
            log.info("part ends")

    def _work(self, claim: Claim) -> None:
        try:
            self._assign(claim)
        except LeaseLost:
            log.warning("the part was taken away")
        except OperationalError as error:
            log.warning("the part is left to the sweeper: the database failed: %s", error)
        except Exception as error:
            self._fail(claim, error)

    def _assign(self, claim: Claim) -> None:
        lease_seconds = self.settings.lease_seconds
        renew = partial(assign_jobs.renew, claim=claim, lease_seconds=lease_seconds)
        with Heartbeat(self.database, renew, lease_seconds) as heartbeat:
            with cpu_threads(self.settings.threads or 1):  # it is parts that go side by side
                found = self._found(claim, heartbeat)
            with self.database.write() as session:
                assign_jobs.finish(session, claim, found.pop("components"), found)

    def _found(self, claim: Claim, heartbeat: Heartbeat) -> Assigned:
        """Components and what is kept beside them, each (n,) of a part's n points."""
        device = choose_device(self.settings.device)
        mixture, spec = load(self.database, claim.model_id, device)
        convert = Conversion.between(claim.dataset, spec)
        points = self.points(claim.dataset.points_sha256, heartbeat)[claim.rows]
        fields: set[AssignField] = {"confidence", *claim.include}
        pieces: list[Assigned] = []
        first_row = claim.rows.start
        for piece in spec.cut(points):
            heartbeat.check()
            pieces.append(assign(mixture, convert(piece, first_row), fields))
            first_row += len(piece)
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _fail(self, claim: Claim, error: Exception) -> None:
        try:
            with self.database.write() as session:
                assign_jobs.fail(session, claim, error_of(error))
        except LeaseLost:
            log.warning("the part was taken away before its job could fail")
