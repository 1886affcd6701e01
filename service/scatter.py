"""Rows of numbers as dots in the plane, coloured by component, over the data where it is known."""

import io
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

SIDE, MARGIN, RADIUS = 560, 28, 2.5
ZOOM = 2  # drawn larger by this and reduced, so that edges are smooth
MAX_DATA = 2_000  # points that are drawn of the data
MAX_VALUES = 1 << 22  # that they have together
VISIBLE = (0.5, 99.5)  # percentiles of the data that are in view
MAX_LABELS = 40  # components with their number on them
LABEL_SIZE = 19
GREY = "#8e969f70"
PALETTE = (  # service/pages/palette.js has it too
    *("#3f7ccc", "#d9534f", "#2e8b45", "#b07d12", "#1595ad", "#a353c4"),
    *("#7d8c1f", "#c4508d", "#6b6fe0", "#a0693f", "#1f9a84", "#7b8494"),
)

Rows = NDArray[Any]
Dots = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """From where rows are seen: two columns as they are, one beside its place in the order, more
    in the plane of their two principal components, each in units of its spread."""

    scaler: "StandardScaler"
    pca: "PCA | None"
    low: Dots
    high: Dots
    data: Dots

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """The plane that suits some rows (n, D), with at most `MAX_DATA` of them as its data."""
        from sklearn.decomposition import PCA  # a second and 150 MiB, for who wants such a picture
        from sklearn.preprocessing import StandardScaler

        wanted = max(2, min(MAX_DATA, MAX_VALUES // rows.shape[1]))
        some = np.asarray(rows[:: ceil(len(rows) / wanted)], np.float64)
        scaler = StandardScaler().fit(some)
        scaled = scaler.transform(some)
        pca = PCA(2, random_state=0).fit(scaled) if len(some) > 1 and some.shape[1] > 2 else None
        data = _flat(scaled, pca)
        low, high = np.percentile(data, VISIBLE, axis=0)
        return cls(scaler, pca, low, high, data)

    def place(self, rows: Rows) -> Dots:
        """Where rows (n, D) are in the picture, (n, 2) in pixels; some may be out of it."""
        return self._pixels(_flat(self.scaler.transform(np.asarray(rows, np.float64)), self.pca))

    def place_data(self) -> Dots:
        """Where the data are in the picture."""
        return self._pixels(self.data)

    def _pixels(self, dots: Dots) -> Dots:
        span = (self.high - self.low).max() or 1.0
        inner = SIDE - 2 * MARGIN
        centred = (dots - (self.low + self.high) / 2) / span * inner * 0.9
        return (centred * (1, -1) + SIDE / 2) * ZOOM


def scatter(rows: Rows, components: NDArray[np.int64], over: Plane | None = None) -> bytes:
    """PNG of rows (n, D), each in the colour of its component, on a transparent ground.

    Given the plane of the data they are drawn over those, else in a plane of their own.
    """
    image = Image.new("RGBA", (SIDE * ZOOM, SIDE * ZOOM))
    draw = ImageDraw.Draw(image)
    if over:
        for dot in over.place_data():
            _draw_dot(draw, dot, GREY)
    places = (over or Plane.of(rows)).place(rows)
    for dot, component in zip(places, components, strict=True):
        _draw_dot(draw, dot, PALETTE[component % len(PALETTE)])
    _label(draw, places, components)
    buffer = io.BytesIO()
    image.reduce(ZOOM).save(buffer, "PNG")
    return buffer.getvalue()


def _flat(scaled: Dots, pca: "PCA | None") -> Dots:
    """(n, D) -> (n, 2)"""
    if pca:
        plane: Dots = pca.transform(scaled)
        return plane
    if scaled.shape[1] == 1:
        return np.column_stack([np.linspace(-1, 1, len(scaled)), scaled])
    return scaled[:, :2]


def _draw_dot(draw: ImageDraw.ImageDraw, place: Dots, colour: str) -> None:
    x, y = place.tolist()
    size = RADIUS * ZOOM
    draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)


def _label(draw: ImageDraw.ImageDraw, places: Dots, components: NDArray[np.int64]) -> None:
    """Each component's number in the middle of its dots, unless there are too many."""
    found = np.unique(components)
    if len(found) > MAX_LABELS:
        return
    font = ImageFont.load_default(LABEL_SIZE * ZOOM)
    for j in found.tolist():
        x, y = np.median(places[components == j], axis=0).tolist()
        draw.text(
            (x, y),
            str(j),
            "white",
            font,
            anchor="mm",
            stroke_width=4 * ZOOM,
            stroke_fill=PALETTE[j % len(PALETTE)],
        )
