"""Starts the processes that share a run on this machine."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from torch.multiprocessing.spawn import ProcessContext, start_processes

from trainer.ranks import Seat

Work = Callable[..., None]  # of a module's top level; the first argument is a Seat


@contextmanager
def launched(count: int, work: Work, *arguments: object) -> Iterator[ProcessContext]:
    """``work(seat, *arguments)`` in fresh processes, which are killed after the block.

    Its ``join`` raises ProcessException when one ends before its end, and
    ends all others.
    """
    with TemporaryDirectory(prefix="kvae-ranks-") as folder:
        given = (count, f"file://{folder}/meeting", work, arguments)
        context: ProcessContext = start_processes(  # type: ignore[no-untyped-call]
            _begin, given, count, join=False
        )
        try:
            yield context
        finally:
            for process in context.processes:
                process.kill()
                process.join()


def _begin(index: int, count: int, meeting: str, work: Work, arguments: tuple[object, ...]) -> None:
    os.environ["LOCAL_RANK"] = str(index)  # which CUDA device
    if sys.platform == "linux":  # what they tell each other is for nobody else
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    work(Seat(index, count, meeting), *arguments)
