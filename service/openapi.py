"""The OpenAPI document: FastAPI's own, and the bodies that routes read by themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from api_schemas.common import Problem
from api_schemas.inference import AssignRequest
from api_schemas.jobs import JobCreate
from api_schemas.oip import InferRequest
from service import media
from service.access import BEARER
from service.examples import examples

KEY_HEADER = "Idempotency-Key"
MEDIA_TYPE_HEADERS = ("accept", "content-type")
SCHEMAS = (AssignRequest, InferRequest, JobCreate, Problem)  # which FastAPI does not find by itself
HEADERS = {
    "429": ("Retry-After", "RateLimit", "RateLimit-Policy"),
    "503": ("Retry-After",),
}  # of answers with these statuses
PAGE_KEYS = ("row", "component", "iteration", "id")  # what items are found by
REF = "#/components/schemas/{model}"
TEXT = {"type": "string"}
CSV_BODY = {"contentMediaType": media.CSV}  # without a type: whatever is sent, it is text
BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}


def body(schemas: Mapping[str, Mapping[str, object]], required: bool = True) -> dict[str, Any]:
    """``openapi_extra`` of a route that takes bodies of these media types."""
    return {
        "requestBody": {
            "required": required,
            "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
        }
    }


def headers(*names: str) -> dict[str, Any]:
    """Headers of an answer."""
    return {name: {"schema": TEXT} for name in names}


def header(name: str, description: str) -> dict[str, Any]:
    """A header that a route reads by itself, among ``openapi_extra``'s parameters."""
    return {"name": name, "in": "header", "schema": TEXT, "description": description}


def answers(media_types: Iterable[str], *named: str) -> dict[str, Any]:
    """The answer of a route in other types beside its JSON model, and headers that go with it."""
    schemas = {
        media_type: TEXT if media_type == media.CSV else BINARY for media_type in media_types
    }
    schemas.pop(media.JSON, None)
    return {
        "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
        "headers": headers(*named),
    }


def ref(name: str) -> dict[str, str]:
    """A schema by its name."""
    return {"$ref": REF.format(model=name)}


def operation_id(route: APIRoute) -> str:
    """What generated clients call the operation: the route function's name."""
    return route.name


def json_text(name: str) -> dict[str, Any]:
    """A string that holds JSON of a schema, as a form's field does."""
    schema = ref(name)
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


def install(app: FastAPI) -> None:
    """Let the application answer the whole document."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                    webhooks=app.webhooks.routes,
                )
            )
            _, bodies = models_json_schema(
                [(model, "validation") for model in SCHEMAS], ref_template=REF
            )
            document["components"]["schemas"].update(bodies["$defs"])
            document["components"]["securitySchemes"] = BEARER
            _add_examples(document["components"]["schemas"])
            _correct_parameters(document["paths"])
            _tell_headers(document["paths"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _add_examples(schemas: dict[str, dict[str, Any]]) -> None:
    shown = examples()
    for name, schema in schemas.items():
        item = name.removeprefix("Page_").removesuffix("_")
        if name in shown:
            schema["examples"] = [shown[name]]
        elif item in shown:
            last = next(str(shown[item][key]) for key in PAGE_KEYS if key in shown[item])
            page = {"object": "list", "data": [shown[item]], "first_id": last, "last_id": last}
            schema["examples"] = [{**page, "has_more": False}]


def _correct_parameters(paths: dict[str, dict[str, dict[str, Any]]]) -> None:
    """OpenAPI ignores header parameters of some names; some of its readers don't."""
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        operation["parameters"] = [
            {**parameter, "schema": without_null(parameter["schema"])}
            for parameter in operation.get("parameters", [])
            if parameter["in"] != "header" or parameter["name"].lower() not in MEDIA_TYPE_HEADERS
        ]


def _tell_headers(paths: dict[str, dict[str, dict[str, Any]]]) -> None:
    for method, operation in (each for methods in paths.values() for each in methods.items()):
        takes_key = any(each["name"] == KEY_HEADER for each in operation["parameters"])
        for status, answer in operation["responses"].items():
            names = HEADERS.get(status, ())
            if method == "post" and status in ("201", "202"):
                names = ("Location",)
            if takes_key and status.startswith("2"):
                names = (*names, "Idempotency-Replayed")
            if names:
                answer["headers"] = {**answer.get("headers", {}), **headers(*names)}


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out or has a value: null can't be sent."""
    kinds = schema.get("anyOf", [])
    if len(kinds) != 2 or kinds[1] != {"type": "null"}:
        return schema
    return {**{key: schema[key] for key in schema if key != "anyOf"}, **kinds[0]}
