"""/models/{ref}/assignments and /jobs/{job_id}/assignments"""

from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.models import AssignedRow
from service import answers, assign_jobs, assignments, media, models, openapi, rankings
from service.dependencies import Parts, PartsDep
from service.errors import InvalidInput
from service.paging import AfterRow, Limit
from service.problems import responses
from service.routing import GuardedRoute

router = APIRouter(route_class=GuardedRoute)

WHOLE = (media.NPY, media.CSV, media.PARQUET, media.ARROW)
TYPES = (media.JSON, *WHOLE)
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {"schema": openapi.BINARY} for media_type in WHOLE}}
}

ORDER = "of the pages: by row, the lowest confidence first, or the highest outlier score first"

Accept = Annotated[str | None, Header()]
Format = Annotated[Literal["json", "csv", "parquet", "arrow", "npy"] | None, media.FORMAT]
Order = Annotated[rankings.Order, Query(description=ORDER)]


@router.get(
    "/models/{ref}/assignments",
    tags=["models"],
    response_model=Page[AssignedRow],
    responses=ANSWER | responses(404, 406, 422, 503),
)
def list_assignments(
    parts: PartsDep,
    ref: str,
    component: int | None = None,
    order: Order = "row",
    after: AfterRow = -1,
    limit: Limit = 20,
    format: Format = None,
    accept: Accept = None,
) -> Page[AssignedRow] | Response:
    """The components of the training points, all or those of one component.

    As JSON a page; as NPY (a structured array), CSV, Parquet or Arrow stream the whole, in records
    of `row`, `component`, `confidence` and `outlier_score`, which are in the order of the rows.
    """
    media_type = media.choose(accept, TYPES, format)
    with parts.database.read() as session:
        model = models.get(session, ref)
        if component is not None:
            models.check_component(model.id, len(model.alpha), component)
        source = assignments.of_model(model)
        return _assigned(parts, session, source, component, order, after, limit, media_type)


@router.get(
    "/jobs/{job_id}/assignments",
    tags=["jobs"],
    response_model=Page[AssignedRow],
    responses=ANSWER | responses(404, 406, 409, 422, 503),
)
def list_job_assignments(
    parts: PartsDep,
    job_id: str,
    component: int | None = None,
    order: Order = "row",
    after: AfterRow = -1,
    limit: Limit = 20,
    format: Format = None,
    accept: Accept = None,
) -> Page[AssignedRow] | Response:
    """What an assign job has found, once it has succeeded: as `/models/{ref}/assignments`, with an
    `outlier_score` where that was asked for.
    """
    media_type = media.choose(accept, TYPES, format)
    with parts.database.read() as session:
        job = assign_jobs.result(session, job_id)
        if component is not None:
            models.check_component(job.assigned_by or "", job.components or 0, component)
        source = assignments.of_job(job)
        return _assigned(parts, session, source, component, order, after, limit, media_type)


def _assigned(
    parts: Parts,
    session: Session,
    source: assignments.Source,
    component: int | None,
    order: rankings.Order,
    after: int,
    limit: int,
    media_type: str,
) -> Page[AssignedRow] | Response:
    if media_type == media.JSON and order == "row":
        return assignments.page(session, source, component, after, limit)
    if media_type == media.JSON:
        return rankings.page(session, source, order, component, after, limit)
    if order != "row":
        raise InvalidInput.at("query", "order", msg=f"{media_type} is in the order of the rows")
    pieces = assignments.pieces(session, source, component)

    def write(file: IO[bytes]) -> None:
        if media_type == media.NPY:
            answers.write_npy(file, pieces)
        else:
            shown = map(assignments.as_text, pieces) if media_type == media.CSV else pieces
            answers.write_table(file, media_type, map(assignments.as_table, shown))

    return answers.answer(parts.storage, media_type, {}, write)
