"""`python -m trainer`"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.points import three_blobs
from trainer import Mixture, TrainingConfig, checkpoint_bytes, train
from trainer.__main__ import main
from trainer.command import CHECKPOINT


@pytest.fixture
def points_file(tmp_path: Path) -> Path:
    path = tmp_path / "points.npy"
    np.save(path, three_blobs()[0])
    return path


def test_trains_from_a_file(points_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    command = [
        sys.executable,
        "-m",
        "trainer",
        str(points_file),
        "--components",
        "3",
        "--out",
        str(out),
    ]
    done = subprocess.run([*command, "--iterations", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    assert "iteration 1 of 1" in done.stderr
    points = np.load(points_file)
    assigned = Mixture.load(out).assign(points)
    np.testing.assert_array_equal(assigned, np.load(out / "assignments.npy"))
    assert len(json.loads((out / "mixture.json").read_text())["alpha"]) == 3
    assert not (out / CHECKPOINT).exists()


def test_goes_on_from_its_checkpoint(
    points_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    out.mkdir()
    config = TrainingConfig(components=3, iterations=1)
    saved: list[bytes] = []
    train(
        np.load(points_file),
        config,
        on_iteration=lambda state, report: saved.append(checkpoint_bytes(state)),
    )
    (out / CHECKPOINT).write_bytes(saved[0])
    arguments = [str(points_file), "--components", "3", "--out", str(out)]
    assert main([*arguments, "--iterations", "2"]) == 2
    assert "of another run" in capsys.readouterr().err
    other = tmp_path / "other.npy"
    np.save(other, np.load(points_file) + 1)
    assert main([str(other), *arguments[1:], "--iterations", "1"]) == 2
    assert "of another run" in capsys.readouterr().err
    assert main([*arguments, "--iterations", "1"]) == 0
    assert capsys.readouterr().err == "going on after iteration 1\n"


@pytest.mark.parametrize(
    ("content", "components", "said"),
    [
        (None, "3", "No such file"),
        (b"hello", "3", "another kind of file"),
        (np.zeros((2, 2)), "3", "3 components need at least as many points"),
        (np.array([[1, np.nan]]), "1", "row 0, column 1: nan"),
        (np.array([[{}]]), "1", "pickled Python objects"),
        (np.zeros((2, 2)), "0", "components: Input should be greater"),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    content: object, components: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)  # type: ignore[arg-type]
    assert main([str(path), "--components", components, "--out", str(tmp_path / "model")]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_device_that_is_not_there(
    points_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(points_file), "--components", "3", "--out", str(tmp_path / "model")]
    for device in ("abacus", "cuda:99"):
        assert main([*arguments, "--device", device]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"error: '{device}' can't be used")
        assert len(message.splitlines()) == 1
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--threads", "-1"])
    assert ended.value.code == 2
