"""/models"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from api_schemas.common import Page
from api_schemas.models import Comparison, Component, ComponentDetail, Model
from service import (
    answers,
    comparison,
    components,
    etags,
    idempotency,
    media,
    models,
    openapi,
    uploads,
)
from service.archives import export, imports
from service.dependencies import FileDep, Parts, PartsDep
from service.idempotency import IdempotencyKey
from service.paging import AfterRow, Limit, after_id, matching, newest_first
from service.problems import responses
from service.routing import GuardedRoute
from service.tables import ModelRow

router = APIRouter(prefix="/models", tags=["models"], route_class=GuardedRoute)

After = Annotated[str | None, after_id("mdl")]

SAMPLES = 8  # that a component shows


@router.get("", responses=responses(422, 503))
def list_models(
    parts: PartsDep,
    dataset: Annotated[str | None, Query(description="id of the data set trained on")] = None,
    name: Annotated[str | None, Query(description="the whole name")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Model]:
    """Models, newest first: all, or those that fit what is given."""
    query = matching(select(ModelRow), {ModelRow.name: name})
    query = query.options(selectinload(ModelRow.aliases))
    if dataset is not None:
        query = query.where(ModelRow.provenance["dataset"].as_string() == dataset)
    with parts.database.read() as session:
        return newest_first(session, query, ModelRow.id, after, limit, models.view)


@router.post(
    "",
    status_code=201,
    response_model=Model,
    responses={
        200: {"model": Model, "description": "The same archive was imported before"},
        **responses(400, 409, 413, 422, 503),
    },
    openapi_extra=openapi.body(
        {
            uploads.MULTIPART: uploads.FILE_FORM,
            media.ZIP: openapi.BINARY,
            media.OCTETS: openapi.BINARY,
        }
    ),
)
def import_model(
    parts: PartsDep,
    request: Request,
    form: FileDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Import an exported archive, as the raw body or as `file` of a form.

    The same archive again gives the same model. No alias moves.
    """
    uploads.refuse_fields(form)
    attempted = idempotency.attempt(parts.database, request, idempotency_key, form)
    with uploads.located(), attempted as attempt:
        return attempt.earlier or _import(parts, form, attempt)


def _import(parts: Parts, form: uploads.Form, attempt: idempotency.Attempt) -> Response:
    opened = parts.importer.opened(form.upload.path)
    with opened as archive, parts.database.write() as session:
        model, is_new = imports.store(session, archive)
        status = 201 if is_new else 200
        return attempt.answer(session, status, models.view(model), f"/models/{model.id}")


@router.get("/{ref}", responses=responses(404, 422, 503))
def get_model(parts: PartsDep, ref: str) -> Model:
    """One model, by id or alias: alpha, sizes, metrics, configuration, provenance."""
    with parts.database.read() as session:
        return models.view(models.get(session, ref))


@router.delete(
    "/{ref}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 409, 422, 503),
)
def delete_model(parts: PartsDep, ref: str) -> None:
    """Delete a model with its weights and assignments; its job and data set stay.

    Refused while an alias stands for it or a job needs it to assign: the problem names which.
    """
    with parts.database.write() as session:
        models.remove(session, ref)


@router.get(
    "/{ref}/export",
    response_class=StreamingResponse,
    responses={
        200: openapi.answers([media.ZIP], "ETag", "Content-Disposition"),
        304: {"description": "It is what the If-None-Match header names"},
        **responses(404, 422, 503),
    },
)
def export_model(request: Request, parts: PartsDep, ref: str) -> Response:
    """The model as one ZIP archive that tells how to load it without this service.

    Weights as safetensors, all else as JSON, a loader that needs torch and safetensors alone, and
    ONNX graphs of assigning and sampling, which take some seconds to trace when first asked for.
    """
    with parts.database.read() as session:
        model = models.get(session, ref)
        model_id, name = model.id, export.file_name(model)
    etag = f'"{model_id}-{parts.settings.code_version}"'  # a model is immutable, code is not
    headers = {"ETag": etag, "Content-Disposition": f'attachment; filename="{name}"'}
    if etags.is_known(request, etag):
        return Response(status_code=304, headers=headers)

    def write(file: IO[bytes]) -> None:
        with TemporaryDirectory(dir=parts.storage.scratch_folder) as folder:
            parts.exporter.write(parts.database, model_id, Path(folder), file)

    return answers.answer(parts.storage, media.ZIP, headers, write)


@router.get("/{ref}/comparison", responses=responses(404, 422, 503))
def compare_models(parts: PartsDep, ref: str, other: str) -> Comparison:
    """How far this model and another, trained on the same data set, agree on its points."""
    with parts.database.read() as session:
        return comparison.compare(session, models.get(session, ref), models.get(session, other))


@router.get("/{ref}/components", responses=responses(404, 422, 503))
def list_components(
    parts: PartsDep, ref: str, after: AfterRow = -1, limit: Limit = 20
) -> Page[Component]:
    """The components of a model, in order."""
    with parts.database.read() as session:
        return components.page(session, models.get(session, ref), after, limit)


@router.get("/{ref}/components/{component}", responses=responses(404, 422, 503))
def get_component(parts: PartsDep, ref: str, component: int) -> ComponentDetail:
    """One component: how its features differ, typical training points, and samples."""
    with parts.database.read() as session:
        model = models.get(session, ref)
        known = components.known(session, model, component)
    mixture = parts.inference.cache.get(model.id).mixture
    n = components.shown(model, SAMPLES)
    drawn = parts.inference.run(lambda: mixture.sample(n, component))
    return components.detail(parts.storage, known, drawn.points)
