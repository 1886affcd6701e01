"""How much memory a process takes at most."""

import re
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

SAMPLED_EVERY = 0.02  # seconds


class PeakMemory:
    """Highest memory of a process while the body runs.

    ``before`` and ``peak`` are MiB, (2,): all that is resident, and what is no file of the system.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._over = Event()
        self._thread = Thread(target=self._sample, daemon=True)
        self.before = self.peak = self._read()

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLED_EVERY):
            self.peak = np.maximum(self.peak, self._read())

    def _read(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        found = dict(re.findall(r"(VmRSS|RssAnon):\s+(\d+) kB", self._status.read_text()))
        return np.array([int(found["VmRSS"]), int(found["RssAnon"])]) / 1024
