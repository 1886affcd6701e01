"""`make demo`, from its start to its end."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.demo import load, prepare


def test_the_demo(tmp_path: Path) -> None:
    out = tmp_path / "demo-output"
    command = [sys.executable, "-m", "examples.demo", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("iteration 8 of 8: alpha", "moved", "Assigned 297 new digits", "Look at"):
        assert said in done.stdout + done.stderr
    report = json.loads((out / "report.json").read_text())
    assert sum(report["model"]["alpha"]) == pytest.approx(1)
    assert report["agreement_with_labels"]["training_digits"]["ari"] > 0.5
    assert np.load(out / "samples.npy").shape == (1000, 8, 8)
    names = [f"component-{j}-{what}" for j in range(10) for what in ("members", "samples")]
    for name in [*names, "mixture", "overview"]:
        with Image.open(out / f"{name}.png") as image:
            assert image.format == "PNG"


def test_it_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="not a demo's"):
        prepare(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_mnist(data_folder: Path, tmp_path: Path) -> None:
    images, labels = load("mnist", tmp_path)
    assert images.shape == (60_000, 28, 28)
    assert set(labels) == set(range(10))
