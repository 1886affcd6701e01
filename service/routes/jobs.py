"""/jobs"""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar, get_args

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from api_schemas.common import Page
from api_schemas.jobs import Job, JobCreate, JobEvent, JobRequest
from api_schemas.training import PresetName
from service import datasets, events, jobs, media, openapi, uploads
from service.dependencies import Parts, PartsDep
from service.errors import BadRequest, UnsupportedMediaType
from service.paging import After, Limit, newest_first
from service.problems import responses
from service.tables import JobRow

router = APIRouter(prefix="/jobs", tags=["jobs"])

Body = TypeVar("Body", bound=BaseModel)

FORM_FIELDS = {
    "file": uploads.BINARY,
    "components": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]},
    "preset": {"type": "string", "enum": list(get_args(PresetName))},
    "name": {"type": "string"},
    "seed": {"type": "integer", "minimum": 0},
    "config": {"type": "string", "description": "TrainingOptions as JSON"},
}
FORM = {
    "type": "object",
    "required": ["file", "components"],
    "properties": FORM_FIELDS,
    "additionalProperties": False,
}


async def received_job(request: Request, parts: PartsDep) -> AsyncIterator[bytes | uploads.Form]:
    """The body: JSON that names a data set, or a form that brings one."""
    media_type = media.base_type(request.headers.get("content-type"))
    if media_type == media.JSON:
        yield await request.body()
    elif media_type == uploads.MULTIPART:
        async for form in uploads.receive(request, parts.storage):
            yield form
    else:
        raise UnsupportedMediaType(
            "unsupported_media_type",
            f"jobs are taken as {media.JSON} or {uploads.MULTIPART}, not {media_type or 'nothing'}",
        )


@router.post(
    "",
    status_code=202,
    responses=responses(400, 404, 413, 415, 422, 503),
    openapi_extra=openapi.body({media.JSON: openapi.ref("JobCreate"), uploads.MULTIPART: FORM}),
)
def create_job(
    parts: PartsDep,
    body: Annotated[bytes | uploads.Form, Depends(received_job)],
    response: Response,
) -> Job:
    """Train on an uploaded data set, or on the file that comes in the same request."""
    answer = _create(parts, body) if isinstance(body, bytes) else _create_from_file(parts, body)
    parts.queue.send(answer.id)
    response.headers["Location"] = f"/jobs/{answer.id}"
    return answer


@router.get("", responses=responses(422, 503))
def list_jobs(parts: PartsDep, after: After = None, limit: Limit = 20) -> Page[Job]:
    """Jobs, newest first."""
    query = select(JobRow).options(joinedload(JobRow.model))
    with parts.database.read() as session:
        return newest_first(session, query, JobRow.id, after, limit, jobs.view)


@router.get("/{job_id}", responses=responses(404, 422, 503))
def get_job(parts: PartsDep, job_id: str) -> Job:
    """One job: its status, progress, error and, once succeeded, its model."""
    with parts.database.read() as session:
        return jobs.view(jobs.get(session, job_id))


@router.post("/{job_id}/cancel", responses=responses(404, 409, 422, 503))
def cancel_job(parts: PartsDep, job_id: str) -> Job:
    """Cancel: at once when queued, within a training step when running; best effort."""
    with parts.database.write() as session:
        return jobs.view(jobs.request_cancel(session, job_id))


@router.get("/{job_id}/events", responses=responses(404, 422, 503))
def list_events(
    parts: PartsDep,
    job_id: str,
    after: Annotated[int, Query(ge=0, lt=2**63, description="id of the last event seen")] = 0,
    limit: Limit = 20,
) -> Page[JobEvent]:
    """A job's log, oldest first: status changes, and the metrics of each iteration."""
    with parts.database.read() as session:
        jobs.get(session, job_id)
        return events.page(session, job_id, after, limit)


def _create(parts: Parts, body: bytes) -> Job:
    request = _validated(JobCreate, _json(body))
    with parts.database.write() as session:
        dataset = datasets.get(session, request.dataset)
        return jobs.view(jobs.create(session, dataset, request))


def _create_from_file(parts: Parts, form: uploads.Form) -> Job:
    """Data set and job are stored together or, when either is refused, not at all."""
    request = _request_of(form.fields)
    cap = parts.settings.max_points_bytes
    with datasets.storing(parts.database, parts.storage, form.upload, request.name, cap) as stored:
        session, dataset, _ = stored
        return jobs.view(jobs.create(session, dataset, request))


def _request_of(fields: dict[str, str]) -> JobRequest:
    given: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if "config" in given:
        given["config"] = _json(given["config"], "config")
    return _validated(JobRequest, given)


def _json(text: str | bytes, *loc: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = ".".join(("body", *loc))
        raise BadRequest("malformed_json", f"{where}: not valid JSON: {error}") from error


def _validated(model: type[Body], given: Any) -> Body:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
        raise RequestValidationError(found) from error
