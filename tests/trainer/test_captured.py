"""The captured step does what the eager step does. Only `cuda_graph` itself needs a GPU: here a
repetition stands for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from api_schemas.training import TrainingConfig, training_config
from trainer.architecture import Architecture, choose_architecture
from trainer.captured import WARM_UP, CapturedStep
from trainer.compiled import Graphs
from trainer.devices import tensor_cores
from trainer.generators import Schedule, Step
from trainer.partition import Members
from trainer.points import Points, inner_shape
from trainer.random import Draws, random_stream
from trainer.scaling import ScaledPoints, Scaling
from trainer.vae import VAEStack

K, STEPS = 3, 20
CPU = torch.device("cpu")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def repeated(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """As `cuda_graph`, without a graph."""
    for _ in range(WARM_UP):
        step()
    return step


class Captured(VAEStack):
    """Trains by captured steps wherever it is."""

    @contextmanager
    def compiled_step(self, graphs: Graphs) -> Iterator[Step]:
        a, weights = self.architecture, self._weights().keys()
        whole = CapturedStep(self, a.latent, self.optimisers[0], weights, repeated)
        yield whole
        whole.finish()


def trained(
    kind: type[VAEStack], points: Points, a: Architecture, device: torch.device, whole: bool
) -> tuple[VAEStack, Tensor]:
    """A stack and its mean losses, (K,), after two phases of training."""
    x = ScaledPoints(points, Scaling.fit(points), device)
    stack = kind(K, a, random_stream(device, 0))
    stack.start_training()
    members = Members(torch.arange(len(points), device=device) % K, K, 8)
    graphs: Graphs | None = {} if whole else None
    for phase in range(2):
        draws = Draws(random_stream(device, phase), K)
        schedule = Schedule(STEPS, lambda i: 5e-3 / (1 + i), graphs=graphs)
        losses = stack.fit(x, members, schedule, draws)
    return stack, losses


def check(points: Points, device: torch.device, kind: type[VAEStack], network: str) -> None:
    config = TrainingConfig.model_validate(
        {"components": K, "hidden": 8, "latent": 2, "network": network}
    )
    a = choose_architecture(inner_shape(points.shape[1:]), config)
    eager, losses = trained(VAEStack, points, a, device, whole=False)
    captured, same = trained(kind, points, a, device, whole=True)
    torch.testing.assert_close(same, losses, atol=1e-4, rtol=1e-4)
    x = Scaling.fit(points).apply(points, device)  # biases before a normalisation are anything
    torch.testing.assert_close(captured.log_density(x), eager.log_density(x), atol=0.01, rtol=1e-3)
    (optimiser,) = captured.optimisers
    assert {int(memory["step"]) for memory in optimiser.memory} == {2 * STEPS}


ROWS = np.random.default_rng(0).normal(size=(60, 2))
IMAGES = np.random.default_rng(0).random((60, 16, 16))


KINDS = pytest.mark.parametrize(
    ("points", "network"),
    [(ROWS, "mlp"), (IMAGES, "mlp"), (IMAGES, "conv")],
    ids=["rows", "small images", "images"],
)


@KINDS
def test_captured_and_eager_steps_agree(points: Points, network: str) -> None:
    check(points, CPU, Captured, network)


@needs_gpu
@KINDS
def test_on_a_gpu_too(points: Points, network: str) -> None:
    check(points, torch.device("cuda"), VAEStack, network)


@needs_gpu
def test_no_step_waits_for_the_device() -> None:
    a = choose_architecture((2,), training_config(K))
    device = torch.device("cuda")
    x = ScaledPoints(ROWS, Scaling.fit(ROWS), device)
    stack = VAEStack(K, a, random_stream(device, 0))
    stack.start_training()
    members = Members(torch.arange(len(ROWS), device=device) % K, K, 8)

    def advance() -> None:  # from the first step on, which captures
        torch.cuda.set_sync_debug_mode("error")

    try:
        schedule = Schedule(STEPS, lambda i: 5e-3, advance, graphs={})
        stack.fit(x, members, schedule, Draws(random_stream(device, 0), K))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_tensor_cores_are_used_for_the_body_alone() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    with tensor_cores(torch.device("cuda"), is_image=True):
        assert matmul.fp32_precision == "tf32"
    assert matmul.fp32_precision == before
    with tensor_cores(torch.device("cuda"), is_image=False):
        assert matmul.fp32_precision == before
