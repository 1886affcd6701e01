"""/models/{ref}/assignments and /jobs/{job_id}/assignments"""

from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api_schemas.common import PAGE_LIMIT, Closed, Page
from api_schemas.inference import FORMAT
from api_schemas.models import AssignedRow
from service import answers, assign_jobs, assignments, media, models, openapi, rankings
from service.dependencies import Parts, PartsDep
from service.errors import InvalidInput
from service.problems import responses
from service.routing import GuardedRoute

router = APIRouter(route_class=GuardedRoute)

WHOLE = (media.NPY, media.CSV, media.PARQUET, media.ARROW)
TYPES = (media.JSON, *WHOLE)
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {"schema": openapi.BINARY} for media_type in WHOLE}}
}

OF_PAGES = ("order", "after", "limit")


class AssignmentsQuery(Closed):
    """Which assignments, and as what: pages have an order, a place and a length."""

    component: int | None = Field(None, description="none: of all")
    order: rankings.Order = Field(
        "row",
        description="by row, the lowest confidence first, or the highest outlier score first",
    )
    after: int = Field(-1, ge=-1, lt=2**62, description="last_id of the page before")
    limit: int = Field(20, ge=1, le=PAGE_LIMIT)
    format: Literal["json", "csv", "parquet", "arrow", "npy"] | None = Field(
        None, description=FORMAT
    )


Accept = Annotated[str | None, Header()]
Chosen = Annotated[AssignmentsQuery, Query()]


@router.get(
    "/models/{ref}/assignments",
    tags=["models"],
    response_model=Page[AssignedRow],
    responses=ANSWER | responses(404, 406, 422, 503),
)
def list_assignments(
    parts: PartsDep, ref: str, query: Chosen, accept: Accept = None
) -> Page[AssignedRow] | Response:
    """The components of the training points, all or those of one component.

    As JSON a page; as NPY (a structured array), CSV, Parquet or Arrow stream the whole, in records
    of `row`, `component`, `confidence` and `outlier_score`, which are in the order of the rows.
    """
    media_type = media.choose(accept, TYPES, query.format)
    with parts.database.read() as session:
        model = models.get(session, ref)
        if query.component is not None:
            models.check_component(model.id, len(model.alpha), query.component)
        source = assignments.of_model(model)
        return _assigned(parts, session, source, query, media_type)


@router.get(
    "/jobs/{job_id}/assignments",
    tags=["jobs"],
    response_model=Page[AssignedRow],
    responses=ANSWER | responses(404, 406, 409, 422, 503),
)
def list_job_assignments(
    parts: PartsDep, job_id: str, query: Chosen, accept: Accept = None
) -> Page[AssignedRow] | Response:
    """What an assign job has found, once it has succeeded: as `/models/{ref}/assignments`, with an
    `outlier_score` where that was asked for.
    """
    media_type = media.choose(accept, TYPES, query.format)
    with parts.database.read() as session:
        job = assign_jobs.result(session, job_id)
        if query.component is not None:
            models.check_component(job.assigned_by or "", job.components or 0, query.component)
        source = assignments.of_job(job)
        return _assigned(parts, session, source, query, media_type)


def _assigned(
    parts: Parts,
    session: Session,
    source: assignments.Source,
    query: AssignmentsQuery,
    media_type: str,
) -> Page[AssignedRow] | Response:
    component = query.component
    if media_type == media.JSON and query.order == "row":
        return assignments.page(session, source, component, query.after, query.limit)
    if media_type == media.JSON:
        return rankings.page(session, source, query.order, component, query.after, query.limit)
    for name in OF_PAGES:
        if name in query.model_fields_set and getattr(query, name) != "row":
            msg = f"of pages, as JSON; {media_type} has all rows in their order"
            raise InvalidInput.at("query", name, msg=msg)
    pieces = assignments.pieces(session, source, component)

    def write(file: IO[bytes]) -> None:
        if media_type == media.NPY:
            answers.write_npy(file, pieces)
        else:
            shown = map(assignments.as_text, pieces) if media_type == media.CSV else pieces
            answers.write_table(file, media_type, map(assignments.as_table, shown))

    return answers.answer(parts.storage, media_type, {}, write)
