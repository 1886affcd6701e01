"""The one door to torchvision.

Its wheels are linked against CUDA builds of torch: beside a CPU-only torch the compiled operators
are missing, and `import torchvision` stops at the first one it names. Declaring those schemas
first is enough for datasets, transforms.v2 and utils; torchvision.io and ops stay unusable.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MISSING_OPERATORS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def make_grid(images: Tensor, columns: int, pad_value: float = 0.0) -> Tensor:
    """One picture of many: (n, C, H, W) in [0, 1] -> (3, height, width)."""
    grid: Tensor = torchvision_module("utils").make_grid(images, nrow=columns, pad_value=pad_value)
    return grid


def mnist(root: Path, train: bool, download: bool = False) -> tuple[Tensor, Tensor]:
    """MNIST's images (N, 28, 28) of uint8 and labels (N,). Raises RuntimeError when not there."""
    data = torchvision_module("datasets").MNIST(root, train=train, download=download)
    return data.data, data.targets


def torchvision_module(module: str) -> Any:
    """torchvision's module of that name: datasets, models, transforms.v2 or utils."""
    try:
        return import_module(f"torchvision.{module}")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in MISSING_OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", SIGNATURE)
    return import_module(f"torchvision.{module}")
