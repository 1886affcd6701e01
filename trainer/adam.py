"""The optimiser of all networks."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

Memory = list[dict[str, Tensor]]  # of each parameter, under torch's names


class Adam:
    """The paper's Adam (Kingma & Ba, 2015, with beta1 0.5) over a whole stack; its step size is
    set at each step.

    The arithmetic is torch's. Its class of optimisers imports the compiler, a second in each
    process, which most do without. The memory is there from the start, so that stacks of one shape
    hold equal lists of tensors.
    """

    betas, eps = (0.5, 0.999), 1e-8

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.step_size = 0.0
        self.memory: Memory = [
            {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in self.parameters
        ]

    def descend(self, loss: Tensor) -> None:
        """One step down the gradient of a scalar."""
        self.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step of the parameters that have a gradient."""
        beta1, beta2 = self.betas
        parameters: list[Tensor] = []
        gradients, memory = [], []
        for parameter, kept in zip(self.parameters, self.memory, strict=True):
            if parameter.grad is not None:
                gradients.append(parameter.grad)
                parameters.append(parameter)
                memory.append(kept)
        adam(
            parameters,
            gradients,
            [kept["exp_avg"] for kept in memory],
            [kept["exp_avg_sq"] for kept in memory],
            [],
            [kept["step"] for kept in memory],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=self.step_size,
            weight_decay=0.0,
            eps=self.eps,
            maximize=False,
        )

    def select(self, components: list[int]) -> Memory:
        """A copy of the memory of these components."""
        return [
            {name: t[components] if t.dim() else t.clone() for name, t in kept.items()}
            for kept in self.memory
        ]

    def put(self, components: list[int], part: "Adam") -> None:
        """Inverse of `select`."""
        for mine, theirs in zip(self.memory, part.memory, strict=True):
            for name, tensor in theirs.items():
                mine[name][components if tensor.dim() else ...] = tensor
