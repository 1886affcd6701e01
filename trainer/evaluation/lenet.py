"""A LeNet trained on MNIST as a feature extractor for grey images."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainer.evaluation.frechet import Images

SIDE = 32  # pixels
BATCH = 500


class LeNet:
    """LeNet-5 (LeCun et al., 1998) with ReLU and max-pooling; its 84 last hidden activations.

    Distances between its features compare models with each other, not with Inception's figures.
    """

    def __init__(self, weights: Path) -> None:
        """Read an NPZ of the five layers' weights. Raises OSError, or KeyError for another NPZ."""
        with np.load(weights, allow_pickle=False) as file:
            self._layers = [
                (torch.from_numpy(file[f"{name}.weight"]), torch.from_numpy(file[f"{name}.bias"]))
                for name in ("convnet.c1", "convnet.c3", "convnet.c5", "fc.f6")
            ]

    @torch.no_grad()
    def __call__(self, images: Images) -> NDArray[np.float32]:
        """(n, H, W) or (n, 1, H, W), grey in [0, 1] -> (n, 84). Raises ValueError for colour."""
        grey = torch.from_numpy(np.asarray(images, np.float32))
        grey = grey[:, None] if grey.ndim == 3 else grey
        if grey.shape[1] != 1:
            raise ValueError(f"images must be grey, not of {grey.shape[1]} channels")
        features = [self._activations(part) for part in torch.split(grey, BATCH)]
        return torch.cat(features).numpy()

    def _activations(self, x: Tensor) -> Tensor:
        c1, c3, c5, f6 = self._layers
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear")
        x = F.max_pool2d(F.conv2d(x, *c1).relu(), 2)
        x = F.max_pool2d(F.conv2d(x, *c3).relu(), 2)
        x = F.conv2d(x, *c5).relu().flatten(1)  # (n, 120)
        return F.linear(x, *f6).relu()
