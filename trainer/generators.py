"""What competes: K generative models side by side, whatever their kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor, nn

from trainer.adam import Adam
from trainer.architecture import Architecture
from trainer.compiled import Graphs
from trainer.devices import tensor_cores
from trainer.partition import Members
from trainer.random import Draws
from trainer.scaling import ScaledPoints
from trainer.stopping import Place, StopTraining


@dataclass(frozen=True)
class Schedule:
    """How long to train: the step size of each step, whom to tell of it, and where to go on.

    ``graphs``, which the phases of a run share, lets generators that can compile or capture their
    step.
    """

    steps: int
    step_size: Callable[[int], float]
    advance: Callable[[], None] = lambda: None
    graphs: Graphs | None = None
    place: Place | None = None


Step = Callable[[Tensor, Draws], Tensor]


class Generators(nn.Module, ABC):
    """K generators, each with its own parameters along the leading axis of every tensor.

    A kind of generator trains on each component's own points and samples; that is all the
    algorithm asks of it. One that ``has_density`` also tells it, by `log_density`.
    """

    has_density = False

    def __init__(self, k: int, architecture: Architecture, rng: Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.optimisers: list[Adam] = []
        self._k = k
        self.device = rng.device

    def __len__(self) -> int:
        return self._k

    @abstractmethod
    def fit(self, x: ScaledPoints, members: Members, schedule: Schedule, draws: Draws) -> Tensor:
        """Train each generator on its members; returns the mean losses, (K,).

        Raises what the schedule raises; of StopTraining with the place, if it can go on there.
        """

    @abstractmethod
    def sample(self, n: int, draws: Draws, noise: bool = True) -> Tensor:
        """``n`` points from each component, (K, n, *shape); ``noise`` that of p(x | z)."""

    def resample(self, batch: Tensor, draws: Draws, noise: bool = True) -> Tensor:
        """As many points as in the members' batch (K, B, *shape), as the trained model will draw.

        A generator whose latent density is fitted to its points may use them to draw z.
        """
        return self.sample(batch.shape[1], draws, noise)

    def log_density(self, x: Tensor) -> Tensor:
        """log dP_gj at each point, in nats, up to a constant: (N, *shape) -> (N, K)."""
        raise NotImplementedError(f"{type(self).__name__} has no density of its own")

    def adapt(self, x: ScaledPoints, members: Members) -> None:
        """Before the first training: take the measure of each component's points, if of use."""

    def fit_latent(self, x: ScaledPoints, partition: Tensor, seed: int) -> None:
        """Fit the density that z is drawn from to the points of each component, if there is one."""

    def start_training(self) -> None:
        """Make fresh optimisers."""
        self.optimisers = []

    def select(self, components: list[int]) -> Self:
        """A stack of copies of the named components, with their optimisers' memory."""
        chosen = type(self)(len(components), self.architecture, Generator(self.device))
        chosen.load_state_dict({name: t[components] for name, t in self.state_dict().items()})
        if self.optimisers:
            chosen.start_training()
            for mine, theirs in zip(self.optimisers, chosen.optimisers, strict=True):
                theirs.memory = mine.select(components)
        return chosen.train(self.training)

    @torch.no_grad()
    def put(self, components: list[int], part: "Generators") -> None:
        """Inverse of `select`: take the named components over from another stack."""
        theirs = part.state_dict()
        for name, tensor in self.state_dict().items():
            tensor[components] = theirs[name]
        for mine, other in zip(self.optimisers, part.optimisers, strict=True):
            mine.put(components, other)

    def tensors(self) -> list[Tensor]:
        """All that `select` copies, in one order for stacks of one shape, restored ones too."""
        moments = [
            moments[name]
            for optimiser in self.optimisers
            for moments in optimiser.memory
            for name in sorted(moments)
        ]
        return [*self.state_dict().values(), *moments]

    def restart(self, sources: dict[int, int]) -> None:
        """Make each component that is a key a copy of its value, without its momentum."""
        for target, source in sources.items():
            copy = self.select([source])
            for optimiser in copy.optimisers:
                for moments in optimiser.memory:
                    moments["exp_avg"].zero_()
            self.put([target], copy)


class SteppedGenerators(Generators):
    """Generators that train by steps on batches."""

    @abstractmethod
    def step(self, batch: Tensor, draws: Draws) -> Tensor:
        """One step of the optimisers on points (K, B, *shape); returns the losses, (K,)."""

    @contextmanager
    def compiled_step(self, graphs: Graphs) -> Iterator[Step]:
        """What does the same as `step`, up to rounding, and is faster where it can be."""
        yield self.step

    def fit(self, x: ScaledPoints, members: Members, schedule: Schedule, draws: Draws) -> Tensor:
        graphs, place = schedule.graphs, schedule.place
        done, total = place[:2] if place else (0, torch.zeros(len(self), device=self.device))
        self.train()
        batches = members.batches_ahead(x, draws, schedule.steps, place)
        stepping = nullcontext(self.step) if graphs is None else self.compiled_step(graphs)
        with tensor_cores(self.device, self.architecture.is_image), stepping as step:
            for i, (batch, drawn) in enumerate(batches, done):
                for optimiser in self.optimisers:
                    optimiser.step_size = schedule.step_size(i)
                total += step(batch, draws)
                try:
                    schedule.advance()
                except StopTraining as stop:
                    stop.place = Place(i + 1, total, drawn, draws.rng.get_state())
                    raise
        self.eval()
        return total / schedule.steps
