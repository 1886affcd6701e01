"""Every code block of README and docs/, run as it stands."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client import KVAE
from tests.code_blocks import DOCUMENTS, NOT_RUN, ROOT, Block, blocks, python, shell
from tests.e2e.conftest import Client

TOUR = ROOT / "docs" / "tour.md"
BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the points of the tour, which the other pages use."""
    monkeypatch.chdir(tmp_path)
    (points,) = (block for block in blocks(TOUR) if "> points.csv" in block.text)
    shell(points, "", tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_blocks_of(document: Path, client: Client, folder: Path) -> None:
    scope: dict[str, Any] = {}
    try:
        run(document, client, folder, scope)
    finally:
        for value in scope.values():
            if isinstance(value, KVAE):
                value.close()


def run(document: Path, client: Client, folder: Path, scope: dict[str, Any]) -> None:
    """All blocks, in one folder and one Python."""
    address = str(client.http.base_url).rstrip("/")
    for block in (block for block in blocks(document) if not block.why_not_run):
        match block.language:
            case "bash":
                shell(with_ids(block, client), address, folder)
            case "python":
                code = compile(python(block, address), str(block), "exec")
                exec(code, scope)  # noqa: S102
            case "json":
                json.loads(block.text)
            case "text":
                pass
            case other:
                pytest.fail(f"{block} is of language {other!r}")
        for job in client.get("/jobs", limit=1)["data"]:
            if job["finished_at"] is None:
                client.wait(job["id"])


def with_ids(block: Block, client: Client) -> Block:
    """The newest things' ids for those that the block leaves out."""
    text = block.text
    for prefix, path in (("ds_...", "/datasets"), ("job_...", "/jobs")):
        if prefix in text:
            text = text.replace(prefix, client.get(path, limit=1)["data"][0]["id"])
    return replace(block, text=text)


def test_what_is_not_run_is_there() -> None:
    for words in NOT_RUN:
        assert any(words in block.text for block in BLOCKS), words


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for document in DOCUMENTS:
        named = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", document.read_text(), re.M)
        for target in map("".join, named):
            assert f"\n{target}:" in makefile, f"{document.name}: make {target}"
