"""The processes that share a run: one, those that torchrun started, or those of `launch`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from trainer.errors import RankLost
from trainer.generators import Generators

MEETING = "KVAE_MEETING"


@dataclass(frozen=True)
class Ranks:
    """This process among ``count``. Components and parts of the data are dealt out by index.

    What needs all processes raises RankLost once one of them has ended.
    """

    index: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.index == 0

    def own(self, k: int) -> slice:
        """The components of this process, next to each other."""
        return slice(self.index * k // self.count, (self.index + 1) * k // self.count)

    def has(self, part: int) -> bool:
        """Whether a part of the data, counted from 0, is this process's to score."""
        return part % self.count == self.index

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place; exact where all but one hold zeros."""
        if self.count > 1:
            with _together():
                distributed.all_reduce(tensor)
        return tensor

    def of_first(self, data: bytes, device: torch.device) -> bytes:
        """The bytes that the first process has; those of all others don't count."""
        if self.count == 1:
            return data
        size = int(self.add(torch.tensor(self.is_first * len(data), device=device)))
        held = torch.zeros(size, dtype=torch.uint8, device=device)
        if self.is_first and size:
            held.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        return self.add(held).cpu().numpy().tobytes()

    def share(self, generators: Generators, part: Generators) -> None:
        """Put every process's trained components into everyone's stack."""
        k = len(generators)
        for rank in range(self.count):
            own = Ranks(rank, self.count).own(k)
            components = list(range(k))[own]
            if not components:
                continue
            theirs = part if rank == self.index else generators.select(components)
            with _together():
                for tensor in theirs.tensors():
                    distributed.broadcast(tensor, src=rank)
            generators.put(components, theirs)


@dataclass(frozen=True)
class Seat:
    """A process's place in a run: its index, how many there are, and where they meet."""

    index: int = 0
    count: int = 1
    meeting: str = "env://"  # as torch.distributed takes it

    @classmethod
    def given(cls) -> "Seat | None":
        """The one that the environment tells of, as torchrun and `launch` set it."""
        given = os.environ
        if "RANK" not in given or "WORLD_SIZE" not in given:
            return None
        meeting = given.get(MEETING, cls.meeting)
        return cls(int(given["RANK"]), int(given["WORLD_SIZE"]), meeting)

    def environment(self) -> dict[str, str]:
        """What tells a process of this seat, on a machine of its own."""
        numbers = {"RANK": self.index, "LOCAL_RANK": self.index, "WORLD_SIZE": self.count}
        return {**{name: str(number) for name, number in numbers.items()}, MEETING: self.meeting}


@contextmanager
def joined_ranks(device: torch.device, seat: Seat) -> Iterator[Ranks]:
    """The processes of a run, for the length of the body. Raises RankLost."""
    if seat.count == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _together():
        distributed.init_process_group(
            backend, init_method=seat.meeting, rank=seat.index, world_size=seat.count
        )
    try:
        yield Ranks(seat.index, seat.count)
    finally:
        distributed.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except RuntimeError as error:  # gloo's has no name of its own
        raise RankLost("another process of this run has ended") from error
