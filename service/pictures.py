"""Points as a PNG: images as a grid, rows of numbers as a scatter plot."""

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.decomposition import PCA

from trainer.vision import make_grid

MIN_TILE = 56  # pixels; smaller images are enlarged to at least this
SIDE, MARGIN, RADIUS = 480, 24, 2
PALETTE = (  # service/pages/palette.js has it too
    *("#3f7ccc", "#d9534f", "#2e8b45", "#b07d12", "#1595ad", "#a353c4"),
    *("#7d8c1f", "#c4508d", "#6b6fe0", "#a0693f", "#1f9a84", "#7b8494"),
)


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
    return _png(Image.fromarray((tiles * 255).byte().permute(1, 2, 0).numpy()))


def scatter(points: NDArray[Any], components: NDArray[np.int64]) -> bytes:
    """Rows as dots in the plane, coloured by component: (n, D) -> PNG."""
    plane = _project(np.asarray(points, np.float64))
    low, span = plane.min(0), np.ptp(plane, axis=0).max() or 1.0
    places = MARGIN + (plane - low) / span * (SIDE - 2 * MARGIN)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    for (x, y), component in zip(places.tolist(), components.tolist(), strict=True):
        circle = (x - RADIUS, SIDE - y - RADIUS, x + RADIUS, SIDE - y + RADIUS)
        draw.ellipse(circle, fill=PALETTE[component % len(PALETTE)])
    return _png(image)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _project(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two columns as they are, one beside its row number, more as two principal components."""
    n, columns = points.shape
    if columns == 1:
        return np.column_stack([np.linspace(points.min(), points.max(), n), points])
    if columns == 2 or n == 1:
        return points[:, :2]
    plane: NDArray[np.float64] = PCA(2, random_state=0).fit_transform(points)
    return plane
