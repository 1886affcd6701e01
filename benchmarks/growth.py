"""Whether processes grow as they serve: what they hold, looked at again and again."""

from collections.abc import Callable, Mapping
from statistics import median
from time import monotonic

import psutil
from scipy.stats import theilslopes

from benchmarks.figures import Figure

WARM_SHARE = 1 / 3  # of a run, in which caches fill and threads start
MOST_GROWTH = 5.0  # percent over what is left of the run
SMALL = 20.0  # of fewer, one more is no growth yet
MIB = 1 << 20

Gauge = Callable[[], float]


class Growth:
    """Values that are to stay as they are, each with its unit."""

    def __init__(self, gauges: Mapping[str, Gauge]) -> None:
        self.seconds: list[float] = []
        self.values: dict[str, list[float]] = {name: [] for name in gauges}
        self._gauges = gauges
        self._started = monotonic()

    def look(self) -> None:
        """Read every gauge once."""
        self.seconds.append(monotonic() - self._started)
        for name, gauge in self._gauges.items():
            self.values[name].append(gauge())

    def figures(self) -> list[Figure]:
        """The median of each after warm-up, and its growth from there to the end in percent.

        Growth is by the median slope of all pairs (Theil-Sen), which peaks do not move.
        """
        return [figure for name in self.values for figure in self._of(name)]

    def _of(self, name: str) -> list[Figure]:
        first = next(i for i, at in enumerate(self.seconds) if at >= WARM_SHARE * self.seconds[-1])
        seconds, values = self.seconds[first:], self.values[name][first:]
        slope = float(theilslopes(values, seconds).slope)
        middle = median(values)
        grown = 100 * slope * (seconds[-1] - seconds[0]) / max(middle, SMALL)
        bar = f"<= {MOST_GROWTH:.0f}"
        return [
            Figure(name, middle, ""),
            Figure(f"{name}, growth", grown, "%", bar, grown <= MOST_GROWTH),
        ]


def gauges_of(name: str, pid: int) -> dict[str, Gauge]:
    """Memory of its own in MiB, open files and threads of a process."""
    process = psutil.Process(pid)
    return {
        f"{name}, MiB": lambda: process.memory_full_info().uss / MIB,
        f"{name}, open files": process.num_fds,
        f"{name}, threads": process.num_threads,
    }
