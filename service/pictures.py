"""Points as a PNG: images as a grid, rows of numbers as a scatter plot."""

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from service.scatter import scatter
from trainer.vision import make_grid

MIN_TILE = 56  # pixels; smaller images are enlarged to at least this


def picture(points: NDArray[Any], components: NDArray[np.int64]) -> bytes:
    """(n, H, W), (n, C, H, W) or (n, D) -> PNG; rows of numbers are coloured by component."""
    return scatter(points, components) if points.ndim == 2 else grid(points)


def grid(points: NDArray[Any], columns: int | None = None) -> bytes:
    """Images side by side: (n, H, W) or (n, C, H, W) -> PNG, about square unless told otherwise."""
    images = torch.from_numpy(np.asarray(points, np.float32))
    if images.ndim == 3:
        images = images[:, None]
    low, high = images.min(), images.max()
    images = (images - low) / (high - low).clamp(min=1e-12)
    if images.shape[1] not in (1, 3):
        images = images.mean(1, keepdim=True)
    zoom = math.ceil(MIN_TILE / max(images.shape[2:]))
    images = images.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)
    columns = columns or math.ceil(math.sqrt(len(images)))
    tiles = make_grid(images, columns, pad_value=0.5)
    image = Image.fromarray((tiles * 255).byte().permute(1, 2, 0).numpy())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
