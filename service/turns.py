"""Few at a time, over all processes of a machine that share a folder."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from service.errors import Busy

AT_ONCE = 2
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05
RETRY_SECONDS = "10"


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """One of `AT_ONCE` turns, as long as the block lasts; a process that is killed gives it back.

    Raises Busy when none is free for `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with ExitStack() as stack:
        slots = [stack.enter_context((folder / f"turn-{i}").open("w")) for i in range(AT_ONCE)]
        while not any(map(_is_mine, slots)):
            if time.monotonic() > deadline:
                detail = "too many files are being unpacked; try again in some seconds"
                raise Busy("files_busy", detail, headers={"Retry-After": RETRY_SECONDS})
            time.sleep(POLL_SECONDS)
        yield


def _is_mine(slot: IO[str]) -> bool:
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
