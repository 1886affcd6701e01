"""The least that an endpoint can do with a request to assign: parse and answer."""

from fastapi import APIRouter, FastAPI

from api_schemas.inference import Assignment, AssignRequest
from service.app import create_app
from service.routing import GuardedRoute

PATH = "/constant"


async def constant(request: AssignRequest) -> Assignment:
    return Assignment(model="mdl_01kagx3w0c8m5y2v4zq7t9e6bn", components=[0])


def create_bare() -> FastAPI:
    """An application that does nothing else."""
    app = FastAPI()
    app.post(PATH)(constant)
    return app


def create_guarded() -> FastAPI:
    """The service, whose every request has an id, a caller, a limit, a log line and its figures.

    The endpoint comes first, as /assign does: each router before it would cost a look at it.
    """
    app = create_app()
    router = APIRouter(route_class=GuardedRoute)
    router.post(PATH)(constant)
    app.include_router(router)
    app.router.routes.insert(0, app.router.routes.pop())
    return app
