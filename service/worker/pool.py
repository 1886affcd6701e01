"""Celery's pool of child processes, quick to replace one that has ended."""

from collections.abc import Callable, Mapping

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

LOOK_SECONDS = 0.2


class QuickPool(AsynPool):  # type: ignore[misc] # Celery has no types
    """It looks for an ended child as its pipe closes, a moment before the child can be waited for,
    and else every five seconds, which is how long the next task would wait."""

    @property
    def timers(self) -> Mapping[Callable[[], None], float]:
        return {self.maintain_pool: LOOK_SECONDS}


class QuickTaskPool(TaskPool):  # type: ignore[misc]
    """The prefork pool."""

    Pool = QuickPool
