"""A whole training step compiled for a CPU, without the overhead of some two hundred operations
called one by one.

When it pays: with nothing cached torch took 9 to 22 s to compile the paper's MLP VAEs (up to 45 s
on a crowded machine), and a step then took 0.6 to 1.7 ms less at K 1, 5 and 15. The least saving
repays 22 s after 37,000 steps and 45 s after 75,000; runs shorter than 100,000 stay eager.
The choice follows from the run's description alone, never from a clock, because the two kinds of
step agree up to rounding only.
"""

import os
import shutil
import sysconfig
import warnings
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from sys import platform
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.fx.experimental.proxy_tensor import make_fx

from trainer.adam import Adam
from trainer.architecture import Architecture
from trainer.whole_step import WholeStep

STEPS_WORTH_COMPILING = 100_000

Graph = Callable[..., tuple[Tensor]]
Graphs = dict[tuple[int, ...], Graph]  # a run's, by the shape of a batch


def pays(architecture: Architecture, steps: int, device: torch.device, processes: int) -> bool:
    """Whether a run of so many steps of the generators is done sooner with a whole step: compiled
    or, on a GPU and within a moment, captured (`trainer.captured`)."""
    if device.type == "cuda":
        return architecture.generator == "vae"
    is_long = steps >= STEPS_WORTH_COMPILING
    return is_long and compilable(architecture) and processes == 1  # several hold stacks of 2 sizes


def compilable(architecture: Architecture) -> bool:
    """Whether compiling helps: convolutions spend their time in arithmetic, not in calls."""
    return architecture.generator == "vae" and architecture.network == "mlp"


@cache
def has_compiler() -> bool:
    """Whether this machine has the C++ compiler and Python's headers that torch compiles with."""
    compiler = os.environ.get("CXX", "clang++" if platform == "darwin" else "g++")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return shutil.which(compiler) is not None and headers.exists()


class CompiledStep(WholeStep):
    """Takes what another of its run has compiled from ``graphs``."""

    def __init__(
        self,
        stack: nn.Module,
        latent: int,
        optimiser: Adam,
        weights: Collection[str],
        graphs: Graphs,
    ) -> None:
        super().__init__(stack, latent, optimiser, weights)
        self._graphs = graphs
        self._buffers = dict(stack.named_buffers())
        # the parameters and their moments, which the graph changes in place
        self._tensors = [p.detach() for p in self.parameters.values()]
        self._tensors += [*self.moments[0], *self.moments[1]]

    def run(self, batch: Tensor, noise: Tensor, sizes: tuple[float, float]) -> Tensor:
        """`WholeStep.run`"""
        (losses,) = self._graph(batch, noise)(
            *self._tensors, *self._buffers.values(), torch.tensor(sizes), batch, noise
        )
        return losses

    def _graph(self, batch: Tensor, noise: Tensor) -> Graph:
        key = tuple(batch.shape)
        if key not in self._graphs:
            example = [*self._tensors, *self._buffers.values(), torch.ones(2), batch, noise]
            self._graphs[key] = _compile(self._whole_step(), example)
        return self._graphs[key]

    def _whole_step(self) -> Graph:
        stack, names = self.stack, list(self.parameters)
        n, decay = len(names), list(self._buffers).index("decay")

        def loss(
            parameters: list[Tensor], buffers: tuple[Tensor, ...], batch: Tensor, noise: Tensor
        ) -> tuple[Tensor, Tensor]:
            named = dict(zip([*names, *self._buffers], [*parameters, *buffers], strict=True))
            losses = -cast(Tensor, functional_call(stack, named, (batch, noise))).mean(1)
            return losses.sum(), losses

        def step(*tensors: Tensor) -> tuple[Tensor]:
            *buffers, sizes, batch, noise = tensors[3 * n :]
            parameters = list(tensors[:n])
            gradients, losses = grad(loss, has_aux=True)(parameters, tuple(buffers), batch, noise)
            moments = tensors[n : 2 * n], tensors[2 * n : 3 * n]
            self.descend(parameters, gradients, moments, buffers[decay], sizes)
            return (losses,)

        return step


def _compile(step: Graph, example: list[Tensor]) -> Graph:
    """Trace and compile for tensors of these shapes alone; the examples keep their values."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's own use of what it has deprecated
        from torch._inductor import compile as compile_graph  # takes a second; few runs need it

        traced = make_fx(step)(*[t.clone() for t in example])
        # no pool of processes, as one may outlive a killed worker; shapes are those of the key
        options: dict[str, Any] = {"compile_threads": 1, "size_asserts": False}
        return cast(Graph, compile_graph(traced, [*example], options=options))
