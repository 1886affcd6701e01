"""The README's calls, run as they stand."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import Client
from tests.points import three_blobs

README = (Path(__file__).parents[2] / "README.md").read_text()


def code(language: str, containing: str) -> str:
    """The README's only block of this language with these words in it."""
    blocks = re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.S | re.M)
    (block,) = (block for block in blocks if containing in block)
    lines: list[str] = block.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line)
    return "\n".join(line[indent:] for line in lines)


def printed(script: str, client: Client, folder: Path) -> str:
    """What a shell script prints when it calls the running service."""
    script = script.replace("http://localhost:8000", str(client.http.base_url).rstrip("/"))
    script = script.replace("curl ", "curl --silent --show-error --fail-with-body ")
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(script: str, client: Client, folder: Path) -> list[dict[str, Any]]:
    """The JSON documents that a shell script prints when it calls the running service."""
    text, found, at = printed(script, client, folder), [], 0
    while at < len(text):
        document, at = json.JSONDecoder().raw_decode(text, at)
        found.append(document)
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_three_calls(client: Client, tmp_path: Path) -> None:
    job, listed = answers(code("bash", "components=4"), client, tmp_path)
    assert listed["data"][0]["id"] == job["id"]
    client.wait(job["id"])
    assigned, sampled = answers(code("bash", '"points"'), client, tmp_path)
    assert len(set(assigned["components"])) == 2
    assert sampled["components"] == [3] * 5
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    lines = printed(code("bash", "--data-binary"), client, tmp_path).splitlines()
    assert lines[0].replace('"', "") == "component,confidence,outlier_score"
    assert len(lines) == 401
    upload, assign, fetch = code("bash", "dataset=").splitlines()
    (dataset,) = answers(upload, client, tmp_path)
    (job,) = answers(assign.replace("ds_...", dataset["id"]), client, tmp_path)
    client.wait(job["id"])
    printed(fetch.replace("job_...", job["id"]), client, tmp_path)
    assert len((tmp_path / "assigned.csv").read_text().splitlines()) == 401
    (archive,) = tmp_path.glob("*.zip")
    assert zipfile.is_zipfile(archive)


def test_the_client(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("points.csv", three_blobs()[0], delimiter=",")
    script = code("python", "from client").replace(
        "components=4", 'components=4, config={"iterations": 1}, progress=False'
    )
    scope: dict[str, Any] = {}
    exec(script.replace("http://localhost:8000", str(client.http.base_url)), scope)  # noqa: S102
    scope["kvae"].close()
    assert scope["model"].components == 4
    assert len(scope["components"]) == 2
    assert scope["drawn"].points.shape == (500, 2)


def test_the_command_line(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savetxt(tmp_path / "points.csv", three_blobs()[0], delimiter=",")
    monkeypatch.setenv("KVAE_URL", str(client.http.base_url))
    script = code("bash", "kvae train").replace("kvae ", f"{sys.executable} -m client ")
    printed(script.replace("-k 4", "-k 4 --set iterations=1"), client, tmp_path)
    assert len((tmp_path / "assigned.csv").read_text().splitlines()) == 301
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_the_trainer_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("points.csv", three_blobs()[0][:60], delimiter=",")
    scope: dict[str, Any] = {}
    script = code("python", "import Mixture").replace("components=8", "components=8, iterations=1")
    exec(script, scope)  # noqa: S102
    assert scope["samples"].shape == (100, 2)
    short = 'n_components=8, options={"iterations": 1, "polish": False}'
    exec(code("python", "import KVAE").replace("n_components=8", short), scope)  # noqa: S102
    assert scope["labels"].shape == scope["densities"].shape == (60,)
    assert scope["new_points"].shape == (100, 2)


def test_the_make_targets_exist() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, re.M):
        assert f"\n{''.join(target)}:" in makefile, target
