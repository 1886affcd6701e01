"""/datasets"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select

from api_schemas.common import Name, Page
from api_schemas.datasets import Dataset
from service import datasets, idempotency, uploads
from service.dependencies import Parts, PartsDep
from service.idempotency import IdempotencyKey
from service.paging import After, Limit, newest_first
from service.problems import responses
from service.tables import DatasetRow

router = APIRouter(prefix="/datasets", tags=["data sets"])


async def received_file(request: Request, parts: PartsDep) -> AsyncIterator[uploads.Form]:
    async for form in uploads.receive(request, parts.storage):
        yield form


@router.post(
    "",
    status_code=201,
    response_model=Dataset,
    responses={
        200: {"model": Dataset, "description": "The same bytes were uploaded before"},
        **responses(400, 409, 413, 415, 422, 503),
    },
    openapi_extra=uploads.FILE_BODY,
)
def upload_dataset(
    parts: PartsDep,
    request: Request,
    form: Annotated[uploads.Form, Depends(received_file)],
    name: Annotated[Name | None, Query()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Upload points as CSV, NPY or Parquet, as the raw body or as `file` of a form.

    The same bytes again give the same data set, under its first name.
    """
    name = name or form.fields.get("name")
    with idempotency.attempt(parts.database, request, idempotency_key, form) as attempt:
        return attempt.earlier or _store(parts, form.upload, name, attempt)


@router.get("", responses=responses(422, 503))
def list_datasets(parts: PartsDep, after: After = None, limit: Limit = 20) -> Page[Dataset]:
    """Data sets, newest first."""
    with parts.database.read() as session:
        return newest_first(session, select(DatasetRow), DatasetRow.id, after, limit, datasets.view)


@router.get("/{dataset_id}", responses=responses(404, 422, 503))
def get_dataset(parts: PartsDep, dataset_id: str) -> Dataset:
    """One data set: its shape, columns and warnings."""
    with parts.database.read() as session:
        return datasets.view(datasets.get(session, dataset_id))


def _store(
    parts: Parts, upload: datasets.Upload, name: str | None, attempt: idempotency.Attempt
) -> Response:
    cap = parts.settings.max_points_bytes
    with datasets.storing(parts.database, parts.storage, upload, name, cap) as stored:
        session, row, is_new = stored
        status = 201 if is_new else 200
        return attempt.answer(session, status, datasets.view(row), f"/datasets/{row.id}")
