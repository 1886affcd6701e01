"""Work that takes much memory or time is done by few at a time, while few wait."""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from service.errors import Busy

MOST = 4  # of one process that works and those that wait, each of which holds a thread
AT_ONCE = 2
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05
RETRY_SECONDS = "10"


class Turns:
    """One thread of this process at a time."""

    def __init__(self, code: str, doing: str) -> None:
        """What a refusal is called, and what is done meanwhile."""
        self._code, self._doing = code, doing
        self._places = threading.BoundedSemaphore(MOST)
        self._turn = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A turn, as long as the block lasts. Raises Busy where many wait already."""
        if not self._places.acquire(blocking=False):
            raise busy(self._code, f"{MOST} {self._doing} already; try again later")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """One of `AT_ONCE` turns of all processes that share a folder, as long as the block lasts; a
    process that is killed gives it back.

    Raises Busy when none is free for `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with ExitStack() as stack:
        slots = [stack.enter_context((folder / f"turn-{i}").open("w")) for i in range(AT_ONCE)]
        while not any(map(_is_mine, slots)):
            if time.monotonic() > deadline:
                raise busy(
                    "files_busy", "too many files are being unpacked; try again in some seconds"
                )
            time.sleep(POLL_SECONDS)
        yield


def busy(code: str, detail: str) -> Busy:
    """The error for what may be tried again soon."""
    return Busy(code, detail, headers={"Retry-After": RETRY_SECONDS})


def _is_mine(slot: IO[str]) -> bool:
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
