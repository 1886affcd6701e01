"""The least that an endpoint of FastAPI can do with a request to assign: parse and answer."""

from fastapi import FastAPI

from api_schemas.inference import Assignment, AssignRequest


def create_app() -> FastAPI:
    """The application."""
    app = FastAPI()

    @app.post("/assign")
    async def assign(request: AssignRequest) -> Assignment:
        return Assignment(model="mdl_01kagx3w0c8m5y2v4zq7t9e6bn", components=[0])

    return app
