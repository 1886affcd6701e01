"""Turns every error into one application/problem+json answer (RFC 9457), under /v2 its own."""

import logging
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api_schemas.common import Problem, ProblemError
from api_schemas.oip import InferError
from service import oip
from service.errors import NotFound, ServiceError, plain
from trainer.errors import InvalidPoints

MEDIA_TYPE = "application/problem+json"
CLIENT_LEFT = 499  # nginx's word for it, as HTTP has none

Body = TypeVar("Body", bound=BaseModel)

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Handle the service's own errors, validation's, the framework's and unforeseen ones.

    On the event loop: slow calls may hold all threads.
    """
    app.exception_handler(ServiceError)(_service_error)
    app.exception_handler(InvalidPoints)(_invalid_points)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(OperationalError)(_database_away)
    app.exception_handler(PoolTimeout)(_database_away)
    app.exception_handler(DataError)(_unstorable)
    app.exception_handler(ClientDisconnect)(_client_left)
    app.exception_handler(Exception)(_unforeseen)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that a route can answer with."""
    statuses = (*statuses, 408) if 413 in statuses else statuses  # a body can be slow as well
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: schema},
        }
        for status in sorted(statuses)
    }


def validated(model: type[Body], given: Any) -> Body:
    """What a route read by itself, as a model: JSON, whose numbers are numbers, or the fields of a
    form, which are text. Raises RequestValidationError."""
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given, strict=True)
        return model.model_validate(given)
    except ValidationError as error:
        found = [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
        raise RequestValidationError(found) from error


async def _service_error(request: Request, error: ServiceError) -> Response:
    errors = error.errors
    if isinstance(error, NotFound) and error.ref:
        named = [name for name, given in request.query_params.items() if given == error.ref]
        errors = [ProblemError(loc=["query", name], msg=error.detail) for name in named]
    answer = _answer(request, error.status, error.code, error.detail, errors)
    answer.headers.update(error.headers)
    return answer


async def _invalid_points(request: Request, error: Exception) -> Response:
    where = [ProblemError(loc=["body", "points"], msg=str(error))]
    return _answer(request, 422, "invalid_points", str(error), where)


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    for broken in (e for e in error.errors() if e["type"] == "json_invalid"):
        where = [part for part in broken["loc"] if isinstance(part, str)]
        msg = f"Invalid JSON: {broken['ctx']['error']}"
        detail = f"{'.'.join(where)}: {msg}"
        malformed = [ProblemError(loc=[*where], msg=msg)]
        return _answer(request, 400, "malformed_json", detail, malformed)
    errors = [ProblemError(loc=list(e["loc"]), msg=plain(e)) for e in error.errors()]
    detail = "; ".join(f"{'.'.join(map(str, e.loc))}: {e.msg}" for e in errors[:3])
    return _answer(request, 422, "invalid_input", detail, errors)


async def _http_error(request: Request, error: HTTPException) -> Response:
    if isinstance(error.__cause__, ServiceError):  # raised while the framework read the body
        return await _service_error(request, error.__cause__)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    detail = str(error.detail)
    if detail == phrase:  # the router's own words, as for a path or method that is not there
        detail = f"{request.method} {request.url.path}: {phrase.lower()}"
    answer = _answer(request, error.status_code, code, detail)
    answer.headers.update(error.headers or {})
    if error.status_code == 405 and "route" in request.scope:
        # the router tells the methods of one route, and several may have this path
        methods = request.app.openapi()["paths"].get(request.scope["route"].path, {})
        methods = {*methods, "head"} if "get" in methods else methods  # see HeadAsGet
        answer.headers["Allow"] = ", ".join(sorted(methods)).upper() or answer.headers["Allow"]
    return answer


async def _database_away(request: Request, error: Exception) -> Response:
    log.exception("the database failed", exc_info=error)
    detail = "the database can't be reached just now"
    return _answer(request, 503, "database_unavailable", detail)


async def _unstorable(request: Request, error: Exception) -> Response:
    detail = "the input holds what the database can't, such as a NUL character"
    return _answer(request, 422, "invalid_input", detail)


async def _client_left(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)  # for the log and the metrics: nobody reads it


async def _unforeseen(request: Request, error: Exception) -> Response:
    request_id = request.state.request_id
    log.exception("request %s: unforeseen error", request_id, exc_info=error)
    detail = "something went wrong here; the log has it under this request_id"
    answer = _answer(request, 500, "internal_error", detail)
    answer.headers["X-Request-ID"] = request_id  # this handler runs outside the middleware
    return answer


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: list[ProblemError] | None = None,
) -> Response:
    if oip.is_spoken_at(request.url.path):
        body = InferError(error=detail).model_dump_json()
        return Response(body, 400 if status == 422 else status, media_type="application/json")
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request.state.request_id,
        errors=errors or [],
    )
    return Response(problem.model_dump_json(), status, media_type=MEDIA_TYPE)
