"""A training that several processes of this machine share, and who watches over them."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from service.leases import Claim
from service.worker.heartbeat import Watch
from trainer.errors import RankLost
from trainer.launch import Processes
from trainer.steps import OnStep

LOOK_SECONDS = 0.2


class Progress:
    """The share of the run that is done, in a file that processes share."""

    def __init__(self, path: Path) -> None:
        path.touch()
        os.truncate(path, 8)
        self._fraction = np.memmap(path, np.float64, "r+", shape=(1,))

    def note(self, fraction: float) -> None:
        self._fraction[0] = fraction

    def read(self) -> float:
        return float(self._fraction[0])


def oversee(count: int, claim: Claim, note: OnStep, watch: Watch) -> None:
    """Have a training done by processes (`service.worker.rank`) until all have ended.

    Raises RankLost when one ends before its end, or what the watch says to stop with; then none
    is left.
    """
    with TemporaryDirectory(prefix="kvae-progress-") as folder:
        file = Path(folder) / "fraction"
        progress = Progress(file)
        command = [sys.executable, "-m", "service.worker.rank"]
        about = [claim.job_id, str(claim.attempt), str(os.getpid()), str(file)]
        with Processes(count, [*command, *about]) as processes:
            while (status := processes.wait(LOOK_SECONDS)) is None:
                fraction = progress.read()
                if fraction < 1:  # from there on the first of them ends the job
                    watch.check()
                if fraction:
                    note(fraction)
        if status:
            raise RankLost(f"one of its processes ended with the status {status}")
