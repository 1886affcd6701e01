"""The compiled step does what the eager step does."""

from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from api_schemas.training import training_config
from trainer.architecture import choose_architecture
from trainer.compiled import STEPS_WORTH_COMPILING, Graphs, has_compiler, pays
from trainer.generators import Schedule
from trainer.partition import Members
from trainer.random import Draws, random_stream
from trainer.scaling import ScaledPoints, Scaling
from trainer.stopping import StopTraining
from trainer.vae import VAEStack

K, STEPS = 3, 40
CPU = torch.device("cpu")

needs_compiler = pytest.mark.skipif(
    not has_compiler(), reason="torch compiles with a C++ compiler, and there is none here"
)


def untrained() -> VAEStack:
    """A small stack."""
    config = training_config(K, hidden=8, latent=2, batch_size=16)
    stack = VAEStack(K, choose_architecture((2,), config), random_stream(CPU, 0))
    stack.start_training()
    return stack


def trained(compiled: bool, again: int = 1) -> tuple[VAEStack, Tensor]:
    """A small stack and its mean losses, (K,), after one or more phases of training."""
    points = np.random.default_rng(0).normal(size=(300, 2))
    x = ScaledPoints(points, Scaling.fit(points), CPU)
    stack = untrained()
    members = Members(torch.arange(300) % K, K, 16)
    graphs: Graphs | None = {} if compiled else None
    for phase in range(again):
        draws = Draws(random_stream(CPU, phase), K)
        losses = stack.fit(x, members, Schedule(STEPS, lambda i: 5e-3, graphs=graphs), draws)
    return stack, losses


@needs_compiler
def test_compiled_and_eager_steps_agree() -> None:
    (eager, losses), (compiled, same) = trained(False, 2), trained(True, 2)
    torch.testing.assert_close(same, losses, atol=1e-4, rtol=1e-4)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)
    for mine, theirs in zip(eager.tensors(), compiled.tensors(), strict=True):
        assert mine.shape == theirs.shape
    (optimiser,) = compiled.optimisers
    assert {int(memory["step"]) for memory in optimiser.memory} == {2 * STEPS}


@needs_compiler
def test_a_phase_that_is_stopped_goes_on_as_if_it_had_not() -> None:
    points = np.random.default_rng(0).normal(size=(300, 2))
    x = ScaledPoints(points, Scaling.fit(points), CPU)
    members = Members(torch.arange(300) % K, K, 16)
    graphs: Graphs = {}

    def fit(stack: VAEStack, **more: Any) -> Tensor:
        schedule = Schedule(STEPS, lambda i: 5e-3, graphs=graphs, **more)
        return stack.fit(x, members, schedule, Draws(random_stream(CPU, 0), K))

    def stop() -> None:
        if next(done) == STEPS // 3:
            raise StopTraining

    whole, stopped = untrained(), untrained()
    losses, done = fit(whole), count(1)
    with pytest.raises(StopTraining) as caught:
        fit(stopped, advance=stop)
    torch.testing.assert_close(fit(stopped, place=caught.value.place), losses, atol=0, rtol=0)
    for mine, theirs in zip(stopped.tensors(), whole.tensors(), strict=True):
        assert torch.equal(mine, theirs)


def test_only_long_runs_of_small_networks_compile() -> None:
    rows = choose_architecture((2,), training_config(K))
    images = choose_architecture((1, 64, 64), training_config(K))
    assert pays(rows, STEPS_WORTH_COMPILING, CPU, 1)
    assert not pays(rows, STEPS_WORTH_COMPILING - 1, CPU, 1)
    assert not pays(rows, STEPS_WORTH_COMPILING, CPU, 2)
    assert not pays(images, STEPS_WORTH_COMPILING, CPU, 1)
    assert pays(images, 1, torch.device("cuda"), 2)


def test_batches_ahead_are_each_component_s_own_points() -> None:
    points = np.repeat(np.arange(K), 50)[:, None].astype(np.float32)
    x = ScaledPoints(points, Scaling(np.zeros(1), np.ones(1)), CPU)
    members = Members(torch.arange(K).repeat_interleave(50), K, 4)
    batches = list(members.batches_ahead(x, Draws(random_stream(CPU, 0), K), 70))
    assert len(batches) == 70
    for batch, _ in batches:
        assert torch.equal(batch[..., 0], torch.arange(K).float()[:, None].expand(K, 4))
