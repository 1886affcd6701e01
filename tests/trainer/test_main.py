"""`python -m trainer`"""

import fcntl
import json
import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.points import three_blobs
from trainer import Mixture, TrainingState
from trainer.__main__ import main
from trainer.checkpoint import keep_checkpoint
from trainer.command import CHECKPOINT
from trainer.mixture import MODEL
from trainer.serialise import PARTIAL

FEW = ("pretraining_epochs", "epochs", "estimator_epochs")


def short() -> list[str]:
    """Options of a run that is soon over."""
    few = [word for name in FEW for word in ("--set", f"{name}=1")]
    return [*few, "--iterations", "1"]


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


def test_goes_on_from_its_own_checkpoint(
    points_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    arguments = ["--components", "3", "--out", str(out), "--iterations"]
    checkpoint = out / CHECKPOINT

    def interrupt(path: Path, state: TrainingState, run: str) -> None:
        keep_checkpoint(path, state, run)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.command.keep_checkpoint", interrupt)
        assert main([str(points_file), *arguments, "1"]) == 130
    assert checkpoint.exists()
    other = tmp_path / "other.npy"
    np.save(other, np.load(points_file)[::-1])
    for elsewhere in ([str(points_file), *arguments, "2"], [str(other), *arguments, "1"]):
        capsys.readouterr()
        assert main(elsewhere) == 2
        assert "it is of another run; remove it to train anew" in capsys.readouterr().err
    assert main([str(points_file), *arguments, "1"]) == 0
    assert capsys.readouterr().err == "going on after iteration 1\n"
    before = (out / MODEL).read_bytes()
    assert main([str(other), *arguments, "1"]) == 2
    assert f"{out} holds a model already" in capsys.readouterr().err
    assert (out / MODEL).read_bytes() == before


def test_two_runs_do_not_share_a_folder(
    points_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    out.mkdir()
    held = os.open(out, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert main([str(points_file), "--components", "3", "--out", str(out)]) == 2
    said = f"error: another run writes to {out}; choose another folder\n"
    assert capsys.readouterr().err == said
    os.close(held)
    assert not list(out.iterdir())


def test_what_a_killed_process_was_writing_is_removed(points_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    out.mkdir()
    (out / f".{CHECKPOINT}.12345{PARTIAL}").write_bytes(b"torn")
    assert main([str(points_file), "--components", "3", "--out", str(out), *short()]) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {MODEL, "mixture.json", "assignments.npy"}


def test_a_full_disk_is_named(
    points_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(file: int) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "model"
    assert main([str(points_file), "--components", "3", "--out", str(out), *short()]) == 1
    assert capsys.readouterr().err == f"error: {out / CHECKPOINT}: No space left on device\n"
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--components", "3"], "the following arguments are required: points, --out"),
        (["x.npy", "--out", "m", "--components", "three"], "'three' is neither a number nor auto"),
        (["x.npy", "--out", "m", "--components", "3", "--set", "epoch=1"], "is not NAME=VALUE"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "components", "said"),
    [
        (None, "3", "No such file"),
        (b"hello", "3", "another kind of file"),
        (np.zeros((2, 2)), "3", "3 components need at least as many points"),
        (np.array([[1, np.nan]]), "1", "row 0, column 1: nan"),
        (np.array([[{}]]), "1", "pickled Python objects"),
        (np.zeros((2, 2)), "0", "components: Input should be greater"),
        (np.zeros(4), "1", "points must have shape (N, D)"),
        (np.zeros((2, 0)), "1", "a point must have 1 to"),
        (np.array([["a", "b"]]), "1", "points must be numbers, not dtype kind 'U'"),
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


@pytest.mark.parametrize(
    "points",
    [
        np.arange(40).reshape(20, 2),
        np.column_stack([np.arange(20.0), np.ones(20)]),
        np.ones((20, 2)),
        np.arange(40.0).reshape(20, 2) * 1e30,
        np.arange(40, dtype=np.uint8).reshape(20, 2) > 20,
    ],
    ids=["integers", "a constant column", "equal points", "huge values", "booleans"],
)
def test_odd_input_gives_a_sound_model(points: NDArray[Any], tmp_path: Path) -> None:
    path, out = tmp_path / "points.npy", tmp_path / "model"
    np.save(path, points)
    command = [str(path), "--components", "2", "--out", str(out), *short()]
    assert main(command) == 0
    assigned = np.load(out / "assignments.npy")
    np.testing.assert_array_equal(Mixture.load(out).assign(points), assigned)
    assert np.isfinite(Mixture.load(out).sample(10, seed=0).points).all()


def test_a_device_that_is_not_there(
    points_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(points_file), "--components", "3", "--out", str(tmp_path / "model")]
    for device in ("abacus", "cuda:99"):
        assert main([*arguments, "--device", device]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"error: device '{device}' can't be used: ")
        assert len(message.splitlines()) == 1
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--threads", "-1"])
    assert ended.value.code == 2
