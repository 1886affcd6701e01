"""/assign"""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api_schemas.datasets import FileOptions
from api_schemas.inference import Assignment, AssignQuery
from api_schemas.jobs import Job
from service import (
    answers,
    assign_jobs,
    assigning,
    datasets,
    idempotency,
    jobs,
    media,
    models,
    openapi,
    uploads,
)
from service.batches import Batch, Conversion, PointSpec, open_batch
from service.dependencies import Parts, parts_of
from service.errors import InvalidInput
from service.inference import Open
from service.problems import responses, validated
from service.routing import GuardedRoute
from trainer.errors import InvalidPoints

router = APIRouter(tags=["inference"], route_class=GuardedRoute)

SMALL_BODY = 1 << 14  # of points that are computed with those of other requests
NAMED, NAMED_BYTES = 20, 2048  # ignored columns, as many as a header names

ASSIGN_TYPES = (media.JSON, media.NPY, media.NPZ, media.CSV, media.PARQUET, media.ARROW)
PLAIN = AssignQuery()
JOB_KEY = f"with dataset= alone: {idempotency.DESCRIPTION}"
KEPT_FIELDS = ("confidence", "outlier_score")  # of a data set that is assigned as a job
BODIES: Mapping[str, Mapping[str, object]] = {
    media.JSON: openapi.ref("AssignRequest"),
    uploads.MULTIPART: uploads.FILE_FORM,
    media.CSV: openapi.CSV_BODY,
    media.NPY: openapi.BINARY,
    media.NPZ: openapi.BINARY,
    media.PARQUET: openapi.BINARY,
    media.ARROW: openapi.BINARY,
    media.PNG: openapi.BINARY,
    media.JPEG: openapi.BINARY,
    media.ZIP: openapi.BINARY,
    media.OCTETS: openapi.BINARY,
}


