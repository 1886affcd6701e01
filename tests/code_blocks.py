"""The code blocks of README and docs/, and how they are run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS = "http://localhost:8000"
NOT_RUN = {  # words of the block: why
    "make demo": "tests/e2e/test_demo.py runs it; make test is this suite",
    "make serve": "it runs until Ctrl-C; the blocks after it call one like it",
    "kvae keys create": "tests/e2e/test_keys.py; a service with keys refuses the other blocks",
    "docker compose": "needs Docker; tests/test_deployment.py checks the files",
    "kubectl": "needs a cluster; tests/test_kubernetes.py checks the manifests",
    "pg_dump": "tests/service/test_backup.py, on servers of its own",
    "pg_restore": "tests/service/test_backup.py, on servers of its own",
}
SHORT = {
    "iterations": 1,
    "pretraining_epochs": 60,
    "estimator_epochs": 60,
    "polish": False,
    "initial_partition": "kmeans",
}
SHORTER = {  # in Python
    '"points.csv", components=4)': f'"points.csv", components=4, config={SHORT})',
    '{"iterations": 3}': str(SHORT),
    "iterations=3)": f"**{SHORT})",
    "n_components=4": f"n_components=4, options={SHORT}",
}
SETTINGS = " ".join(f"--set {name}={str(value).lower()}" for name, value in SHORT.items())
PRELUDE = f"""
python3() {{
    case "$*" in "-m trainer"*) set -- "$@" {SETTINGS} ;; esac
    {sys.executable} "$@"
}}
kvae() {{
    case "$1" in train) set -- "$@" {SETTINGS} ;; esac
    {sys.executable} -m client "$@"
}}
curl() {{
    case "$*" in *"-F components="*) set -- "$@" -F 'config={json.dumps(SHORT)}' ;; esac
    command curl --silent --show-error --fail-with-body "$@"
}}
"""


@dataclass(frozen=True)
class Block:
    """What stands between fences."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def why_not_run(self) -> str | None:
        return next((why for words, why in NOT_RUN.items() if words in self.text), None)

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> Iterator[Block]:
    """In order."""
    text = document.read_text()
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.S | re.M):
        indent, language, code = found.groups()
        lines = [line.removeprefix(indent) for line in code.splitlines()]
        line = text.count("\n", 0, found.start()) + 1
        yield Block(document, line, language, "\n".join(lines))


def shell(block: Block, address: str, folder: Path) -> str:
    """What a shell prints that runs the block, with short trainings."""
    script = PRELUDE + block.text.replace(ADDRESS, address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "KVAE_URL": address, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    for name in re.findall(r" -o (\S+)", block.text):
        assert (folder / name).stat().st_size, f"{block}: {name} is empty"
    return done.stdout


def python(block: Block, address: str) -> str:
    """The code of a block, with short trainings."""
    code = block.text.replace(ADDRESS, address)
    for longer, shorter in SHORTER.items():
        code = code.replace(longer, shorter)
    return code
