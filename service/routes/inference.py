"""/assign and /sample"""

import secrets
from math import prod
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from api_schemas.inference import MAX_SAMPLES, AssignField, Assignment, Sample
from service import media, models, openapi, uploads
from service.dependencies import Parts, PartsDep
from service.errors import InvalidInput
from service.pictures import picture
from service.problems import responses
from service.tables import ModelRow
from trainer import Mixture

router = APIRouter(tags=["inference"])

MAX_SAMPLE_VALUES = 1 << 25
MAX_JSON_VALUES = 1 << 21
MAX_PICTURED = 4096

BINARY = {"schema": uploads.BINARY}
Ref = Annotated[str, Query(alias="model", description="id or alias of a model")]
Accept = Annotated[str | None, Header()]


async def received_body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/assign",
    response_model=Assignment,
    responses={
        200: {"content": {media.NPY: BINARY}},
        **responses(400, 404, 406, 413, 415, 422, 503),
    },
    openapi_extra=openapi.body(
        {media.JSON: openapi.ref("AssignRequest"), media.NPY: uploads.BINARY}
    ),
)
def assign(
    parts: PartsDep,
    body: Annotated[bytes, Depends(received_body)],
    ref: Ref = models.DEFAULT_ALIAS,
    include: Annotated[list[AssignField], Query(description="also answer these")] = [],  # noqa: B006
    content_type: Annotated[str | None, Header()] = None,
    accept: Accept = None,
) -> Response:
    """Give each point to the component of highest estimated density.

    As NPY the answer is the components alone, (N,), in the order of the points.
    """
    media_type = media.choose(accept, [media.JSON, media.NPY])
    points = media.parse_points(body, content_type)
    model, mixture = _load(parts, ref)
    components = parts.inference.run(lambda: mixture.assign(points))
    parts.metrics.assigned_rows.inc(len(points))
    if media_type == media.NPY:
        return media.npy_response(components)
    _check_answer(len(points), 1 + mixture.components * len(include))
    answer = Assignment(model=model.id, components=components.tolist())
    if "log_densities" in include:
        answer.log_densities = parts.inference.run(lambda: mixture.log_densities(points)).tolist()
    if "posterior" in include:
        answer.posterior = parts.inference.run(lambda: mixture.posterior(points)).tolist()
    return _json(answer)


@router.get(
    "/sample",
    response_model=Sample,
    responses={
        200: {"content": {media.NPY: BINARY, media.PNG: BINARY}},
        **responses(404, 406, 422, 503),
    },
)
def sample(
    parts: PartsDep,
    ref: Ref = models.DEFAULT_ALIAS,
    component: Annotated[int | None, Query(description="none: the mixture, by alpha")] = None,
    n: Annotated[int, Query(ge=1, le=MAX_SAMPLES)] = 16,
    seed: Annotated[int | None, Query(ge=0, lt=2**53, description="none: a new one")] = None,
    accept: Accept = None,
) -> Response:
    """Draw points from one component, or from the alpha-weighted mixture when none is named.

    As NPY the answer is the points alone, (n, ...), as PNG a grid of images or a scatter plot;
    the Kvae-Seed header tells the seed with which the same points come again.
    """
    media_type = media.choose(accept, [media.JSON, media.NPY, media.PNG])
    model, mixture = _load(parts, ref)
    if component is not None:
        models.check_component(model, component)
    _check_size(n, model, media_type)
    seed = secrets.randbits(32) if seed is None else seed
    drawn = parts.inference.run(lambda: mixture.sample(n, component, seed))
    headers = {"Kvae-Seed": str(seed)}
    if media_type == media.NPY:
        return media.npy_response(drawn.points, headers)
    if media_type == media.PNG:
        png = parts.inference.run(lambda: picture(*drawn))
        return Response(png, media_type=media.PNG, headers=headers)
    components, points = drawn.components.tolist(), drawn.points.tolist()
    return _json(Sample(model=model.id, seed=seed, components=components, points=points), headers)


def _load(parts: Parts, ref: str) -> tuple[ModelRow, Mixture]:
    with parts.database.read() as session:
        model = models.get(session, ref)
    return model, parts.inference.cache.get(model)


def _check_size(n: int, model: ModelRow, media_type: str) -> None:
    values = MAX_JSON_VALUES if media_type == media.JSON else MAX_SAMPLE_VALUES
    largest = max(1, values // prod(model.shape))
    if media_type == media.PNG:
        largest = min(largest, MAX_PICTURED)
    if n > largest:
        msg = f"at most {largest:,} samples of this model can be answered as {media_type}"
        raise InvalidInput.at("query", "n", msg=msg)


def _check_answer(points: int, values_a_point: int) -> None:
    largest = MAX_JSON_VALUES // values_a_point
    if points > largest:
        msg = f"at most {largest:,} points at once can be answered so; {points:,} were sent"
        raise InvalidInput.at("body", "points", msg=msg)


def _json(answer: Assignment | Sample, headers: dict[str, str] | None = None) -> Response:
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type=media.JSON, headers=headers)
