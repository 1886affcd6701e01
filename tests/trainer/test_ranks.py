"""Several processes share a run: torchrun, as a user would start it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

from tests.points import three_blobs
from trainer.ranks import Ranks

OPTIONS = ["--components", "3", "--iterations", "2", "--threads", "1"]
FEW = ["pretraining_epochs=30", "epochs=5", "estimator_epochs=10"]


def run(points: Path, out: Path, processes: int) -> np.ndarray:
    module = ["-m", "trainer", str(points), "--out", str(out), *OPTIONS]
    settings = [word for option in FEW for word in ("--set", option)]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), *module, *settings]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    return np.asarray(np.load(out / "assignments.npy"))


def test_ranks_agree_with_one_process(tmp_path: Path) -> None:
    points, labels = three_blobs()
    np.save(tmp_path / "points.npy", points)
    alone = run(tmp_path / "points.npy", tmp_path / "alone", 1)
    for processes in (2, 4):
        together = run(tmp_path / "points.npy", tmp_path / f"{processes}", processes)
        np.testing.assert_array_equal(together, alone)
        assert not (tmp_path / f"{processes}" / "checkpoint.safetensors").exists()
    assert adjusted_rand_score(labels, alone) == 1


def test_components_and_parts_are_dealt_out_once() -> None:
    for count in (1, 2, 3, 7):
        ranks = [Ranks(index, count) for index in range(count)]
        owned = [j for rank in ranks for j in range(5)[rank.own(5)]]
        assert owned == list(range(5))
        assert all(sum(rank.has(part) for rank in ranks) == 1 for part in range(20))
