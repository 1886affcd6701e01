"""/datasets"""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field
from sqlalchemy import select

from api_schemas.common import Page
from api_schemas.datasets import Dataset, DatasetCreate, PointRow
from service import datasets, idempotency, media, openapi, uploads
from service.dependencies import FileDep, Parts, PartsDep
from service.errors import InvalidInput
from service.idempotency import IdempotencyKey
from service.paging import AfterRow, Limit, after_id, matching, newest_first
from service.pictures import grid
from service.problems import responses, validated
from service.routing import GuardedRoute
from service.tables import DatasetRow

router = APIRouter(prefix="/datasets", tags=["data sets"], route_class=GuardedRoute)

MAX_CHOSEN = 20
CHOSEN = "numbers of the rows that are wanted, in this order; none: those behind `after`"

RowNumber = Annotated[int, Field(ge=0, lt=2**62)]
After = Annotated[str | None, after_id("ds")]


@router.post(
    "",
    status_code=201,
    response_model=Dataset,
    responses={
        200: {"model": Dataset, "description": "The same was uploaded before"},
        **responses(400, 409, 413, 415, 422, 503),
    },
    openapi_extra=uploads.FILE_BODY,
)
def upload_dataset(
    parts: PartsDep,
    request: Request,
    form: FileDep,
    query: Annotated[DatasetCreate, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Upload points, as the raw body or as `file` of a form; its options may be fields too.

    CSV, Parquet and Arrow IPC hold tables; NPY, NPZ and IDX (gzipped or not) hold tables (N, D) or
    images (N, H, W) or (N, C, H, W); a ZIP archive holds PNG or JPEG images. The same bytes with
    the same options give the same data set, under its first name.
    """
    for name in query.model_fields_set & form.fields.keys():
        raise InvalidInput.at("query", name, msg="the form has it as well; leave either out")
    given = {**form.told, **query.model_dump(exclude_unset=True), **form.fields}
    options = validated(DatasetCreate, given)
    attempted = idempotency.attempt(parts.database, request, idempotency_key, form)
    with uploads.located(form.fields), attempted as attempt:
        return attempt.earlier or _store(parts, form.upload, options, attempt)


@router.get("", responses=responses(422, 503))
def list_datasets(
    parts: PartsDep,
    name: Annotated[str | None, Query(description="the whole name")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Dataset]:
    """Data sets, newest first: all, or those of a name."""
    query = matching(select(DatasetRow).where(datasets.LIVE), {DatasetRow.name: name})
    with parts.database.read() as session:
        return newest_first(session, query, DatasetRow.id, after, limit, datasets.view)


@router.get("/{dataset_id}", responses=responses(404, 422, 503))
def get_dataset(parts: PartsDep, dataset_id: str) -> Dataset:
    """One data set: its shape, columns and warnings."""
    with parts.database.read() as session:
        return datasets.view(datasets.get(session, dataset_id))


@router.delete(
    "/{dataset_id}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 409, 422, 503),
)
def delete_dataset(parts: PartsDep, dataset_id: str) -> None:
    """Delete a data set; models made from it stay.

    Refused while a job needs it, which is named: one that has not ended, or that can be resumed and
    was not deleted.
    """
    datasets.delete(parts.database, parts.storage, dataset_id)


@router.get(
    "/{dataset_id}/rows",
    response_model=Page[PointRow],
    responses={
        200: {"content": {media.PNG: {"schema": openapi.BINARY}}},
        **responses(404, 406, 422, 503),
    },
)
def list_rows(
    parts: PartsDep,
    dataset_id: str,
    after: AfterRow = -1,
    limit: Limit = 20,
    format: Annotated[Literal["json", "png"] | None, media.FORMAT] = None,
    chosen: Annotated[
        list[RowNumber], Query(alias="row", max_length=MAX_CHOSEN, description=CHOSEN)
    ] = [],  # noqa: B006
    accept: Annotated[str | None, Header()] = None,
) -> Page[PointRow] | Response:
    """Points in the data's own columns and units; of images also thumbnails, as PNG."""
    with parts.database.read() as session:
        dataset = datasets.get(session, dataset_id)
    rows = (
        datasets.chosen_rows(dataset, chosen, after) if chosen else range(after + 1, dataset.rows)
    )
    are_images = len(dataset.shape) > 1 and len(rows) > 0
    offered = [media.JSON, media.PNG] if are_images else [media.JSON]
    media_type = media.choose(accept, offered, format)
    points = datasets.points(parts.storage, dataset, rows, limit)
    if media_type == media.PNG:
        return Response(parts.inference.run(lambda: grid(points)), media_type=media.PNG)
    return datasets.rows_page(dataset, points, rows)


def _store(
    parts: Parts, upload: datasets.Upload, options: DatasetCreate, attempt: idempotency.Attempt
) -> Response:
    cap = parts.settings.max_points_bytes
    with datasets.storing(
        parts.database, parts.storage, upload, options, options.name, cap
    ) as stored:
        session, row, is_new = stored
        status = 201 if is_new else 200
        return attempt.answer(session, status, datasets.view(row), f"/datasets/{row.id}")
