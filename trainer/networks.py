"""Stacks of K independent networks that run as one.

Every parameter and buffer has a leading axis K, and so has every input and output: (K, B, ...).
One matrix product or grouped convolution then serves all K, one optimiser steps them all, and a
component is selected, copied or moved by indexing the leading axis.

Matrix products keep the points last, (K, features, B): the batch is then the long, contiguous axis
of a product whose other sides may be as short as 2, which is up to five times faster on a CPU.
"""

from itertools import pairwise
from math import prod

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

KERNEL, STRIDE, PADDING = 4, 2, 1


def _uniform(rng: Generator, fan_in: int, *shape: int) -> nn.Parameter:
    bound = fan_in**-0.5
    return nn.Parameter(
        torch.empty(shape, device=rng.device).uniform_(-bound, bound, generator=rng)
    )


class PointsLast(nn.Module):
    """Turns (K, B, ...) into (K, features, B), and that into (K, B, features) again."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mT


class StackedLinear(nn.Module):
    """K affine maps, points last: (K, inputs, B) -> (K, outputs, B)."""

    def __init__(self, k: int, inputs: int, outputs: int, rng: Generator) -> None:
        super().__init__()
        self.weight = _uniform(rng, inputs, k, outputs, inputs)
        self.bias = _uniform(rng, inputs, k, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, self.weight, x)


class StackedMLP(nn.Sequential):
    """K multilayer perceptrons with ReLU between the layers: (K, B, ...) -> (K, B, sizes[-1])."""

    def __init__(self, k: int, sizes: list[int], rng: Generator) -> None:
        layers: list[nn.Module] = [PointsLast()]
        for inputs, outputs in pairwise(sizes):
            layers += [StackedLinear(k, inputs, outputs, rng), nn.ReLU()]
        super().__init__(*layers[:-1], PointsLast())


class StackedConv2d(nn.Module):
    """K convolutions of stride 2, one group each: (K, B, C, H, W) -> (K, B, C', H // 2, W // 2)."""

    def __init__(self, k: int, inputs: int, outputs: int, rng: Generator) -> None:
        super().__init__()
        fan_in = inputs * KERNEL**2
        self.weight = _uniform(rng, fan_in, k, outputs, inputs, KERNEL, KERNEL)
        self.bias = _uniform(rng, fan_in, k, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(
            _as_groups(x),
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            STRIDE,
            PADDING,
            groups=len(x),
        )
        return _as_stack(y, len(x))


class StackedConvTranspose2d(nn.Module):
    """K transposed convolutions that undo the shapes of `StackedConv2d`, up to ``size``."""

    def __init__(
        self, k: int, inputs: int, outputs: int, size: tuple[int, int], rng: Generator
    ) -> None:
        super().__init__()
        fan_in = inputs * KERNEL**2 // STRIDE**2
        self.size = size
        self.weight = _uniform(rng, fan_in, k, inputs, outputs, KERNEL, KERNEL)
        self.bias = _uniform(rng, fan_in, k, outputs)

    def forward(self, x: Tensor) -> Tensor:
        extra = [to - STRIDE * at for to, at in zip(self.size, x.shape[-2:], strict=True)]
        y = F.conv_transpose2d(
            _as_groups(x),
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            STRIDE,
            PADDING,
            extra,
            groups=len(x),
        )
        return _as_stack(y, len(x))


class StackedBatchNorm2d(nn.Module):
    """K batch normalisations, each over its own component's batch (eps 1e-5, decay 0.9)."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, k: int, channels: int, device: torch.device) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(k, channels, device=device))
        self.bias = nn.Parameter(torch.zeros(k, channels, device=device))
        self.register_buffer("running_mean", torch.zeros(k, channels, device=device))
        self.register_buffer("running_var", torch.ones(k, channels, device=device))

    def forward(self, x: Tensor) -> Tensor:
        y = F.batch_norm(
            _as_groups(x),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.flatten(),
            self.bias.flatten(),
            self.training,
            momentum=0.1,
            eps=1e-5,
        )
        return _as_stack(y, len(x))


class StackedConvEncoder(nn.Sequential):
    """K stacks of convolutions and a linear layer: (K, B, C, H, W) -> (K, B, outputs)."""

    def __init__(
        self, k: int, shape: tuple[int, ...], filters: list[int], outputs: int, rng: Generator
    ) -> None:
        layers: list[nn.Module] = []
        sizes = _sizes(shape, filters)
        channels = [shape[0], *filters[: len(sizes) - 1]]
        for before, after in pairwise(channels):
            layers.append(StackedConv2d(k, before, after, rng))
            layers += [StackedBatchNorm2d(k, after, rng.device), nn.ReLU()]
        features = channels[-1] * prod(sizes[-1])
        layers += [PointsLast(), StackedLinear(k, features, outputs, rng), PointsLast()]
        super().__init__(*layers)


class StackedConvDecoder(nn.Sequential):
    """The mirror image of `StackedConvEncoder`: (K, B, inputs) -> (K, B, C, H, W)."""

    def __init__(
        self, k: int, inputs: int, filters: list[int], shape: tuple[int, ...], rng: Generator
    ) -> None:
        sizes = _sizes(shape, filters)[::-1]
        channels = [*filters[: len(sizes) - 1][::-1], shape[0]]
        layers: list[nn.Module] = [
            PointsLast(),
            StackedLinear(k, inputs, channels[0] * prod(sizes[0]), rng),
            PointsLast(),
            nn.Unflatten(2, (channels[0], *sizes[0])),
        ]
        for (before, after), size in zip(pairwise(channels), sizes[1:], strict=True):
            layers += [StackedBatchNorm2d(k, before, rng.device), nn.ReLU()]
            layers.append(StackedConvTranspose2d(k, before, after, size, rng))
        super().__init__(*layers)


def _sizes(shape: tuple[int, ...], filters: list[int]) -> list[tuple[int, int]]:
    """Height and width before and after each layer, as many layers as the image can be halved."""
    _, height, width = shape
    sizes = [(height, width)]
    while len(sizes) <= len(filters) and min(sizes[-1]) > 1:
        sizes.append((sizes[-1][0] // STRIDE, sizes[-1][1] // STRIDE))
    return sizes


def _as_groups(x: Tensor) -> Tensor:
    return x.transpose(0, 1).flatten(1, 2)  # (K, B, C, H, W) -> (B, K * C, H, W)


def _as_stack(x: Tensor, k: int) -> Tensor:
    return x.view(len(x), k, -1, *x.shape[2:]).transpose(
        0, 1
    )  # (B, K * C, H, W) -> (K, B, C, H, W)
