"""/assign and /sample"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import IO, Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api_schemas.inference import MAX_SAMPLES, AssignField, Assignment, Sample
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
    sampling,
    uploads,
)
from service.batches import Batch, Conversion, PointSpec, open_batch
from service.dependencies import Parts, PartsDep, parts_of
from service.errors import InvalidInput
from service.inference import Open
from service.pictures import picture
from service.problems import responses
from service.routing import GuardedRoute
from service.tables import ModelRow
from trainer.errors import InvalidPoints

router = APIRouter(tags=["inference"], route_class=GuardedRoute)

MAX_SAMPLE_VALUES = 1 << 24
MAX_JSON_VALUES = 1 << 21
MAX_PICTURED = 4096
SMALL_BODY = 1 << 14  # of points that are computed with those of other requests
NAMED, NAMED_BYTES = 20, 2048  # ignored columns, as many as a header names

ASSIGN_TYPES = (media.JSON, media.NPY, media.NPZ, media.CSV, media.PARQUET, media.ARROW)
IMAGE_TYPES = (media.JSON, media.NPY, media.NPZ, media.PNG)
SAMPLE_TYPES = (*IMAGE_TYPES, media.CSV, media.PARQUET, media.ARROW)
TEMPERATURE = (
    "spread of the latent and of the decoder's noise, by which samples vary; 1: as trained"
)
STORED = "id of a data set to assign, as a job that workers share; then there is no body"
JOB_KEY = f"with dataset= alone: {idempotency.DESCRIPTION}"
KEPT_FIELDS = ("confidence", "outlier_score")  # of a data set that is assigned as a job
BODIES: Mapping[str, Mapping[str, object]] = {
    media.JSON: openapi.ref("AssignRequest"),
    uploads.MULTIPART: uploads.FILE_FORM,
    media.CSV: openapi.TEXT,
    media.NPY: openapi.BINARY,
    media.NPZ: openapi.BINARY,
    media.PARQUET: openapi.BINARY,
    media.ARROW: openapi.BINARY,
    media.PNG: openapi.BINARY,
    media.JPEG: openapi.BINARY,
    media.ZIP: openapi.BINARY,
}

Ref = Annotated[str, Query(alias="model", description="id or alias of a model")]
Accept = Annotated[str | None, Header()]
AssignFormat = Literal["json", "csv", "parquet", "arrow", "npy", "npz"]
SampleFormat = Literal[AssignFormat, "png"]


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
        "parameters": [openapi.header(idempotency.HEADER, JOB_KEY)],
    },
)
async def assign(
    request: Request,
    ref: Ref = models.DEFAULT_ALIAS,
    include: Annotated[list[AssignField], Query(description="also answer these")] = [],  # noqa: B006
    dataset: Annotated[str | None, Query(description=STORED)] = None,
    format: Annotated[AssignFormat | None, media.FORMAT] = None,
) -> Response:
    """Give each point to the component of highest estimated density, in the order of the points.

    A table's columns are matched by name, in any order, wherever it names them: as JSON records,
    Parquet, an Arrow stream or CSV with a header line; others than the model's are ignored, and
    Kvae-Ignored-Columns names them. JSON lists and CSV without a header have the model's columns
    in their order. NPY and NPZ, whose array `points` or only array it is, hold numbers alone: of a
    model with categories, their 0/1 columns. Images are NPY, NPZ, JSON, one PNG or JPEG, or a ZIP
    archive of them, with pixels from 0 to 255. Each may also be `file` of a form.

    As CSV, Parquet and Arrow stream a row has `component` and what is asked for by `include`,
    (N, K) fields as `posterior_0`, `posterior_1`, ...; as NPZ the arrays are `components` and what
    is asked for, as NPY the components alone.

    With `dataset` there is no body, and the answer is a job, which workers share. Once it has
    succeeded `/jobs/{job_id}/assignments` has components and confidence, and the outlier score if
    it is asked for. Its columns are matched by name as well, those of arrays by place.
    """
    # few parameters: each one declared costs more time than assigning a point does
    parts = await parts_of(request)
    if dataset is not None:
        await _refuse_body(request)
        return await run_in_threadpool(_assign_stored, request, parts, ref, dataset, include)
    offered = [kind for kind in ASSIGN_TYPES if not (include and kind == media.NPY)]
    media_type = media.choose(request.headers.get("accept"), offered, format)
    cap = parts.settings.max_points_bytes
    async with uploads.receive_body(request, parts.storage) as (body, content_type):

        def open_points(spec: PointSpec) -> Batch:
            return open_batch(body, content_type, spec, cap)

        if isinstance(body, bytes) and len(body) <= SMALL_BODY and not include:
            found = await parts.inference.assign(parts.database, ref, open_points)
            pieces = [{"components": found.components}]
            return _assigned(parts, media_type, found.model_id, found.ignored, pieces)
        return await run_in_threadpool(_assign, parts, ref, open_points, include, media_type)


@router.get(
    "/sample",
    response_model=Sample,
    responses={
        200: openapi.answers(SAMPLE_TYPES, "Kvae-Model", "Kvae-Seed"),
        **responses(404, 406, 422, 503),
    },
)
def sample(
    parts: PartsDep,
    ref: Ref = models.DEFAULT_ALIAS,
    component: Annotated[int | None, Query(description="none: the mixture, by alpha")] = None,
    n: Annotated[int, Query(ge=1, le=MAX_SAMPLES)] = 16,
    seed: Annotated[int | None, Query(ge=0, lt=2**53, description="none: a new one")] = None,
    temperature: Annotated[float, Query(gt=0, le=2, description=TEMPERATURE)] = 1.0,
    format: Annotated[SampleFormat | None, media.FORMAT] = None,
    accept: Accept = None,
) -> Response:
    """Draw points from one component, or from the alpha-weighted mixture when none is named.

    They come in the data's own units and columns: integers rounded, booleans and categories as
    they were, pixels within the data's range. As CSV, Parquet and Arrow stream, which tables can
    have, rows of the mixture end with the `component` that made them; as NPZ the arrays are
    `points` and `components`; NPY is the points alone, (n, ...), as /assign takes them; PNG is a
    grid of images or a scatter plot. Kvae-Seed is the seed with which the same points come again.
    """
    with parts.database.read() as session:
        model = models.get(session, ref)
    mixture, spec = parts.inference.cache.get(model.id)
    offered = SAMPLE_TYPES if spec.encoding else IMAGE_TYPES
    media_type = media.choose(accept, offered, format)
    if component is not None:
        models.check_component(model.id, len(model.alpha), component)
    _check_size(n, model, media_type)
    seed = secrets.randbits(32) if seed is None else seed
    drawn = parts.inference.run(
        lambda: sampling.draw(mixture, spec, n, component, seed, temperature)
    )
    headers = {"Kvae-Model": model.id, "Kvae-Seed": str(seed)}
    if media_type == media.JSON:
        return _json(drawn.as_json(model.id, seed), headers)
    if media_type == media.PNG:
        png = parts.inference.run(lambda: picture(drawn.points, drawn.components))
        return Response(png, media_type=media.PNG, headers=headers)

    def write(file: IO[bytes]) -> None:
        if media_type == media.NPY:
            answers.write_npy(file, [drawn.points])
        elif media_type == media.NPZ:
            arrays = {"points": drawn.points, "components": drawn.components}
            answers.write_npz(file, parts.storage, [arrays])
        else:
            table = drawn.as_table(with_components=component is None)
            answers.write_table(file, media_type, [table])

    return answers.answer(parts.storage, media_type, headers, write)


def _assign(
    parts: Parts, ref: str, open_points: Open, fields: list[AssignField], media_type: str
) -> Response:
    """Any number of points, a piece at a time."""
    with parts.database.read() as session:
        model_id = models.current_id(session, ref)
    mixture, spec = parts.inference.cache.get(model_id)
    assigning.check_fields(mixture, fields)
    batch = open_points(spec)
    found = assigning.assigned(parts.inference, mixture, batch, fields)
    return _assigned(parts, media_type, model_id, batch.ignored, found)


async def _refuse_body(request: Request) -> None:
    async for part in request.stream():
        if part:
            msg = "there is one, and dataset= as well; leave either out"
            raise InvalidInput.at("body", msg=msg)


def _assign_stored(
    request: Request, parts: Parts, ref: str, dataset_id: str, fields: list[AssignField]
) -> Response:
    key = idempotency.given_key(request)
    with idempotency.attempt(parts.database, request, key) as attempt:
        return attempt.earlier or _create_job(parts, ref, dataset_id, fields, attempt)


def _create_job(
    parts: Parts,
    ref: str,
    dataset_id: str,
    fields: list[AssignField],
    attempt: idempotency.Attempt,
) -> Response:
    """A queued job that assigns a data set, or what can be said at once against it."""
    for field in fields:
        if field not in KEPT_FIELDS:
            msg = f"{field} of a stored data set is not kept; send the points themselves to /assign"
            raise InvalidInput.at("query", "include", msg=msg, code="not_kept")
    with parts.database.read() as session:
        model_id = models.current_id(session, ref)
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
        return _json(_assignment(model_id, pieces), headers)

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
        largest = MAX_JSON_VALUES // sum(values[0].size for values in piece.values())
        if n > largest:
            msg = f"at most {largest:,} points at once can be answered as JSON; more were sent"
            raise InvalidInput.at("body", "points", msg=msg)
        for name, values in piece.items():
            lists.setdefault(name, []).extend(values.tolist())
    return Assignment(model=model, **lists)


def _check_size(n: int, model: ModelRow, media_type: str) -> None:
    values = MAX_JSON_VALUES if media_type == media.JSON else MAX_SAMPLE_VALUES
    largest = max(1, values // prod(model.shape))
    if media_type == media.PNG:
        largest = min(largest, MAX_PICTURED)
    if n > largest:
        msg = f"at most {largest:,} samples of this model can be answered as {media_type}"
        raise InvalidInput.at("query", "n", msg=msg)


def _json(answer: Assignment | Sample, headers: dict[str, str]) -> Response:
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type=media.JSON, headers=headers)
