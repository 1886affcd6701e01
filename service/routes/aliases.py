"""/aliases"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api_schemas.common import Page
from api_schemas.models import Alias, AliasMove, AliasName
from service import aliases, models
from service.dependencies import PartsDep
from service.paging import Limit
from service.problems import responses
from service.routing import GuardedRoute

router = APIRouter(prefix="/aliases", tags=["models"], route_class=GuardedRoute)

Name = Annotated[AliasName, Path(description="lower-case letters, digits and - _ .")]
After = Annotated[AliasName | None, Query(description="last_id of the page before")]


@router.put(
    "/{name}",
    responses={
        201: {"model": Alias, "description": "The name is new"},
        **responses(400, 404, 413, 415, 422, 503),
    },
)
def put_alias(parts: PartsDep, name: Name, body: AliasMove, response: Response) -> Alias:
    """Point a name at a model, whether or not it is in use.

    `default` is what /assign and /sample use when no model is named. It moves to each newly
    trained model until it is put here, and then stays.
    """
    with parts.database.write() as session:
        model = models.get(session, body.model, keep=True)
        is_new = aliases.pin(session, name, model.id)
        session.expire_all()
        answer = aliases.view(aliases.get(session, name))
    response.status_code = 201 if is_new else 200
    return answer


@router.get("", responses=responses(422, 503))
def list_aliases(parts: PartsDep, after: After = None, limit: Limit = 20) -> Page[Alias]:
    """Aliases, by name."""
    with parts.database.read() as session:
        return aliases.page(session, after, limit)


@router.get("/{name}", responses=responses(404, 422, 503))
def get_alias(parts: PartsDep, name: Name) -> Alias:
    """Which model a name stands for."""
    with parts.database.read() as session:
        return aliases.view(aliases.get(session, name))


@router.delete(
    "/{name}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 422, 503),
)
def delete_alias(parts: PartsDep, name: Name) -> None:
    """Drop a name; its model stays. A dropped `default` comes back with the next trained model."""
    with parts.database.write() as session:
        aliases.drop(session, name)
