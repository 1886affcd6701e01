"""/v2: the Open Inference Protocol"""

from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from sqlalchemy import select

from api_schemas.inference import AssignField
from api_schemas.oip import (
    InferError,
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    OutputName,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from service import assigning, media, models, oip, openapi
from service.dependencies import OpenPartsDep, Parts, PartsDep
from service.errors import NotFound
from service.routing import GuardedRoute
from service.tables import ModelRow
from trainer.points import Points

PLATFORM = "kvae"
FEW_BYTES = 1 << 14  # of a body that is parsed on the event loop
FEW_VALUES = 1 << 11  # of points that are computed with those of other requests
FIELDS: dict[OutputName, str] = {"component": "components"}  # what differs in name

TAG = "open inference protocol"
PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {"model": InferError, "description": "What is wrong"}
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": InferError, "description": HTTPStatus(status).phrase}
    for status in (401, 403, 429)
}

router = APIRouter(
    prefix=oip.PREFIX,
    tags=[TAG],
    responses={**PROBLEM, **REFUSALS},
    route_class=GuardedRoute,
)
probes = APIRouter(prefix=f"{oip.PREFIX}/health", tags=[TAG], responses=PROBLEM)
INFER: dict[str, Any] = {
    "response_model": InferResponse,
    "response_model_exclude_none": True,
    "responses": {200: {"content": {media.OCTETS: {"schema": openapi.BINARY}}}},
    "openapi_extra": openapi.body(
        {media.JSON: openapi.ref("InferRequest"), media.OCTETS: openapi.BINARY}
    ),
}


async def received_tensors(
    request: Request,
    parts: PartsDep,
    json_length: Annotated[str | None, Header(alias=oip.JSON_LENGTH)] = None,
) -> tuple[InferRequest, Points]:
    body = await request.body()
    cap = parts.settings.max_json_bytes
    if len(body) <= FEW_BYTES:
        return oip.parse(body, json_length, cap)
    return await run_in_threadpool(oip.parse, body, json_length, cap)


Received = Annotated[tuple[InferRequest, Points], Depends(received_tensors)]


@router.get("")
def server_metadata() -> ServerMetadata:
    """Who answers, and what it can do beyond the protocol's core."""
    extensions = ["binary_tensor_data"]
    return ServerMetadata(name="kvae", version=version_of("kvae"), extensions=extensions)


@probes.get("/live")
async def server_live() -> ServerLive:  # in no thread, as healthz
    """The process answers."""
    return ServerLive()


@probes.get("/ready")
def server_ready(parts: OpenPartsDep) -> ServerReady:
    """The database can be reached, so that models can be found."""
    with parts.database.read() as session:
        session.execute(select(1))
    return ServerReady()


@router.get("/models/{name}")
def model_metadata(parts: PartsDep, name: str) -> ModelMetadata:
    """Inputs and outputs of a model, by alias or id."""
    return _metadata(name, _find(parts, name))


@router.get("/models/{name}/versions/{version}")
def version_metadata(parts: PartsDep, name: str, version: str) -> ModelMetadata:
    """The same; the one version of an alias is the id of the model that it names now."""
    return _metadata(name, _find(parts, name, version))


@router.get("/models/{name}/ready")
def model_ready(parts: PartsDep, name: str) -> ModelReady:
    """The model is there."""
    _find(parts, name)
    return ModelReady(name=name)


@router.get("/models/{name}/versions/{version}/ready")
def version_ready(parts: PartsDep, name: str, version: str) -> ModelReady:
    """The alias names this model now."""
    _find(parts, name, version)
    return ModelReady(name=name)


@router.post("/models/{name}/infer", **INFER)
async def infer(parts: PartsDep, name: str, received: Received) -> Response:
    """The `component` of each point and, where `outputs` name them, `log_densities` (N, K) or
    the `posterior` (N, K).
    """
    return await _infer(parts, name, None, *received)


@router.post("/models/{name}/versions/{version}/infer", **INFER)
async def infer_by_version(
    parts: PartsDep, name: str, version: str, received: Received
) -> Response:
    """The same, if the alias names this model now."""
    return await _infer(parts, name, version, *received)


async def _infer(
    parts: Parts, name: str, version: str | None, request: InferRequest, points: Points
) -> Response:
    if oip.wanted(request) == ["component"] and points.size <= FEW_VALUES:
        found = await parts.inference.assign(parts.database, name, lambda spec: spec.batch(points))
        _check_version(name, version, found.model_id)
        answer = _answer(request, name, found.model_id, {"component": found.components})
    else:
        answer = await run_in_threadpool(_compute, parts, name, version, request, points)
    parts.metrics.assigned_rows.inc(len(points))
    return answer


def _compute(
    parts: Parts,
    name: str,
    version: str | None,
    request: InferRequest,
    points: Points,
) -> Response:
    model = _find(parts, name, version)
    oip.check_size(request, len(points), len(model.alpha))
    mixture, spec = parts.inference.cache.get(model.id)
    outputs = oip.wanted(request)
    fields: list[AssignField] = [output for output in outputs if output != "component"]
    pieces = [*assigning.assigned(parts.inference, mixture, spec.batch(points), fields)]
    tensors = {
        output: np.concatenate([piece[FIELDS.get(output, output)] for piece in pieces])
        for output in outputs
    }
    return _answer(request, name, model.id, tensors)


def _answer(
    request: InferRequest, name: str, model_id: str, tensors: dict[OutputName, NDArray[Any]]
) -> Response:
    outputs = [oip.described(output, tensor) for output, tensor in tensors.items()]
    response = InferResponse(
        model_name=name, model_version=model_id, id=request.id, outputs=outputs
    )
    body, json_length = oip.answer(request, response, list(tensors.values()))
    if json_length is None:
        return Response(body, media_type=media.JSON)
    return Response(body, media_type=media.OCTETS, headers={oip.JSON_LENGTH: str(json_length)})


def _find(parts: Parts, name: str, version: str | None = None) -> ModelRow:
    with parts.database.read() as session:
        model = models.get(session, name)
    _check_version(name, version, model.id)
    return model


def _check_version(name: str, version: str | None, model_id: str) -> None:
    if version not in (None, model_id):
        detail = f"model {name!r} has no version {version!r}; its one version is {model_id!r}"
        raise NotFound("version_not_found", detail)


def _metadata(name: str, model: ModelRow) -> ModelMetadata:
    k = len(model.alpha)
    return ModelMetadata(
        name=name,
        versions=[model.id],
        platform=PLATFORM,
        inputs=[TensorMetadata(name="points", datatype="FP64", shape=[-1, *model.shape])],
        outputs=[
            TensorMetadata(name="component", datatype="INT64", shape=[-1]),
            TensorMetadata(name="log_densities", datatype="FP32", shape=[-1, k]),
            TensorMetadata(name="posterior", datatype="FP32", shape=[-1, k]),
        ],
    )
