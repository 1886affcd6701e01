"""/models"""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from api_schemas.common import Page
from api_schemas.models import AssignedRow, Model
from service import media, models, uploads
from service.dependencies import PartsDep
from service.paging import After, Limit, newest_first
from service.problems import responses
from service.tables import JobRow, ModelRow

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", responses=responses(422, 503))
def list_models(parts: PartsDep, after: After = None, limit: Limit = 20) -> Page[Model]:
    """Models, newest first."""
    query = select(ModelRow).options(
        joinedload(ModelRow.job).joinedload(JobRow.dataset), selectinload(ModelRow.aliases)
    )
    with parts.database.read() as session:
        return newest_first(session, query, ModelRow.id, after, limit, models.view)


@router.get("/{ref}", responses=responses(404, 422, 503))
def get_model(parts: PartsDep, ref: str) -> Model:
    """One model, by id or alias: alpha, sizes, metrics, configuration, provenance."""
    with parts.database.read() as session:
        return models.view(models.get(session, ref))


@router.get(
    "/{ref}/assignments",
    response_model=Page[AssignedRow],
    responses={
        200: {"content": {media.NPY: {"schema": uploads.BINARY}}},
        **responses(404, 406, 422, 503),
    },
)
def list_assignments(
    parts: PartsDep,
    ref: str,
    component: int | None = None,
    after: Annotated[int, Query(ge=-1, lt=2**62, description="last row of the page before")] = -1,
    limit: Limit = 20,
    accept: Annotated[str | None, Header()] = None,
) -> Page[AssignedRow] | Response:
    """The components of the training points: a page as JSON, or all of them as NPY (N,)."""
    media_type = media.choose(accept, [media.JSON, media.NPY])
    with parts.database.read() as session:
        model = models.get(session, ref)
        if media_type == media.NPY:
            return media.npy_response(models.assignments(session, model))
        return models.assignments_page(session, model, component, after, limit)
