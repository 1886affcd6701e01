"""Content types in and out: which one a request has and wants, and how arrays become bytes."""

import io
import json
from typing import Any

import numpy as np
from fastapi import Response
from numpy.typing import NDArray
from pydantic import ValidationError

from api_schemas.common import ProblemError
from api_schemas.inference import AssignRequest
from service.errors import BadRequest, InvalidInput, NotAcceptable, UnsupportedMediaType
from trainer.npy import MAGIC, parse_npy

JSON = "application/json"
NPY = "application/x-npy"
PNG = "image/png"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ZIP = "application/zip"


def choose(accept: str | None, offered: list[str]) -> str:
    """The offered type that an Accept header likes best. Raises NotAcceptable."""
    wanted = [_preference(part) for part in (accept or "*/*").split(",")]
    qualities = {media: _quality(media, wanted) for media in offered}
    best = max(offered, key=lambda media: qualities[media])
    if not qualities[best]:
        raise NotAcceptable(
            "not_acceptable", f"this can be answered as {', '.join(offered)}, not as {accept}"
        )
    return best


def base_type(content_type: str | None) -> str:
    """A Content-Type without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def parse_points(body: bytes, content_type: str | None) -> NDArray[Any]:
    """The points of an assign request, as JSON or NPY. Raises ServiceError or InvalidPoints."""
    media = base_type(content_type)
    if media == JSON:
        return _points_from_json(body)
    if media == NPY or body.startswith(MAGIC):
        return parse_npy(body)
    raise UnsupportedMediaType(
        "unsupported_media_type",
        f"points are taken as {JSON} or {NPY}, not as {media or 'nothing'}",
    )


def npy_response(array: NDArray[Any], headers: dict[str, str] | None = None) -> Response:
    """An array as the answer."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return Response(buffer.getvalue(), media_type=NPY, headers=headers)


def _points_from_json(body: bytes) -> NDArray[Any]:
    try:
        points = AssignRequest.model_validate_json(body).points
    except ValidationError as error:
        raise _invalid_json(error) from error
    try:
        array = np.asarray(points)
    except ValueError as error:
        raise InvalidInput.at("body", "points", msg="rows differ in length") from error
    if array.dtype.kind not in "iuf":
        *loc, value = _first_non_number(points, [])
        raise InvalidInput.at(
            "body", "points", *loc, msg=f"{json.dumps(value)[:100]} is not a number"
        )
    return array


def _invalid_json(error: ValidationError) -> BadRequest | InvalidInput:
    found = error.errors(include_url=False)
    errors = [ProblemError(loc=["body", *e["loc"]], msg=e["msg"]) for e in found]
    detail = "; ".join(f"{'.'.join(map(str, e.loc))}: {e.msg}" for e in errors)
    if any(e["type"] == "json_invalid" for e in found):
        return BadRequest("malformed_json", detail, errors)
    return InvalidInput("invalid_input", detail, errors)


def _first_non_number(value: Any, loc: list[Any]) -> list[Any]:
    """Path to the first leaf that is no number, then the leaf; just the path's start if none."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if found := _first_non_number(item, [*loc, index]):
                return found
        return []
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if is_number and abs(value) < 2**63 else [*loc, value]


def _preference(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return media.lower(), float(quality)
    except ValueError:
        return media.lower(), 0.0


def _quality(media: str, wanted: list[tuple[str, float]]) -> float:
    ranges = (media, media.split("/")[0] + "/*", "*/*")
    return next((q for wide in ranges for name, q in wanted if name == wide), 0.0)
