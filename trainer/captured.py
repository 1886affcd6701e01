"""A whole training step as a CUDA graph: one launch in place of hundreds of kernels', which on
small networks take longer to launch than to run."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from trainer.adam import Adam
from trainer.whole_step import WholeStep

WARM_UP = 3  # steps that set up the libraries that are called, before they may be captured

Capture = Callable[[Callable[[], None], torch.device], Callable[[], None]]


class CapturedStep(WholeStep):
    """Points, noise and step sizes are copied to where the graph finds them: nothing waits for the
    device."""

    def __init__(
        self,
        stack: nn.Module,
        latent: int,
        optimiser: Adam,
        weights: Collection[str],
        capture: Capture | None = None,
    ) -> None:
        super().__init__(stack, latent, optimiser, weights)
        self._capture = capture or cuda_graph
        self._replay: Callable[[], None] | None = None

    def run(self, batch: Tensor, noise: Tensor, sizes: tuple[float, float]) -> Tensor:
        """`WholeStep.run`"""
        if self._replay is None:
            self._batch, self._noise = batch.clone(), noise.clone()
            self._sizes = batch.new_zeros(2)
            self._replay = self._prepared()
        self._batch.copy_(batch)
        self._noise.copy_(noise)
        for into, size in zip(self._sizes, sizes, strict=True):
            into.fill_(size)  # a number goes with the kernel, a tensor of the host would be awaited
        self._replay()
        return self._losses

    def _prepared(self) -> Callable[[], None]:
        """The captured step; what warming up has changed is put back."""
        changed = [*self.stack.state_dict().values(), *self.moments[0], *self.moments[1]]
        before = [tensor.clone() for tensor in changed]
        replay = self._capture(self._step, self._batch.device)
        with torch.no_grad():
            for tensor, value in zip(changed, before, strict=True):
                tensor.copy_(value)
        return replay

    def _step(self) -> None:
        parameters = list(self.parameters.values())
        losses: Tensor = -self.stack(self._batch, self._noise).mean(1)
        gradients = torch.autograd.grad(losses.sum(), parameters, materialize_grads=True)
        with torch.no_grad():
            decay = self.stack.get_buffer("decay")
            self.descend(parameters, gradients, self.moments, decay, self._sizes)
        self._losses = losses.detach()


def cuda_graph(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """What repeats on the device all that ``step`` does there."""
    with torch.cuda.device(device):
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    return graph.replay
