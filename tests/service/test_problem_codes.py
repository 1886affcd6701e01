"""docs/errors.md lists the codes that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from service.errors import ServiceError

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+")


def classes(base: type[ServiceError] = ServiceError) -> Iterator[str]:
    yield base.__name__
    for inner in base.__subclasses__():
        yield from classes(inner)


def codes(tree: ast.AST) -> Iterator[str]:
    """What is given as a code where an error is raised or answered."""
    errors = set(classes())
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        words = [str(word.value) for word in call.args if isinstance(word, ast.Constant)]
        match call.func:
            case ast.Name(id=name) if name in errors | {"_answer", "busy", "Turns"}:
                yield from words
            case ast.Attribute(value=ast.Name(id="NotFound"), attr="of") if words:
                yield f"{words[0]}_not_found"
        yield from (
            keyword.value.value
            for keyword in call.keywords
            if keyword.arg == "code"
            and isinstance(keyword.value, ast.Constant)
            and isinstance(keyword.value.value, str)
        )


def test_every_code_is_told_and_no_other() -> None:
    found = {
        code
        for path in (ROOT / "service").rglob("*.py")
        for code in codes(ast.parse(path.read_text()))
        if CODE.fullmatch(code)
    }
    document, _ = (ROOT / "docs" / "errors.md").read_text().split("## What a job can fail of")
    rows = [line.split("|")[1] for line in document.splitlines() if line.startswith("| `")]
    told = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert told == found | {"database_unavailable", "storage_unavailable"}
