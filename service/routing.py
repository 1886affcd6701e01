"""What every request goes through before its route reads or parses anything of it."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service.access import SECURITY, admitted
from service.errors import InvalidInput, UnsupportedMediaType

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class OpenRoute(APIRoute):
    """A route that anyone may call. Query parameters that it does not have are refused."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            refuse_unknown_query(request)
            return await handle(request)

        return checked


class GuardedRoute(OpenRoute):
    """A route for callers who are admitted."""

    def __init__(self, *arguments: Any, openapi_extra: dict[str, Any] | None, **rest: Any) -> None:
        super().__init__(*arguments, openapi_extra={**SECURITY, **(openapi_extra or {})}, **rest)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            request.state.caller = await admitted(request)
            if request.headers.get("content-encoding", "identity") != "identity":
                detail = "compressed bodies are not taken: send it without Content-Encoding"
                raise UnsupportedMediaType("unsupported_encoding", detail)
            return await handle(request)

        return guarded


def refuse_unknown_query(request: Request) -> None:
    """Raise InvalidInput for a query parameter that the route does not have: it would be a typo."""
    if not request.scope["query_string"]:
        return
    known = _query_names(request.scope["route"].dependant)
    for name in request.query_params:
        if name not in known:
            taken = ", ".join(sorted(known)) or "none"
            raise InvalidInput.at("query", name, msg=f"unknown parameter; this call takes {taken}")


def _query_names(dependant: Dependant) -> set[str]:
    names: set[str] = set()
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names.update(kind.model_fields)
        else:
            names.add(field.alias)
    return names.union(*(_query_names(inner) for inner in dependant.dependencies))
