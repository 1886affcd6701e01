"""The processes that share a run: one, or those that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from trainer.generators import Generators


@dataclass(frozen=True)
class Ranks:
    """This process among ``count``. Components and parts of the data are dealt out by index."""

    index: int = 0
    count: int = 1

    def own(self, k: int) -> slice:
        """The components of this process, next to each other."""
        return slice(self.index * k // self.count, (self.index + 1) * k // self.count)

    def has(self, part: int) -> bool:
        """Whether a part of the data, counted from 0, is this process's to score."""
        return part % self.count == self.index

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place; exact where all but one hold zeros."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            distributed.barrier()

    def share(self, generators: Generators, part: Generators) -> None:
        """Put every process's trained components into everyone's stack."""
        k = len(generators)
        for rank in range(self.count):
            own = Ranks(rank, self.count).own(k)
            components = list(range(k))[own]
            if not components:
                continue
            theirs = part if rank == self.index else generators.select(components)
            for tensor in theirs.tensors():
                distributed.broadcast(tensor, src=rank)
            generators.put(components, theirs)


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """The processes that torchrun started with this one, for the length of the body."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
