"""Inception v3 as a feature extractor for images of any size."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from trainer.evaluation.frechet import Images
from trainer.vision import torchvision_module

SIDE = 299  # pixels
BATCH = 32
UNUSED = ("AuxLogits.", "fc.")


class Inception:
    """torchvision's Inception v3 (Szegedy et al., 2016); its 2,048 pooled activations.

    Published FIDs use one set of weights (Heusel et al., 2017); with others, such as
    torchvision's own, figures compare models with each other only.
    """

    def __init__(self, weights: Path) -> None:
        """Read a safetensors file of torchvision's parameter names.

        Raises OSError, SafetensorError, or RuntimeError for another network's weights.
        """
        network = torchvision_module("models").inception_v3(
            weights=None, aux_logits=False, transform_input=False, init_weights=False
        )
        network.fc = nn.Identity()
        tensors = load_file(weights)
        network.load_state_dict({n: t for n, t in tensors.items() if not n.startswith(UNUSED)})
        self._network: nn.Module = network.eval()

    @torch.no_grad()
    def __call__(self, images: Images) -> NDArray[np.float32]:
        """(n, H, W) or (n, 1 or 3, H, W) in [0, 1] -> (n, 2048)."""
        pixels = torch.from_numpy(np.asarray(images, np.float32))
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels
        parts = torch.split(pixels.expand(-1, 3, -1, -1), BATCH)
        sized = (F.interpolate(part, (SIDE, SIDE), mode="bilinear") for part in parts)
        return torch.cat([self._network(2 * part - 1) for part in sized]).numpy()
