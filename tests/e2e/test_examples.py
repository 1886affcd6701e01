"""The examples, with short trainings."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.code_blocks import SHORT
from tests.e2e.conftest import Client

SAYS = {
    "images": ("What each component makes up", "digits.png"),
    "table": ("life expectancy", "Least likely"),
    "embeddings": ("What SciPy can do", "stats"),
    "cells": ("marker genes", "adjusted Rand index"),
}


@pytest.mark.parametrize("name", SAYS)
def test_an_example(
    name: str,
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    import_module(f"examples.{name}").main(str(client.http.base_url), **SHORT)
    told = capsys.readouterr().out
    for words in SAYS[name]:
        assert words in told
