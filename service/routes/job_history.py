"""/jobs/{id}/...: what a job leaves on its way"""

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from api_schemas.common import Page
from api_schemas.jobs import Checkpoint, JobDelivery, JobEvent
from service import checkpoints, etags, events, jobs, media, openapi, previews, webhooks
from service.dependencies import PartsDep
from service.event_stream import EventStream
from service.paging import Limit, after_id
from service.problems import responses
from service.routing import GuardedRoute
from service.transitions import ENDED

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"], route_class=GuardedRoute)

MAX_ID = 2**63
AfterEvent = Annotated[int, Query(ge=0, lt=MAX_ID, description="id of the last event seen")]
AfterMessage = Annotated[str | None, after_id("evt")]
LastEventId = Annotated[
    int | None,
    Header(
        alias="Last-Event-ID",
        ge=0,
        lt=MAX_ID,
        description="of a stream that was cut: goes before after",
    ),
]
EVENT = {  # of the stream
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": openapi.TEXT,
        "event": openapi.TEXT,
        "data": openapi.json_text("JobEvent"),
    },
}
STREAM = {media.EVENTS: {"schema": EVENT}}


@router.get(
    "/events",
    response_model=Page[JobEvent],
    responses={
        200: {"content": STREAM},
        204: {"description": "A stream that was to go on has already told all"},
        **responses(404, 406, 422, 503),
    },
)
def list_events(
    parts: PartsDep,
    job_id: str,
    after: AfterEvent = 0,
    limit: Limit = 20,
    last_event_id: LastEventId = None,
    format: Annotated[Literal["json", "events"] | None, media.FORMAT] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Page[JobEvent] | Response:
    """A job's log, oldest first: status changes, and the metrics of each iteration.

    As text/event-stream the log is told as it grows, each event a `JobEvent` under its type as
    the event's name, until the job has ended.
    """
    with parts.database.read() as session:
        job = jobs.get(session, job_id)
        if media.choose(accept, [media.JSON, media.EVENTS], format) == media.JSON:
            return events.page(session, job_id, after, limit)
        after = after if last_event_id is None else last_event_id
        is_told = job.status in ENDED and not events.page(session, job_id, after, 1).data
    if is_told and last_event_id is not None:
        return Response(status_code=204)  # or a browser would come back for ever
    return EventStream(parts.streams.follow(job_id, after))


@router.get("/checkpoints", responses=responses(404, 422, 503))
def list_checkpoints(
    parts: PartsDep,
    job_id: str,
    after: Annotated[int, Query(ge=0, lt=2**31, description="last iteration seen")] = 0,
    limit: Limit = 20,
) -> Page[Checkpoint]:
    """What each iteration of a job left in storage, oldest first; nothing of an assign job."""
    with parts.database.read() as session:
        jobs.get(session, job_id)
        return checkpoints.page(session, job_id, after, limit)


@router.get("/deliveries", responses=responses(404, 422, 503))
def list_deliveries(
    parts: PartsDep, job_id: str, after: AfterMessage = None, limit: Limit = 20
) -> Page[JobDelivery]:
    """The messages to a job's webhook, newest first: sent how often, with what result, when again.

    One for each time that the job ended; none without a webhook.
    """
    with parts.database.read() as session:
        jobs.get(session, job_id)
        return webhooks.page(session, job_id, after, limit)


@router.get(
    "/preview",
    response_class=Response,
    responses={
        200: openapi.answers([media.PNG], "ETag", "Kvae-Iteration"),
        304: {"description": "It is what the If-None-Match header names"},
        **responses(404, 422, 503),
    },
)
def get_preview(
    request: Request,
    parts: PartsDep,
    job_id: str,
    iteration: Annotated[int | None, Query(ge=1, lt=2**31, description="none: the last")] = None,
) -> Response:
    """Samples of each component after an iteration, as a picture; there from the first one on.

    Images are in rows, one a component; rows of numbers are dots, coloured by component, over the
    data in grey; those of more than two columns in the plane of the data's principal components.
    """
    with parts.database.read() as session:
        preview = previews.get(session, jobs.get(session, job_id), iteration)
    etag = f'"{hashlib.sha256(preview.png).hexdigest()[:32]}"'
    lasting = "no-cache" if iteration is None else "max-age=31536000, immutable"
    headers = {
        "ETag": etag,
        "Cache-Control": f"private, {lasting}",
        "Kvae-Iteration": str(preview.iteration),
    }
    if etags.is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(preview.png, media_type=media.PNG, headers=headers)
