"""Keeps a worker's claim alive while it works, and tells it when to stop."""

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Protocol, Self, TypeAlias

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service import leases
from service.database import Database
from trainer import StopTraining

log = logging.getLogger(__name__)

MAX_PAUSE = 1.0  # seconds; bounds how long a cancel goes unseen
BEATS_A_LEASE = 5
# that work has to stop by itself; a compiler, for one, doesn't look up from its work
CANCEL_SECONDS, STOP_SECONDS = 0.5, 15.0

Renew = Callable[[Session], bool]  # renews a claim; True when its job is to be cancelled


class CancelRequested(Exception):
    """The job is to be cancelled."""


class StopRequested(StopTraining):
    """The worker is to stop, and the work is another's."""


EndRequest: TypeAlias = CancelRequested | StopRequested
LetGo = Callable[[EndRequest], None]


class Watch(Protocol):
    """Tells work when to stop."""

    def check(self) -> None:
        """Raise if it is time."""


class Unwatched:
    """In a process that is killed when it is time."""

    def check(self) -> None:
        """Nothing is to be done."""


class Pace:
    """How fast an attempt goes, from its first step on: neither what was done before a resume
    nor getting ready counts."""

    def __init__(self) -> None:
        self.fraction: float | None = None  # of the whole run, none before the first step
        self._first: tuple[float, float] | None = None

    def note(self, fraction: float, now: float) -> None:
        """The share of the run that is done at a time in seconds."""
        self._first = self._first or (fraction, now)
        self.fraction = fraction

    def eta_seconds(self, now: float) -> float | None:
        """How long the rest will take, None before there is a pace."""
        if self._first is None or self.fraction is None or self.fraction <= self._first[0]:
            return None
        at, began = self._first
        return (now - began) * (1 - self.fraction) / (self.fraction - at)


class Heartbeat:
    """Renews a lease in a thread of its own. Use as a context manager around the work.

    `check` raises CancelRequested, StopRequested or LeaseLost once it is time to stop. Of work that
    goes on for all that, ``let_go`` gives up the claim, and what it still does is of no effect. A
    database that is away is tried again until the lease runs out.
    """

    def __init__(
        self,
        database: Database,
        renew: Renew,
        let_go: LetGo,
        lease_seconds: float,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._renew = renew
        self._let_go = let_go
        self._lease_seconds = lease_seconds
        self._is_stopping = is_stopping
        self._pause = min(MAX_PAUSE, lease_seconds / BEATS_A_LEASE)
        self._stop_with: CancelRequested | leases.LeaseLost | None = None
        self._asked_at: float | None = None  # to stop
        self._end = threading.Event()
        beat = partial(copy_context().run, self._beat)  # with the ids that log lines carry
        self._thread = threading.Thread(target=beat, name="heartbeat", daemon=True)

    def check(self) -> None:
        """Raise if the work is to stop."""
        if self._stop_with:
            raise self._stop_with
        if self._is_stopping():
            raise StopRequested

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._end.wait(self._pause):
            try:
                with self._database.write() as session:
                    if self._renew(session):
                        self._stop_with = CancelRequested()
                renewed = time.monotonic()
                self._end_if_overdue()
            except leases.LeaseLost as lost:
                self._stop_with = lost
                return
            except SQLAlchemyError as error:
                log.warning("heartbeat failed: %s", error)
                if time.monotonic() - renewed > self._lease_seconds:
                    self._stop_with = leases.LeaseLost("the database is away")

    def _end_if_overdue(self) -> None:
        """Raise LeaseLost once the claim is given up."""
        is_cancelled = isinstance(self._stop_with, CancelRequested)
        if not is_cancelled and not self._is_stopping():
            return
        now = time.monotonic()
        self._asked_at = self._asked_at or now
        if now - self._asked_at > (CANCEL_SECONDS if is_cancelled else STOP_SECONDS):
            self._let_go(CancelRequested() if is_cancelled else StopRequested())
            raise leases.LeaseLost("the work did not stop in time")
