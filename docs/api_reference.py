"""Hook of mkdocs: the API reference, written from the OpenAPI document when the pages are built."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from service.app import create_app
from service.settings import Settings

PAGE = "api.md"
INTRODUCTION = """# API reference

Of the OpenAPI document that a running service has at `/openapi.json`; its own page, where calls can
be tried, is at `/docs`. Errors are `application/problem+json` as [Problem](#problem) says, lists
come in pages of `limit` things, the next one `after` the `last_id` of the one before.
"""
EVERYWHERE = {"401", "403", "429"}  # of keys; told once
Schema = Mapping[str, Any]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    document = create_app(Settings(database_url="sqlite:///kvae.db")).openapi()
    files.append(File.generated(config, PAGE, content=reference(document)))
    return files


def reference(document: Schema) -> str:
    """The whole page as Markdown."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0].capitalize()
            by_tag.setdefault(tag, []).append(call(method, path, operation))
    schemas = document["components"]["schemas"]
    parts = [INTRODUCTION]
    for tag, calls in by_tag.items():
        parts += [f"## {tag}", *calls]
    parts.append("## Objects")
    parts += [described(name, schema) for name, schema in schemas.items() if "properties" in schema]
    return "\n\n".join(parts) + "\n"


def call(method: str, path: str, operation: Schema) -> str:
    """One operation: what it does, takes and answers."""
    parts = [f"### `{method.upper()} {path}`", operation.get("description", "")]
    parameters = [
        (f"`{p['name']}`", kind(p["schema"]), default(p["schema"]), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    parts.append(table(("parameter", "type", "default", "meaning"), parameters))
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        parts.append("Takes " + bodies(body) + ".")
    answers = [
        (status, bodies(answer.get("content", {})), answer["description"])
        for status, answer in sorted(operation["responses"].items())
        if status not in EVERYWHERE
    ]
    parts.append(table(("status", "body", "meaning"), answers))
    return "\n\n".join(part for part in parts if part)


def described(name: str, schema: Schema) -> str:
    """One object and its fields."""
    required = schema.get("required", [])
    fields = [
        (f"`{field}`", kind(of), default(of, field in required), of.get("description", ""))
        for field, of in schema["properties"].items()
    ]
    head = f"### {name}\n\n{schema.get('description', '')}\n"
    return f"{head}\n{table(('field', 'type', 'default', 'meaning'), fields)}"


def bodies(content: Mapping[str, Schema]) -> str:
    """Media types, with the object of those that have one."""
    return ", ".join(
        f"`{media_type}`" + (f" ({named})" if (named := object_of(body.get("schema", {}))) else "")
        for media_type, body in content.items()
    )


def object_of(schema: Schema) -> str:
    """A link to the object that a schema refers to, if it is no more than that."""
    return kind(schema) if "$ref" in schema else ""


def kind(schema: Schema) -> str:
    """The type in a word or a few."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if page_of := re.fullmatch(r"Page_(\w+)_", name):
            name = page_of[1]
            return f"list of [{name}](#{name.lower()})"
        return f"[{name}](#{name.lower()})"
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(kind, alternatives)))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    bounds = "".join(limits(schema))
    return f"{schema.get('type', 'any')}{bounds}"


def limits(schema: Schema) -> Iterator[str]:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    yield from (f" {sign} {schema[name]}" for name, sign in signs.items() if name in schema)


def default(schema: Schema, required: bool = False) -> str:
    if required:
        return "required"
    value = schema.get("default")
    return f"`{value}`" if value not in (None, [], {}) else ""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Markdown, of which no cell breaks a line; nothing without rows."""
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    cells = ([" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
