"""Assigns parts of a job: claim, compute a piece at a time, store. Safe to run twice."""

import logging
import time
from functools import partial

import numpy as np
from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from api_schemas.inference import AssignField
from service import assign_jobs
from service.assign_jobs import Claim
from service.assigning import Assigned, assign
from service.batches import Conversion
from service.leases import LeaseLost
from service.model_cache import load
from service.worker.heartbeat import Heartbeat, StopRequested
from service.worker.patience import patiently
from service.worker.runner import Runner, error_of
from trainer.devices import choose_device, cpu_threads

# after which the next message in the queue has its turn; long beside the seconds that Celery takes
# to replace a child
TURN_SECONDS = 60.0

log = logging.getLogger(__name__)


class AssignRunner(Runner):
    """Takes parts of assign jobs up."""

    def run(self, job_id: str) -> None:
        """Do parts of the job, one after the other, until no more wait or others have waited for
        long enough. Before, pass its message on if there is more than one to do."""
        until = time.monotonic() + TURN_SECONDS
        with self.database.read() as session:
            can_be_shared = assign_jobs.can_be_shared(session, job_id)
        if can_be_shared:
            self.queue.send("assign", job_id)
        while self._has_time(until) and (claim := self._claim(job_id)):
            with bound_contextvars(job_id=job_id, part=claim.number, attempt=claim.attempt):
                log.info("part begins")
                self._work(claim)
                log.info("part ends")

    def _has_time(self, until: float) -> bool:
        return time.monotonic() < until and not self.is_stopping()

    def _claim(self, job_id: str) -> Claim | None:
        with self.database.write() as session:
            return assign_jobs.claim(session, job_id, self.settings.lease_seconds)

    def _work(self, claim: Claim) -> None:
        try:
            self._assign(claim)
        except LeaseLost:
            log.warning("the part was taken away")
        except StopRequested:
            self._give_back(claim)
        except OperationalError as error:
            log.warning("the part is left to the sweeper: the database failed: %s", error)
        except Exception as error:
            self._fail(claim, error)

    def _assign(self, claim: Claim) -> None:
        lease_seconds = self.settings.lease_seconds
        renew = partial(assign_jobs.renew, claim=claim, lease_seconds=lease_seconds)
        with self.heartbeat(renew, lambda _: self._give_back(claim)) as heartbeat:
            with cpu_threads(self.settings.threads or 1):  # it is parts that go side by side
                found = self._found(claim, heartbeat)
            patiently(heartbeat, lambda: self._finish(claim, found))

    def _finish(self, claim: Claim, found: Assigned) -> None:
        shares = {name: values for name, values in found.items() if name != "components"}
        with self.database.write() as session:
            assign_jobs.finish(session, claim, found["components"], shares)

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

    def _give_back(self, claim: Claim) -> None:
        try:
            with self.database.write() as session:
                assign_jobs.give_back(session, claim)
        except LeaseLost:
            log.warning("the part was taken away before it could be given back")
            return
        self.queue.send("assign", claim.job_id)

    def _fail(self, claim: Claim, error: Exception) -> None:
        try:
            with self.database.write() as session:
                assign_jobs.fail(session, claim, error_of(error))
        except LeaseLost:
            log.warning("the part was taken away before its job could fail")
