"""Content negotiation and pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from service import media
from service.errors import NotAcceptable
from service.pictures import picture

OFFERED = [media.JSON, media.NPY, media.PNG]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, media.JSON),
        ("*/*", media.JSON),
        ("image/*", media.PNG),
        ("application/x-npy", media.NPY),
        ("application/json;q=0.5, application/x-npy", media.NPY),
        ("text/html, image/png;q=0.9, */*;q=0.1", media.PNG),
        ("application/json;q=0, */*", media.NPY),
        ("IMAGE/PNG", media.PNG),
    ],
)
def test_choose(accept: str | None, chosen: str) -> None:
    assert media.choose(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/png;q=x", ","])
def test_nothing_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        media.choose(accept, OFFERED)


@pytest.mark.parametrize(
    "shape",
    [(10, 8, 8), (10, 3, 8, 8), (1, 1, 28, 28), (5, 2, 4, 4), (9, 1), (9, 2), (9, 5), (1, 5)],
)
def test_every_kind_of_points_has_a_picture(shape: tuple[int, ...]) -> None:
    points = np.random.default_rng(0).random(shape)
    image = Image.open(io.BytesIO(picture(points, np.arange(len(points)))))
    assert image.format == "PNG"
    assert min(image.size) > 50
