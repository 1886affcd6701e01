"""`kvae` against the running service."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from client.cli.main import kvae
from tests.e2e.conftest import SHORT, Client
from tests.points import three_blobs
from tests.servers import heed_interrupts

POINTS, _ = three_blobs()
LINES = "".join(f"{x},{y}\n" for x, y in POINTS.tolist())
SET = [word for name, value in SHORT.items() for word in ("--set", f"{name}={value}")]
LONG = ["--set", "iterations=500", "--set", "epochs=100"]

Kvae = Callable[..., Result]


@pytest.fixture(scope="module")
def where(client: Client) -> dict[str, str]:
    return {"KVAE_URL": str(client.http.base_url)}


@pytest.fixture(scope="module")
def run(where: dict[str, str]) -> Kvae:
    """Runs `kvae` in this process."""

    def run(*words: str | Path, sent: str | bytes | None = None, status: int = 0) -> Result:
        done = CliRunner().invoke(kvae, [*map(str, words)], input=sent, env=where)
        assert done.exit_code == status, done.output
        return done

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def model(run: Kvae, folder: Path) -> str:
    """The id of one that is trained on `points.csv`."""
    (folder / "points.csv").write_text("x,y\n" + LINES)
    done = run("train", folder / "points.csv", "-k", "3", *SET)
    assert "iteration 2 of 2: alpha" in done.stderr
    first, titles, *rows = done.stdout.splitlines()
    assert first.endswith("  points.csv  300 points")
    assert titles.split() == ["component", "points", "alpha"]
    assert [row.split() for row in rows] == [[str(j), "100", "0.333"] for j in range(3)]
    return first.split()[0]


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "npy", "json"])
def test_assign_into_a_file(run: Kvae, model: str, folder: Path, ending: str) -> None:
    target = folder / f"assigned.{ending}"
    run("assign", folder / "points.csv", "-m", model, "-o", target)
    piped = run("assign", "-", "-m", model, "--format", ending, sent="x,y\n" + LINES)
    assert piped.stdout_bytes == target.read_bytes()
    assert not piped.stderr


def test_assign_through_pipes(model: str, where: dict[str, str]) -> None:
    words = ["assign", "-", "-m", model, "--include", "confidence"]
    command = [sys.executable, "-m", "client", *words]
    array = io.BytesIO()
    np.save(array, POINTS[:5])
    environment = {**os.environ, **where}
    for sent in (LINES.encode(), array.getvalue()):
        done = subprocess.run(command, input=sent, capture_output=True, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        found = pd.read_csv(io.BytesIO(done.stdout))
        assert list(found.columns) == ["component", "confidence"]
        assert len(found) == sent.count(b"\n") if sent == LINES.encode() else 5


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "npy", "npz", "json", "png"])
def test_sample_into_a_file(run: Kvae, model: str, folder: Path, ending: str) -> None:
    words = ["sample", "-n", "4", "--component", "1", "--seed", "1", "-m", model]
    target = folder / f"samples.{ending}"
    run(*words, "-o", target)
    assert target.stat().st_size > 0
    if ending == "json":
        assert run(*words, "--format", "json").stdout == target.read_text()
    if ending == "csv":
        assert list(pd.read_csv(target).columns) == ["x", "y"]


def test_data_sets(run: Kvae, model: str) -> None:
    text = "a,b\n" + "".join(f"{i},u\n{i},\n" for i in range(9))
    run("datasets", "upload", "-", sent=text, status=3)
    choices = ["--missing", "drop", "--categories", "onehot", "--name", "mine"]
    done = run("datasets", "upload", "-", *choices, sent=text)
    assert "warning: 9 rows with missing values were left out" in done.stderr
    dataset = done.stdout.strip()
    assert dataset in run("datasets", "list").stdout
    assert json.loads(run("datasets", "show", dataset).stdout)["rows"] == 9
    listed = run("datasets", "list", "--json", "--limit", "1").stdout
    assert json.loads(listed)["options"]["missing"] == "drop"
    run("datasets", "delete", dataset)
    gone = run("datasets", "show", dataset, status=3)
    assert gone.stderr == f"Error: there is no dataset '{dataset}' (dataset_not_found)\n"


def test_a_whole_data_set(run: Kvae, model: str, folder: Path) -> None:
    dataset = json.loads(run("models", "show", model).stdout)["provenance"]["dataset"]
    done = run("assign", dataset, "-m", model, "-o", folder / "all.csv")
    assert "Succeeded" in done.stderr
    job = json.loads(run("jobs", "list", "--type", "assign", "--json", "--limit", "1").stdout)["id"]
    run("jobs", "assignments", job, "-o", folder / "again.csv")
    assert (folder / "again.csv").read_text() == (folder / "all.csv").read_text()
    assert len(run("jobs", "assignments", job, "--component", "1").stdout.splitlines()) == 101


def test_models(run: Kvae, model: str, folder: Path) -> None:
    run("models", "alias", "favourite", model)
    assert "favourite" in run("models", "list").stdout
    assert json.loads(run("models", "show", "favourite").stdout)["id"] == model
    assert len(run("models", "components", "favourite").stdout.splitlines()) == 4
    run("models", "assignments", "favourite", "-o", folder / "stored.npy")
    assert len(np.load(folder / "stored.npy")) == 300
    refused = run("models", "delete", model, status=3)
    assert "favourite" in refused.stderr
    run("models", "unalias", "favourite")
    run("models", "show", "favourite", status=3)
    run("models", "import", folder / "points.csv", status=3)


def test_a_job_that_is_left_watched_and_cancelled(run: Kvae, model: str, folder: Path) -> None:
    job = run("train", folder / "points.csv", "-k", "3", *LONG, "--detach").stdout.strip()
    assert job in run("jobs", "list").stdout
    assert "cancel" in run("jobs", "cancel", job).stdout
    watched = run("jobs", "watch", job, status=6)
    assert watched.stderr == f"Error: job {job} was cancelled\n"
    assert "queued" in watched.stdout
    events = [
        json.loads(line)
        for line in run("jobs", "watch", job, "--json", status=6).stdout.splitlines()
    ]
    assert events[-1]["data"]["status"] == "cancelled"
    assert "queued" in run("jobs", "resume", job).stdout
    run("jobs", "cancel", job)
    assert job not in run("jobs", "list", "--status", "succeeded").stdout
    assert json.loads(run("jobs", "show", job).stdout)["config"]["iterations"] == 500


def test_a_training_that_is_interrupted_goes_on(
    run: Kvae, model: str, folder: Path, where: dict[str, str]
) -> None:
    words = ["train", str(folder / "points.csv"), "-k", "3", *LONG]
    command = [sys.executable, "-m", "client", *words]
    environment = {**os.environ, **where}
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        assert process.stderr
        assert "iteration 1 of 500" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    (line,) = (line for line in rest.splitlines() if "goes on" in line)
    assert "cancel" in run("jobs", "cancel", line.split()[0]).stdout
