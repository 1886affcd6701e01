"""The table of threats in docs/security.md names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "security.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| **", "| ---", "| threat"))
]


@pytest.mark.parametrize(("threat", "tests"), [(row[0], row[2]) for row in ROWS])
def test_each_threat_has_its_tests(threat: str, tests: str) -> None:
    named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", tests)
    assert named, threat
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
