"""What every request goes through before its route reads or parses anything of it."""

from collections import Counter
from collections.abc import Callable, Coroutine
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, TypeAlias, get_args, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service import media
from service.access import SECURITY, admitted
from service.errors import InvalidInput, UnsupportedMediaType

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route for callers who are admitted. Query parameters that it does not have, or has twice,
    are refused, and bodies that it does not take."""

    def __init__(self, *arguments: Any, openapi_extra: dict[str, Any] | None, **rest: Any) -> None:
        super().__init__(*arguments, openapi_extra={**SECURITY, **(openapi_extra or {})}, **rest)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        # FastAPI's look at each parameter takes longer than assigning a point
        without_query = self.endpoint if _needs_query_alone(self) else handle
        takes_several = _query_of(self.dependant)
        negotiates = any(field.alias == "accept" for field in self.dependant.header_params)

        async def guarded(request: Request) -> Response:
            request.state.caller = await admitted(request)
            if request.headers.get("content-encoding", "identity") != "identity":
                detail = "compressed bodies are not taken: send it without Content-Encoding"
                raise UnsupportedMediaType("unsupported_encoding", detail)
            if self.body_field:
                _check_json(request)
            if request.scope["query_string"]:
                refuse_query(request, takes_several)
                answer: Response = await handle(request)
            else:
                answer = await without_query(request)
            if negotiates:
                answer.headers.add_vary_header("Accept")
            return answer

        return guarded


def refuse_query(request: Request, takes_several: dict[str, bool]) -> None:
    """Raise InvalidInput for a query parameter that the route does not have, as it would be a typo,
    and for one that is given twice where one value is taken."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if name not in takes_several:
            taken = ", ".join(sorted(takes_several)) or "none"
            raise InvalidInput.at("query", name, msg=f"unknown parameter; this call takes {taken}")
        if times > 1 and not takes_several[name]:
            raise InvalidInput.at("query", name, msg=f"given {times} times; it takes one value")


def _check_json(request: Request) -> None:
    media_type = media.base_type(request.headers.get("content-type"))
    if media_type != media.JSON:
        detail = f"this is taken as {media.JSON}, not as {media_type or 'nothing'}"
        raise UnsupportedMediaType("unsupported_media_type", detail)


def _needs_query_alone(route: APIRoute) -> bool:
    """Whether an endpoint takes the request and what a query may add, and makes its answer."""
    endpoint = signature(route.endpoint)
    makes_answer = iscoroutinefunction(route.endpoint) and endpoint.return_annotation is Response
    parameters = endpoint.parameters.values()
    required = [each.annotation for each in parameters if each.default is Parameter.empty]
    is_query = len(parameters) == 1 + len(route.dependant.query_params)
    return makes_answer and required == [Request] and is_query


def _query_of(dependant: Dependant) -> dict[str, bool]:
    """The names of query parameters, and whether each may be given several times."""
    found: dict[str, bool] = {}
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = kind.model_fields.items()
            found |= {name: _is_list(inner.annotation) for name, inner in fields}
        else:
            found[field.alias] = _is_list(kind)
    for inner in dependant.dependencies:
        found |= _query_of(inner)
    return found


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))
