"""Pixels of another scale than those trained on."""

import pytest

from api_schemas.datasets import Column
from service import pixels
from trainer.errors import InvalidPoints


@pytest.mark.parametrize(("low", "high"), [(-5, 9), (0, 256)])
def test_pixels_that_no_byte_holds(low: float, high: float) -> None:
    trained = Column(name="pixels", type="pixels", dtype="uint8", min=0, max=254)
    pixels.check_range(trained, 0, 255, False)
    with pytest.raises(InvalidPoints, match="the model was trained on pixels from 0 to 254"):
        pixels.check_range(trained, low, high, False)
