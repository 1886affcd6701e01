"""What travels in an archive computes what the trainer does: load.py and the ONNX graphs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from service import sampling
from service.archives import load
from service.archives.export import trace
from service.batches import PointSpec
from service.encoding import Encoding
from tests.points import Points, digits, three_blobs
from tests.service.api import COLUMNS, homes
from tests.service.onnx import check_onnx
from tests.service.test_storage import full_disk
from trainer import Mixture, TrainingConfig, train

BRIEF = {"iterations": 1, "pretraining_epochs": 3, "epochs": 1, "estimator_epochs": 3}
ROWS, IMAGES = three_blobs()[0], digits()[0][:300]
CONSTANT = np.full((len(ROWS), 1), 7.3)
COLOURS = np.random.default_rng(0).random((60, 3, 9, 9), np.float32)
KINDS: dict[str, tuple[Points, dict[str, Any]]] = {
    "rows": (ROWS, {}),
    "tails": (np.hstack([np.exp(ROWS / 2), -np.exp(ROWS / 2), ROWS, CONSTANT]), {}),
    "paper": (ROWS, {"estimator": "discriminators", "latent_gaussians": 0, "sample_noise": False}),
    "densities": (ROWS, {"estimator": "generators"}),
    "gan": (ROWS, {"generator": "gan"}),
    "centroids": (ROWS, {"generator": "centroid", "estimator": "generators"}),
    "images": (IMAGES, {}),
    "bernoulli": (IMAGES, {"likelihood": "bernoulli", "estimator": "generators"}),
    "conv": (COLOURS, {"network": "conv"}),
    "conv-paper": (IMAGES, {"network": "conv", "estimator": "discriminators"}),
    "conv-densities": (IMAGES, {"network": "conv", "estimator": "generators"}),
    "conv-gan": (IMAGES, {"network": "conv", "generator": "gan"}),
}
TRACED = ["conv-paper", "bernoulli"]  # some seconds each


def trained(kind: str, folder: Path) -> tuple[Mixture, load.Model]:
    points, options = KINDS[kind]
    config = TrainingConfig(components=3, polish=False, **{**BRIEF, **options})
    mixture = train(points, config).mixture
    mixture.save(folder)
    return mixture, load.load(str(folder / "mixture.safetensors"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loader_agrees_with_the_trainer(kind: str, tmp_path: Path) -> None:
    mixture, model = trained(kind, tmp_path)
    points = KINDS[kind][0][:100]
    given = torch.from_numpy(points)
    np.testing.assert_array_equal(model.assign(given), mixture.assign(points))
    np.testing.assert_allclose(model.posterior(given), mixture.posterior(points), atol=1e-5)
    for component in (None, 2):
        made, by = model.sample(20, component, seed=3)
        expected = mixture.sample(20, component, seed=3)
        np.testing.assert_array_equal(by, expected.components)
        np.testing.assert_allclose(made, expected.points, atol=1e-4)


def test_samples_are_restored_as_the_service_does(tmp_path: Path) -> None:
    encoding = Encoding(COLUMNS)
    config = TrainingConfig(components=2, polish=False, **BRIEF)
    mixture = train(encoding.encode(homes()), config).mixture
    mixture.save(tmp_path)
    columns = [column.model_dump() for column in COLUMNS]
    (tmp_path / "model.json").write_text(json.dumps({"columns": columns}))
    made, _ = load.load(str(tmp_path / "mixture.safetensors")).sample(40, seed=1)
    spec = PointSpec(mixture.point_shape, 2, encoding)
    expected = sampling.draw(mixture, spec, 40, None, 1, 1.0).points
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_what_is_no_point_is_refused(tmp_path: Path) -> None:
    mixture, model = trained("rows", tmp_path)
    np.testing.assert_array_equal(model.assign(ROWS.tolist()), mixture.assign(ROWS))
    for points, said in ((ROWS[:, :1], "have shape"), (ROWS * np.nan, "missing or infinite")):
        with pytest.raises(ValueError, match=said):
            model.assign(points)
    with pytest.raises(IndexError):
        model.sample(1, component=-1)


def test_a_full_disk_is_told_from_a_model_that_can_not_be_traced(tmp_path: Path) -> None:
    trained("rows", tmp_path)
    with pytest.raises(OSError, match="File too large"), full_disk():
        trace(tmp_path / "mixture.safetensors", tmp_path)


@pytest.mark.parametrize("kind", TRACED)
def test_onnx_agrees_with_the_trainer(kind: str, tmp_path: Path) -> None:
    mixture, model = trained(kind, tmp_path)
    trace(tmp_path / "mixture.safetensors", tmp_path)
    check_onnx(tmp_path, mixture, model, KINDS[kind][0][:100])
