"""Where a run computes, and with how many threads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trainer.errors import InvalidConfig

# Below this much arithmetic a step, handing work to a second thread costs more than it saves.
FLOPS_WORTH_A_THREAD = 2e8


def choose_device(name: str | None = None) -> torch.device:
    """The named device, else CUDA when there is one, else the CPU. Raises InvalidConfig."""
    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # torchrun numbers its processes
    if name == "cuda" or (name is None and torch.cuda.is_available()):
        name = own
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device).item()  # one that holds no numbers is none
    except (RuntimeError, AssertionError) as error:
        first = str(error).partition("\n")[0].partition(". ")[0]
        raise InvalidConfig("device", f"device {name!r} can't be used: {first}") from error
    return device


def sound_threads(flops_a_step: float, processes: int = 1) -> int:
    """CPU threads of each process for steps of this size in all: one for small networks, never
    more than the cores that it may use."""
    most = min(_cores(), int(flops_a_step / FLOPS_WORTH_A_THREAD))
    return max(1, most // processes)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def most_processes(name: str | None, asked: int) -> int:
    """As many as asked for, of CUDA at most one for each device that the name stands for."""
    if name not in (None, "cuda"):
        return 1 if torch.device(name).index is not None else asked
    return min(asked, torch.cuda.device_count()) if torch.cuda.is_available() else asked


@contextmanager
def tensor_cores(device: torch.device, is_image: bool) -> Iterator[None]:
    """In the body, CUDA multiplies images' float32 matrices as TF32, as it convolves by default.

    Not those of rows, whose spread in a direction may be small: it cost up to 9 nats of 53.
    """
    if device.type != "cuda" or not is_image:
        yield
        return
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before


@contextmanager
def cpu_threads(n: int) -> Iterator[None]:
    """Run the body with ``n`` intra-op threads, then restore the former number."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
