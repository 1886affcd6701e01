"""/jobs"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from api_schemas.common import Page
from api_schemas.datasets import DatasetOptions
from api_schemas.jobs import Job, JobCreate, JobRequest, JobStatus, JobType
from service import blobs, datasets, idempotency, jobs, media, models, openapi, uploads
from service.addresses import check_url
from service.dependencies import Parts, PartsDep
from service.errors import InvalidInput, UnsupportedMediaType
from service.idempotency import IdempotencyKey
from service.nested import parse_json
from service.paging import Limit, after_id, matching, newest_first
from service.problems import responses, validated
from service.routing import GuardedRoute
from service.tables import DatasetRow, JobRow

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=GuardedRoute)

After = Annotated[str | None, after_id("job")]

REQUEST_FIELDS = JobRequest.model_json_schema()["properties"]
FORM_FIELDS = {
    "file": openapi.BINARY,
    **{name: openapi.without_null(schema) for name, schema in REQUEST_FIELDS.items()},
    "config": openapi.json_text("TrainingOptions"),
    "webhook": openapi.json_text("Webhook"),
    **uploads.OPTION_FIELDS,
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
        async with uploads.receive(request, parts.storage) as form:
            yield form
    else:
        raise UnsupportedMediaType(
            "unsupported_media_type",
            f"jobs are taken as {media.JSON} or {uploads.MULTIPART}, not {media_type or 'nothing'}",
        )


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=responses(400, 404, 409, 413, 415, 422, 503),
    openapi_extra=openapi.body({media.JSON: openapi.ref("JobCreate"), uploads.MULTIPART: FORM}),
)
def create_job(
    parts: PartsDep,
    request: Request,
    body: Annotated[bytes | uploads.Form, Depends(received_job)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Train on an uploaded data set, or on the file that comes in the same request."""
    fields = body.fields if isinstance(body, uploads.Form) else ()
    attempted = idempotency.attempt(parts.database, request, idempotency_key, body)
    with uploads.located(fields), attempted as attempt:
        return attempt.earlier or _create(parts, body, attempt)


@router.get("", responses=responses(422, 503))
def list_jobs(
    parts: PartsDep,
    type: JobType | None = None,
    status: JobStatus | None = None,
    dataset: Annotated[str | None, Query(description="id of the data set")] = None,
    name: Annotated[str | None, Query(description="the whole name")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Job]:
    """Jobs, newest first: all, or those that fit what is given."""
    wanted = {
        JobRow.type: type,
        JobRow.status: status,
        JobRow.dataset_id: dataset,
        JobRow.name: name,
    }
    query = matching(select(JobRow).options(joinedload(JobRow.model)), wanted)
    with parts.database.read() as session:
        return newest_first(session, query, JobRow.id, after, limit, jobs.view)


@router.get("/{job_id}", responses=responses(404, 422, 503))
def get_job(parts: PartsDep, job_id: str) -> Job:
    """One job: its status, progress, error and, once succeeded, its model."""
    with parts.database.read() as session:
        return jobs.view(jobs.get(session, job_id))


@router.delete(
    "/{job_id}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 409, 422, 503),
)
def delete_job(parts: PartsDep, job_id: str) -> None:
    """Delete a job that has ended, with its log, checkpoints, previews, what it has assigned, and
    messages that its webhook has not taken yet.

    Its data set stays and so does its model, which still tells the job's id.
    """
    with parts.database.write() as session:
        checkpoints = jobs.remove(session, job_id)
    blobs.remove(parts.database, parts.storage, checkpoints)


@router.post("/{job_id}/cancel", response_model=Job, responses=responses(404, 409, 422, 503))
def cancel_job(
    parts: PartsDep, request: Request, job_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Cancel: at once when queued or assigning, within a step when training; best effort.

    Asked again it does nothing more, with an Idempotency-Key or without.
    """
    with idempotency.attempt(parts.database, request, idempotency_key) as attempt:
        return attempt.earlier or _cancel(parts, job_id, attempt)


@router.post(
    "/{job_id}/resume",
    status_code=202,
    response_model=Job,
    responses=responses(404, 409, 422, 503),
)
def resume_job(
    parts: PartsDep, request: Request, job_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Go on with a cancelled or failed job after its last checkpoint, to the very same model, or
    with the rows that are left to assign.

    Its checkpoints are kept for a time after it ended; later it starts anew, as its log says.
    """
    with idempotency.attempt(parts.database, request, idempotency_key) as attempt:
        return attempt.earlier or _resume(parts, job_id, attempt)


def _cancel(parts: Parts, job_id: str, attempt: idempotency.Attempt) -> Response:
    with parts.database.write() as session:
        job = jobs.request_cancel(session, job_id)
        return attempt.answer(session, 200, jobs.view(job))


def _resume(parts: Parts, job_id: str, attempt: idempotency.Attempt) -> Response:
    with parts.database.write() as session:
        job = jobs.get(session, job_id)
        if job.assigned_by:
            models.get(session, job.assigned_by, keep=True)
        datasets.hold(session, job.dataset_id)
        answer = attempt.answer(session, 202, jobs.view(jobs.resume(session, job_id)))
    parts.queue.send(job.type, job_id)
    return answer


def _create(parts: Parts, body: bytes | uploads.Form, attempt: idempotency.Attempt) -> Response:
    """A queued job; with a file its data set too or, when either is refused, neither."""
    request: JobRequest
    storing: AbstractContextManager[tuple[Session, DatasetRow]]
    if isinstance(body, bytes):
        request = validated(JobCreate, body)
        storing = _with_stored(parts, request.dataset)
    else:
        of_file = {name for name in body.fields if name in DatasetOptions.model_fields}
        given = {**body.told, **{name: body.fields[name] for name in of_file}}
        options = validated(DatasetOptions, given)
        request = _request_of({k: v for k, v in body.fields.items() if k not in of_file})
        storing = _with_file(parts, body.upload, options, request.name)
    check_ranks(request.ranks, parts.settings.max_ranks)
    if request.webhook:
        check_url(request.webhook.url, parts.settings.webhook_allow_private)
    with storing as (session, dataset):
        job = jobs.create(session, dataset, request)
        answer = attempt.answer(session, 202, jobs.view(job), f"/jobs/{job.id}")
    parts.queue.send(job.type, job.id)
    return answer


def check_ranks(ranks: int, most: int) -> None:
    """Raise InvalidInput for more processes than a worker starts."""
    if ranks > most:
        raise InvalidInput.at("body", "ranks", msg=f"at most {most} processes share a training")


@contextmanager
def _with_stored(parts: Parts, dataset_id: str) -> Iterator[tuple[Session, DatasetRow]]:
    with parts.database.write() as session:
        yield session, datasets.hold(session, dataset_id)


@contextmanager
def _with_file(
    parts: Parts, upload: datasets.Upload, options: DatasetOptions, name: str | None
) -> Iterator[tuple[Session, DatasetRow]]:
    cap = parts.settings.max_points_bytes
    with datasets.storing(parts.database, parts.storage, upload, options, name, cap) as stored:
        yield stored[:2]


def _request_of(given: dict[str, Any]) -> JobRequest:
    for nested in {"config", "webhook"} & given.keys():
        given[nested] = parse_json(given[nested], nested)
    return validated(JobRequest, given)
