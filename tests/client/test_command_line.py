"""`kvae`: how it fails, and what it takes without asking a service."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client.cli.main import PLUGGED, kvae
from service.examples import examples
from tests.client.scripted import CUT, Answer, scripted
from tests.servers import free_port

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
JOB = examples()["Job"]


def run(*words: str, url: str = "http://127.0.0.1:9") -> Result:
    return CliRunner().invoke(kvae, words, env={"KVAE_URL": url})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere.csv", "-k", "3"], "there is no file 'nowhere.csv'"),
        (["train", "-"], "Missing option '-k'"),
        (["train", "-", "-k", "many"], "'many' is neither a number nor auto"),
        (["train", "-", "-k", "2", "--set", "iteration=3"], "one of the names generator, network"),
        (["train", "-", "-k", "2", "--missing", "perhaps"], "'perhaps' is not one of 'refuse'"),
        (["assign", "-", "-o", "out.txt"], "out.txt: what to write is told by its ending"),
        (["sample", "-n", "0"], "0 is not in the range"),
        (["sample", "--url", "localhost"], "unlike 'localhost'"),
        (["sample", "--key", "é"], "a key has printable ASCII"),
        (["trian"], "No such command 'trian'"),
    ],
)
def test_wrong_usage(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not done.stdout


def test_what_ends_otherwise_has_a_status_of_its_own(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = run("models", "list", url=address)
    assert (done.exit_code, done.stderr) == (
        4,
        f"Error: no answer from {address}: [Errno 111] Connection refused; "
        "--url or KVAE_URL says where else\n",
    )
    with scripted(Answer("<html>")) as server:
        assert run("models", "show", url=server.address).exit_code == 4
    error = {"code": "diverged", "message": "it is not finite"}
    failed = Answer(json.dumps({**JOB, "status": "failed", "error": error, "model": None}))
    with scripted(Answer("", 204), CUT, failed) as server:
        done = run("jobs", "watch", "j", url=server.address)
    assert done.exit_code == 5
    assert done.stderr == f"Error: job {JOB['id']} failed: it is not finite (diverged)\n"
    with scripted(Answer("1,2\n")) as server:
        done = run("sample", "-o", str(tmp_path / "no" / "s.csv"), url=server.address)
    assert done.exit_code == 1
    assert done.stderr.endswith(f"{tmp_path / 'no' / 's.csv'}: No such file or directory\n")


@pytest.mark.parametrize("command", ["", "train", "assign", "sample", "datasets", "jobs", "models"])
def test_help_teaches(command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit_code == 0
    if command in ("", "train", "assign", "sample"):
        assert f"    kvae {command}" in done.stdout


def test_shells_complete_it() -> None:
    asked = {"_KVAE_COMPLETE": "bash_complete", "COMP_WORDS": "kvae tr", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "client"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True)
    assert done.stdout == "plain,train\n"


def test_the_service_adds_its_commands(tmp_path: Path) -> None:
    """By the entry points that the project declares, here of a distribution made up for them."""
    folder = tmp_path / "made_up-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1\n")
    declared = PROJECT["entry-points"][PLUGGED]
    lines = [f"[{PLUGGED}]", *(f"{name} = {value}" for name, value in declared.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "client", "--help"]
    environment = {**os.environ, "PYTHONPATH": path}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    for name in ("keys", "serve", "settings", "up", "worker", "train"):
        assert f"\n  {name} " in shown
    assert PROJECT["scripts"] == {"kvae": "client.cli.main:main"}


def test_it_needs_nothing_of_the_service() -> None:
    script = "import sys, client.cli.main; print([n for n in sys.modules if n in sys.argv])"
    command = [sys.executable, "-c", script, "service", "trainer", "torch", "pandas", "sqlalchemy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "[]\n"
