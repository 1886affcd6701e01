"""The OpenAPI document: FastAPI's own, and the bodies that routes read by themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api_schemas.common import Problem
from api_schemas.inference import AssignRequest
from api_schemas.jobs import JobCreate
from api_schemas.oip import InferRequest
from service import media

SCHEMAS = (AssignRequest, InferRequest, JobCreate, Problem)  # which FastAPI does not find by itself
REF = "#/components/schemas/{model}"
TEXT = {"type": "string"}
BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}


def body(schemas: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """``openapi_extra`` of a route that takes bodies of these media types."""
    return {
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
        }
    }


def answers(media_types: Iterable[str], *headers: str) -> dict[str, Any]:
    """The answer of a route in other types beside its JSON model, and headers that go with it."""
    schemas = {
        media_type: TEXT if media_type == media.CSV else BINARY for media_type in media_types
    }
    schemas.pop(media.JSON)
    return {
        "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
        "headers": {name: {"schema": TEXT} for name in headers},
    }


def ref(name: str) -> dict[str, str]:
    """A schema by its name."""
    return {"$ref": REF.format(model=name)}


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
        return document

    app.openapi = openapi  # type: ignore[method-assign]
