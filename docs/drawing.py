"""Small pictures on a transparent ground, for light and dark pages: dots, maps and curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from service.scatter import PALETTE

FINER = 3  # drawn so many times larger, then reduced: smooth edges
INK = "#808080"
TEXT = 15

Array = NDArray[Any]
Box = tuple[float, float, float, float]


class Panel:
    """A square or oblong whose coordinates are those of the data; y points up."""

    def __init__(self, size: tuple[int, int], bounds: Box) -> None:
        """``bounds``: x and y at the lower left, x and y at the upper right."""
        self.size, self.bounds = size, bounds
        self.image = Image.new("RGBA", (size[0] * FINER, size[1] * FINER))
        self.draw = ImageDraw.Draw(self.image)

    def places(self, points: Array) -> list[tuple[float, float]]:
        """Pixels of points (n, 2)."""
        low, high = np.reshape(self.bounds, (2, 2))
        share = (np.asarray(points) - low) / (high - low)
        share[:, 1] = 1 - share[:, 1]
        return [(x, y) for x, y in (share * self.image.size).tolist()]

    def dots(self, points: Array, colours: Sequence[str], radius: float = 1.6) -> None:
        """A dot a point, each in its own colour."""
        r = radius * FINER
        for (x, y), colour in zip(self.places(points), colours, strict=True):
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def line(self, points: Array, colour: str = INK, width: float = 1.5) -> None:
        """A line through points (n, 2)."""
        self.draw.line(self.places(points), fill=colour, width=round(width * FINER))

    def map(self, values: NDArray[np.uint8]) -> None:
        """RGBA pixels (rows from the top, columns, 4) behind all that is drawn after."""
        self.image.paste(Image.fromarray(values, "RGBA").resize(self.image.size))

    def frame(self) -> None:
        width, height = self.image.size
        self.draw.rectangle((0, 0, width - 1, height - 1), outline=INK, width=FINER)

    def text(self, at: tuple[float, float], words: str, anchor: str = "mm") -> None:
        """Words at pixels of the finished picture."""
        font = ImageFont.load_default(TEXT * FINER)
        x, y = at[0] * FINER, at[1] * FINER
        self.draw.text((x, y), words, fill=INK, font=font, anchor=anchor)


def sheet(rows: Sequence[Sequence[Panel]], titles: Sequence[str], gap: int = 10) -> Image.Image:
    """Panels of one size side by side and below each other, titles above the columns."""
    width, height = rows[0][0].size
    columns = len(rows[0])
    head = TEXT + 12
    size = (columns * (width + gap) - gap, head + len(rows) * (height + gap) - gap)
    page = Panel(size, (0, 0, 1, 1))
    for j, title in enumerate(titles):
        page.text((j * (width + gap) + width / 2, head / 2), title)
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            place = (j * (width + gap) * FINER, (head + i * (height + gap)) * FINER)
            page.image.paste(panel.image, place)
    return page.image


def write(image: Image.Image, path: Path) -> None:
    """At its final size, in few colours."""
    small = image.resize((image.width // FINER, image.height // FINER), Image.Resampling.LANCZOS)
    small.quantize(255, Image.Quantize.FASTOCTREE).save(path, optimize=True)


def colours(components: Array) -> list[str]:
    """Of components (n,)."""
    return [PALETTE[j % len(PALETTE)] for j in components.tolist()]


def rgb(colour: str) -> Array:
    return np.array(ImageColor.getrgb(colour))


def around(points: Array, margin: float = 0.06) -> Box:
    """Bounds that hold points (n, 2), with room."""
    low, high = points.min(0), points.max(0)
    room = margin * (high - low)
    (left, bottom), (right, top) = low - room, high + room
    return left, bottom, right, top
