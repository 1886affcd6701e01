"""/metrics"""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.dependencies import PartsDep
from service.problems import responses
from service.routing import GuardedRoute

router = APIRouter(tags=["health"], route_class=GuardedRoute)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **responses(422, 503),
    },
)
def metrics(parts: PartsDep) -> Response:
    """Figures for Prometheus, totals of the whole service; any key may read them."""
    return Response(parts.metrics.scrape(), media_type=CONTENT_TYPE_LATEST)
