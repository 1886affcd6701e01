"""A stack of K networks is K networks."""

import pytest
import torch
from torch import Tensor, nn

from trainer.networks import StackedBatchNorm2d, StackedConvDecoder, StackedConvEncoder, StackedMLP

K, BATCH = 3, 5
SHAPES = [(1, 28, 28), (3, 17, 20), (1, 8, 8), (2, 1, 4)]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def mlp() -> StackedMLP:
    return StackedMLP(K, [4, 6, 2], rng())


def convolutions(shape: tuple[int, ...]) -> StackedConvEncoder:
    return StackedConvEncoder(K, shape, [8, 16, 32, 64], 7, rng())


def test_mlp_is_k_separate_networks() -> None:
    stack = mlp()
    x = torch.randn(K, BATCH, 4)
    weights = dict(stack.named_parameters())
    for j in range(K):
        hidden = torch.relu(x[j] @ weights["1.weight"][j].T + weights["1.bias"][j].T)
        alone = hidden @ weights["3.weight"][j].T + weights["3.bias"][j].T
        torch.testing.assert_close(stack(x)[j], alone)


@pytest.mark.parametrize("shape", SHAPES)
def test_convolutions_keep_components_apart(shape: tuple[int, ...]) -> None:
    stack = convolutions(shape).eval()
    x = torch.randn(K, BATCH, *shape)
    before = stack(x)
    x[1] += 1
    after = stack(x)
    assert before.shape == (K, BATCH, 7)
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert not torch.allclose(after[1], before[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_decoder_mirrors_the_encoder(shape: tuple[int, ...]) -> None:
    decoder = StackedConvDecoder(K, 7, [8, 16, 32, 64], shape, rng())
    assert decoder(torch.randn(K, BATCH, 7)).shape == (K, BATCH, *shape)


@pytest.mark.parametrize("net", [mlp(), convolutions((1, 28, 28))])
def test_gradient_reaches_every_parameter(net: nn.Module) -> None:
    shape = (4,) if isinstance(net, StackedMLP) else (1, 28, 28)
    out: Tensor = net(torch.randn(K, BATCH, *shape))
    out.square().sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert all(part.isfinite().all() for part in parameter.grad), name


def test_batch_norm_is_the_papers() -> None:
    stack, single = StackedBatchNorm2d(1, 3, torch.device("cpu")), nn.BatchNorm2d(3)
    assert (single.eps, single.momentum) == (1e-5, 0.1)  # decay 0.9
    x = torch.randn(BATCH, 3, 4, 4)
    for _ in range(2):  # as it trains, then as it is used
        torch.testing.assert_close(stack(x[None])[0], single(x))
        stack.eval()
        single.eval()


def test_batch_norm_statistics_are_a_components_own() -> None:
    stack = convolutions((1, 8, 8)).train()
    x = torch.randn(K, 64, 1, 8, 8)
    x[2] = 0
    stack(x)
    variances = dict(stack.named_buffers())["1.running_var"]
    assert variances[2].max() < variances[0].min()
