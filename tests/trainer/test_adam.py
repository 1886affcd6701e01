"""The optimiser does what torch's does, without the compiler."""

import subprocess
import sys

import torch
from torch import Tensor, nn

from trainer.adam import Adam

SHORT = """
import sys
from api_schemas.training import training_config
from tests.points import three_blobs
from trainer import train
train(three_blobs()[0], training_config(3, iterations=1, pretraining_epochs=1, epochs=1))
sys.exit("torch._dynamo" in sys.modules)
"""


def stack(seed: int = 0) -> list[nn.Parameter]:
    """Two tensors of three components each."""
    rng = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=rng)) for shape in ((3, 4, 5), (3, 1, 5))]


def loss(parameters: list[nn.Parameter]) -> Tensor:
    weight, bias = parameters
    return (weight.square() + bias).cos().sum()


def test_it_steps_as_torch_s() -> None:
    mine, theirs = stack(), stack()
    optimiser = Adam(mine)
    reference = torch.optim.Adam(theirs, betas=(0.5, 0.999), fused=True)
    for step in range(20):
        optimiser.step_size = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        optimiser.descend(loss(mine))
        reference.zero_grad()
        loss(theirs).backward()  # type: ignore[no-untyped-call]
        reference.step()
    assert all(torch.equal(p, q) for p, q in zip(mine, theirs, strict=True))


def test_what_has_no_gradient_stays() -> None:
    (weight, bias), before = (parameters := stack()), stack()[1]
    optimiser = Adam(parameters)
    optimiser.step_size = 0.1
    optimiser.descend(weight.sum())
    assert torch.equal(bias, before)
    assert [kept["step"].item() for kept in optimiser.memory] == [1, 0]


def test_a_short_training_is_without_the_compiler() -> None:
    subprocess.run([sys.executable, "-c", SHORT], check=True)
