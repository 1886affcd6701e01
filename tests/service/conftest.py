"""An API with a model of each kind, that tests only read."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from api_schemas.datasets import Column
from service.encoding import Encoding
from tests.points import digits, three_blobs
from tests.service.api import COLUMNS, Served, api_server, homes, publish
from tests.trainer.test_training import short
from trainer import train

SHORT = {"iterations": 1, "polish": False}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    images = digits()[0][:60]
    numbers = [Column(name=name, type="number") for name in ("x", "y")]
    pixels = [Column(name="pixels", type="pixels", min=0, max=16)]
    whole = [pixels[0].model_copy(update={"dtype": "uint8"})]
    models = {
        "homes": (Encoding(COLUMNS).encode(homes()), COLUMNS),
        "digits": (images, pixels),
        "colours": (np.stack([images] * 3, 1), whole),
        "centroids": (three_blobs()[0], numbers),
        "blobs": (three_blobs()[0], numbers),
    }
    with (
        api_server(tmp_path_factory.mktemp("api")) as (address, database),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        kinds = {"centroids": {"generator": "centroid", "estimator": "generators"}}
        fits = {
            name: train(points, short(**SHORT, **kinds.get(name, {})))
            for name, (points, _) in models.items()
        }
        ids = {name: publish(database, fits[name], models[name][1]) for name in models}
        yield Served(http, ids, fits)