@router.post(
    "/assign",
    response_model=Assignment,
    responses={
        200: openapi.answers(ASSIGN_TYPES, "Kvae-Model", "Kvae-Ignored-Columns"),
        202: {"model": Job, "description": "The job that assigns a stored data set"},
        **responses(400, 404, 406, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra={
        **openapi.body(BODIES, required=False),
        "parameters": [openapi.header(openapi.KEY_HEADER, JOB_KEY)],
    },
)
async def assign(request: Request, query: Annotated[AssignQuery, Query()] = PLAIN) -> Response:
    """Give each point to the component of highest estimated density, in the order of the points.

    A table's columns are matched by name, in any order, wherever it names them: as JSON records,
    Parquet, an Arrow stream or CSV with a header line; others than the model's are ignored, and
    Kvae-Ignored-Columns names them. JSON lists and CSV without a header have the model's columns
    in their order. NPY and NPZ, whose array `points` or only array it is, hold numbers alone: of a
    model with categories, their 0/1 columns. Images are NPY, NPZ, JSON, one PNG or JPEG, or a ZIP
    archive of them, with pixels from 0 to 255. Each may also be `file` of a form. `array`,
    `header`, `delimiter`, `decimal` and `encoding` tell how to read a file, as for an upload.

    As CSV, Parquet and Arrow stream a row has `component` and what is asked for by `include`,
    (N, K) fields as `posterior_0`, `posterior_1`, ...; as NPZ the arrays are `components` and what
    is asked for, as NPY the components alone.

    With `dataset` there is no body, and the answer is a job, which workers share. Once it has
    succeeded `/jobs/{job_id}/assignments` has components and confidence, and the outlier score if
    it is asked for. Its columns are matched by name as well, those of arrays by place.
    """
    # few parameters: each one declared costs more time than assigning a point does
    parts = await parts_of(request)
    if query.dataset is not None:
        _check_alone(query)
        await _refuse_body(request)
        return await run_in_threadpool(_assign_stored, request, parts, query.dataset, query)
    if query.include and query.format == "npy":
        msg = "NPY holds the components alone; leave include out, or ask for another format"
        raise InvalidInput.at("query", "include", msg=msg)
    offered = [kind for kind in ASSIGN_TYPES if not (query.include and kind == media.NPY)]
    media_type = media.choose(request.headers.get("accept"), offered, query.format)
    if told := uploads.encoding_told(request.headers.get("content-type")):
        query = validated(AssignQuery, told | query.model_dump(exclude_unset=True))
    cap = parts.settings.max_points_bytes
    async with uploads.receive_body(request, parts.storage) as (body, content_type):

        def open_points(spec: PointSpec) -> Batch:
            return open_batch(body, content_type, spec, query, cap)

        with uploads.located():
            if isinstance(body, bytes) and len(body) <= SMALL_BODY and not query.include:
                found = await parts.inference.assign(parts.database, query.model, open_points)
                pieces = [{"components": found.components}]
                return _assigned(parts, media_type, found.model_id, found.ignored, pieces)
            return await run_in_threadpool(_assign, parts, query, open_points, media_type)


def _assign(parts: Parts, query: AssignQuery, open_points: Open, media_type: str) -> Response:
    """Any number of points, a piece at a time."""
    with parts.database.read() as session:
        model_id = models.current_id(session, query.model)
    mixture, spec = parts.inference.cache.get(model_id)
    assigning.check_fields(mixture, query.include)
    batch = open_points(spec)
    found = assigning.assigned(parts.inference, mixture, batch, query.include)
    return _assigned(parts, media_type, model_id, batch.ignored, found)


def _check_alone(query: AssignQuery) -> None:
    """Raise InvalidInput for what tells of a body, or of its answer, where there is none."""
    for name in (*FileOptions.model_fields, "format"):
        if name in query.model_fields_set:
            raise InvalidInput.at(
                "query", name, msg="a stored data set is read and answered as it is"
            )


async def _refuse_body(request: Request) -> None:
    async for part in request.stream():
        if part:
            msg = "there is one, and dataset= as well; leave either out"
            raise InvalidInput.at("body", msg=msg)


def _assign_stored(request: Request, parts: Parts, dataset_id: str, query: AssignQuery) -> Response:
    key = idempotency.given_key(request)
    with idempotency.attempt(parts.database, request, key) as attempt:
        return attempt.earlier or _create_job(parts, dataset_id, query, attempt)


def _create_job(
    parts: Parts, dataset_id: str, query: AssignQuery, attempt: idempotency.Attempt
) -> Response:
    """A queued job that assigns a data set, or what can be said at once against it."""
    fields = query.include
    for field in fields:
        if field not in KEPT_FIELDS:
            msg = f"{field} of a stored data set is not kept; send the points themselves to /assign"
            raise InvalidInput.at("query", "include", msg=msg, code="not_kept")
    with parts.database.read() as session:
        model_id = models.current_id(session, query.model)
    if "outlier_score" in fields:
        assigning.check_fields(parts.inference.cache.get(model_id).mixture, fields)
    with parts.database.write() as session:
        model = models.get(session, model_id, keep=True)
        dataset = datasets.hold(session, dataset_id)
        try:
            Conversion.between(dataset, PointSpec.of(model))
        except InvalidPoints as error:
            raise InvalidInput.at(
                "query", "dataset", msg=str(error), code="invalid_points"
            ) from error
        job = assign_jobs.create(session, dataset, model, fields)
        answer = attempt.answer(session, 202, jobs.view(job), f"/jobs/{job.id}")
    parts.queue.send(job.type, job.id)
    return answer


def _assigned(
    parts: Parts,
    media_type: str,
    model_id: str,
    ignored: list[str],
    pieces: Iterable[assigning.Assigned],
) -> Response:
    pieces = _counted(parts, pieces)
    headers = {"Kvae-Model": model_id}
    if ignored:
        headers["Kvae-Ignored-Columns"] = _named(ignored)
    if media_type == media.JSON:
        return answers.as_json(_assignment(model_id, pieces), headers)

    def write(file: IO[bytes]) -> None:
        if media_type == media.NPY:
            answers.write_npy(file, (piece["components"] for piece in pieces))
        elif media_type == media.NPZ:
            answers.write_npz(file, parts.storage, pieces)
        else:
            answers.write_table(file, media_type, map(assigning.as_table, pieces))

    return answers.answer(parts.storage, media_type, headers, write)


def _named(columns: list[str]) -> str:
    """As many names as a header should hold."""
    text = ", ".join(quote(name[:100]) for name in columns[:NAMED])
    return text if len(text) <= NAMED_BYTES else text[:NAMED_BYTES].rpartition(", ")[0]


def _counted(parts: Parts, pieces: Iterable[assigning.Assigned]) -> Iterator[assigning.Assigned]:
    for piece in pieces:
        parts.metrics.assigned_rows.inc(len(piece["components"]))
        yield piece


def _assignment(model: str, pieces: Iterable[assigning.Assigned]) -> Assignment:
    """All pieces in one. Raises InvalidInput when they are too many values for JSON."""
    lists: dict[str, list[Any]] = {}
    n = 0
    for piece in pieces:
        n += len(piece["components"])
        largest = answers.MAX_JSON_VALUES // sum(values[0].size for values in piece.values())
        if n > largest:
            msg = f"at most {largest:,} points at once can be answered as JSON; more were sent"
            raise InvalidInput.at("body", "points", msg=msg)
        for name, values in piece.items():
            lists.setdefault(name, []).extend(values.tolist())
    return Assignment(model=model, **lists)
