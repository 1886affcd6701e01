"""Several processes share a run, started by `--ranks` or by torchrun, as a user would."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from api_schemas.training import training_config
from tests.points import three_blobs
from trainer import checkpoint_bytes, restore, train
from trainer.__main__ import main
from trainer.command import CHECKPOINT, name_of_run
from trainer.launch import Processes
from trainer.mixture import MODEL
from trainer.ranks import Ranks, Seat
from trainer.vae import VAEStack

OPTIONS = ["--components", "3", "--iterations", "2", "--threads", "1"]
FEW = ["pretraining_epochs=30", "epochs=5", "estimator_epochs=10"]


def run(points: Path, out: Path, launcher: list[str], *ranks: str) -> np.ndarray:
    module = ["-m", "trainer", str(points), "--out", str(out), *OPTIONS, *ranks]
    settings = [word for option in FEW for word in ("--set", option)]
    command = [sys.executable, *launcher, *module, *settings]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    assert not (out / "checkpoint.safetensors").exists()
    return np.asarray(np.load(out / "assignments.npy"))


def test_ranks_agree_with_one_process(tmp_path: Path) -> None:
    points, labels = three_blobs()
    np.save(tmp_path / "points.npy", points)
    alone = run(tmp_path / "points.npy", tmp_path / "alone", [])
    assert adjusted_rand_score(labels, alone) == 1
    two = run(tmp_path / "points.npy", tmp_path / "two", [], "--ranks", "2")
    np.testing.assert_array_equal(two, alone)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"]
    four = run(tmp_path / "points.npy", tmp_path / "four", torchrun)
    np.testing.assert_array_equal(four, alone)


def test_only_the_first_needs_the_checkpoint(tmp_path: Path) -> None:
    """As on two machines that share no folder."""
    points, _ = three_blobs()
    np.save(tmp_path / "points.npy", points)
    few: dict[str, Any] = {name: float(value) for name, value in (o.split("=") for o in FEW)}
    saved: list[bytes] = []
    config = training_config(3, iterations=2, **few)
    name = name_of_run(points, config)
    alone = train(points, config, on_iteration=lambda s, _: saved.append(checkpoint_bytes(s, name)))
    settings = [word for option in FEW for word in ("--set", option)]
    started = []
    for rank in range(2):
        out = tmp_path / str(rank)
        out.mkdir()
        command = [sys.executable, "-m", "trainer", str(tmp_path / "points.npy")]
        command += ["--out", str(out), *OPTIONS, *settings]
        seat = Seat(rank, 2, f"file://{tmp_path / 'meeting'}").environment()
        if rank == 0:
            (out / CHECKPOINT).write_bytes(saved[0])
        started.append(subprocess.Popen(command, env={**os.environ, **seat}, stderr=PIPE))
    told = [process.communicate(timeout=300)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert told[0].startswith("going on after iteration 1")
    np.testing.assert_array_equal(np.load(tmp_path / "0" / "assignments.npy"), alone.partition)


def test_a_restored_stack_tells_its_tensors_in_the_same_order() -> None:
    saved: list[bytes] = []
    points, _ = three_blobs()
    config = training_config(3, iterations=1, pretraining_epochs=0, estimator_epochs=0)
    train(points, config, on_iteration=lambda state, _: saved.append(checkpoint_bytes(state)))
    restored = restore(saved[0], torch.device("cpu")).generators
    fresh = VAEStack(3, restored.architecture, torch.Generator())
    fresh.start_training()
    shapes = [[tensor.shape for tensor in stack.tensors()] for stack in (fresh, restored)]
    assert shapes[0] == shapes[1]


def test_what_is_wrong_is_told_once(tmp_path: Path) -> None:
    """What the first process alone sees is also the exit status."""
    np.save(tmp_path / "points.npy", three_blobs()[0])
    out = tmp_path / "out"
    out.mkdir()
    (out / MODEL).touch()
    command = [sys.executable, "-m", "trainer", str(tmp_path / "points.npy"), *OPTIONS]
    command += ["--out", str(out), "--ranks", "2"]
    done = subprocess.run(command, timeout=300, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"error: {out} holds a model already; choose another folder\n"


def test_a_killed_process_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    doomed = "import os; os.kill(os.getpid(), 9)"

    def processes(count: int, command: list[str]) -> Processes:
        return Processes(count, [sys.executable, "-c", doomed])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.__main__.Processes", processes)
        assert main(["points.npy", "--components", "3", "--out", "out", "--ranks", "2"]) == 1
    assert capfd.readouterr().err == "error: a process was killed by signal 9\n"


def test_a_seat_is_given_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert Seat.given() is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Seat.given() == Seat(1, 2)


def test_components_and_parts_are_dealt_out_once() -> None:
    for count in (1, 2, 3, 7):
        ranks = [Ranks(index, count) for index in range(count)]
        owned = [j for rank in ranks for j in range(5)[rank.own(5)]]
        assert owned == list(range(5))
        assert all(sum(rank.has(part) for rank in ranks) == 1 for part in range(20))
