"""Starts the processes that share a run on this machine."""

import os
import sys
import time
from collections.abc import Sequence
from math import inf
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Self

from trainer.ranks import Seat

LAST_WORDS = 10.0  # seconds for the others to end after one has failed
POLL_SECONDS = 0.1


class Processes:
    """A command in fresh processes, each told of its seat. Use as a context manager: after the
    block none is left."""

    def __init__(self, count: int, command: Sequence[str]) -> None:
        self._count, self._command = count, command
        self._started: list[Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="kvae-ranks-")
        private = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
        for index in range(self._count):
            seat = Seat(index, self._count, f"file://{self._folder.name}/meeting")
            environment = {**private, **os.environ, **seat.environment()}
            self._started.append(Popen(self._command, env=environment))
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._started:
            process.kill()
        for process in self._started:
            process.wait()
        self._folder.cleanup()

    def wait(self, seconds: float = inf) -> int | None:
        """How the first that failed has ended, 0 once all have ended well, None after the time."""
        until = time.monotonic() + seconds
        while True:
            ended = [process.poll() for process in self._started]
            if failed := [status for status in ended if status]:
                return failed[0]
            if None not in ended:
                return 0
            if time.monotonic() > until:
                return None
            time.sleep(POLL_SECONDS)

    def hear_out(self) -> None:
        """Let those end by themselves that do so soon."""
        until = time.monotonic() + LAST_WORDS
        while time.monotonic() < until and any(p.poll() is None for p in self._started):
            time.sleep(POLL_SECONDS)
