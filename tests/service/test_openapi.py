"""The OpenAPI document and the table of settings, which are made of the code."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.app import create_app
from service.settings import Settings, settings_table

Operation = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    database = f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'kvae.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return create_app(Settings(database_url=database)).openapi()


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def json_schemas(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of an operation's JSON bodies, in and out, without the problems."""
    body = operation.get("requestBody", {}).get("content", {})
    answers = (
        answer["content"]
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "content" in answer
    )
    for content in (body, *answers):
        schema = content.get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            yield document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif schema:
            yield schema


def test_the_document_is_valid_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_operations_tell_what_they_are(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(document):
        assert re.fullmatch(r"[a-z_0-9]+", operation["operationId"]), name
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name


def test_headers_of_answers_are_told(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            told = answer.get("headers", {})
            assert ("Location" in told) == (name.startswith("post") and status in ("201", "202"))
            assert ("Retry-After" in told) == (status in ("429", "503")), (name, status)
        keys = [each["name"] for each in operation["parameters"] if "dempotency" in each["name"]]
        assert keys == ["Idempotency-Key"] * len(keys)
    form = document["paths"]["/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["components"]["anyOf"][0]["maximum"] == 1024


def test_bodies_and_answers_have_examples(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for schema in json_schemas(document, operation):
            assert schema.get("examples") or schema.get("example"), (name, schema["title"])


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        given = [schema["example"]] if "example" in schema else []
        for example in schema.get("examples", given):
            whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            errors = Draft202012Validator(whole).iter_errors(example)
            assert [error.message for error in errors] == [], name


def test_keys_are_bearers(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["HTTPBearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_the_table_of_settings_is_up_to_date() -> None:
    path = Path(__file__).parents[2] / "docs" / "settings.md"
    assert path.read_text() == settings_table(), "kvae settings > docs/settings.md"
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_without_an_endpoint_nothing_of_tracing_is_imported() -> None:
    code = (
        "import sys; from service.app import create_app; from service.worker.__main__ import *; "
        "create_app(); create_worker(Settings(), bool); "
        "ours = ('opentelemetry.exporter', 'opentelemetry.instrumentation'); "
        "sys.exit(any(name.startswith(ours) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_api_that_answers_no_rare_question_is_without_scikit_learn() -> None:
    code = "import sys, service.app; sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
