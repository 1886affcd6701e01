"""Whether ONNX Runtime computes what the trainer does."""

from pathlib import Path

import numpy as np
import onnxruntime

from api_schemas.archives import ASSIGN, SAMPLER
from service.archives import load
from tests.points import Points
from trainer import Mixture


def check_onnx(folder: Path, mixture: Mixture, model: load.Model, points: Points) -> None:
    """Assigns the points, and makes the same samples of the same noise."""
    assign, sampler = (onnxruntime.InferenceSession(folder / name) for name in (ASSIGN, SAMPLER))
    components, posterior = assign.run(None, {"points": points.astype(np.float64)})
    np.testing.assert_array_equal(components, mixture.assign(points))
    np.testing.assert_allclose(posterior, mixture.posterior(points), atol=1e-5)
    for j in range(mixture.components):
        noise = {n: x.numpy() for n, x in model.noise(20, load.stream(1, "component", j)).items()}
        (made,) = sampler.run(None, {"component": np.array(j), **noise})
        np.testing.assert_allclose(made, mixture.sample(20, j, seed=1).points, atol=1e-4)
