"""Bytes of the Open Inference Protocol: JSON, then tensors as bytes where they are asked for."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from api_schemas.oip import (
    Datatype,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    OutputName,
    RequestedOutput,
)
from service.errors import BadRequest, TooLarge, plain
from service.nested import NotNumbers, numbers

PREFIX = "/v2"
MAX_BYTES = 256 << 20  # of a body, which is held in memory as a whole
JSON_LENGTH = "Inference-Header-Content-Length"
LENGTH_DIGITS = 10
MAX_VALUES, MAX_JSON_VALUES = 1 << 26, 1 << 21  # of an answer, which is held as a whole too
DTYPES: dict[Datatype, np.dtype[Any]] = {
    "UINT8": np.dtype("u1"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}


def is_spoken_at(path: str) -> bool:
    """Whether a path is the protocol's, which has errors of its own shape."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def parse(
    body: bytes, json_length: str | None, max_json_bytes: int
) -> tuple[InferRequest, NDArray[Any]]:
    """A request and its points. Raises BadRequest or TooLarge."""
    length = _length(body, json_length)
    if length > max_json_bytes:
        raise TooLarge("body_too_large", f"the JSON is larger than {max_json_bytes:,} bytes")
    try:
        request = InferRequest.model_validate_json(body[:length])
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise _bad(f"{where}: {plain(found)}" if where else plain(found)) from error
    (points,) = request.inputs
    return request, _array(points, memoryview(body)[length:])


def wanted(request: InferRequest) -> list[OutputName]:
    """The outputs that are asked for. Raises BadRequest when one is twice."""
    names: list[OutputName] = [output.name for output in request.outputs] or ["component"]
    if len(set(names)) < len(names):
        raise _bad("an output is asked for twice")
    return names


def check_size(request: InferRequest, points: int, components: int) -> None:
    """Raise BadRequest when too much is asked for, before it is computed."""
    binary = _binary(request)
    sizes = {name: points * (name == "component" or components) for name in wanted(request)}
    if sum(sizes.values()) > MAX_VALUES:
        raise _bad(f"at most {MAX_VALUES:,} values are answered at once")
    if sum(size for name, size in sizes.items() if name not in binary) > MAX_JSON_VALUES:
        raise _bad(f"at most {MAX_JSON_VALUES:,} values are answered as JSON; ask for binary_data")


def answer(
    request: InferRequest, response: InferResponse, tensors: list[NDArray[Any]]
) -> tuple[bytes, int | None]:
    """The bytes of an answer and, if tensors follow it, the length of the JSON.

    ``tensors`` are the values of ``response.outputs``.
    """
    asked = _binary(request)
    binary: list[bytes] = []
    for output, tensor in zip(response.outputs, tensors, strict=True):
        if output.name in asked:
            binary.append(tensor.tobytes())
            output.parameters = {"binary_data_size": tensor.nbytes}
        else:
            output.data = tensor.ravel().tolist()
    text = response.model_dump_json(exclude_none=True).encode()
    return b"".join([text, *binary]), len(text) if binary else None


def described(name: OutputName, tensor: NDArray[Any]) -> InferOutput:
    """An output without its values."""
    datatype = next(kind for kind, dtype in DTYPES.items() if dtype == tensor.dtype)
    return InferOutput(name=name, shape=list(tensor.shape), datatype=datatype)


def _binary(request: InferRequest) -> set[OutputName]:
    """The outputs whose values are to follow as bytes."""
    default = request.parameters.get("binary_data_output", False)
    outputs = request.outputs or [RequestedOutput(name="component")]
    return {output.name for output in outputs if output.parameters.get("binary_data", default)}


def _length(body: bytes, json_length: str | None) -> int:
    if json_length is None:
        return len(body)
    is_length = json_length.isdecimal() and len(json_length) <= LENGTH_DIGITS
    if not is_length or int(json_length) > len(body):
        raise _bad(f"{JSON_LENGTH} is {json_length[:100]!r} of a body of {len(body)} bytes")
    return int(json_length)


def _array(points: InferInput, binary: memoryview) -> NDArray[Any]:
    size = points.parameters.get("binary_data_size")
    if (size is None) == (points.data is None):
        raise _bad("input 'points' needs either data or the parameter binary_data_size")
    if points.data is not None and not binary:
        return _from_json(points, points.data)
    if size != len(binary):
        raise _bad(f"input 'points': binary_data_size is {size}; {len(binary)} bytes follow")
    return _from_bytes(points, binary)


def _from_bytes(points: InferInput, binary: memoryview) -> NDArray[Any]:
    dtype = DTYPES[points.datatype]
    if prod(points.shape) * dtype.itemsize != len(binary):
        raise _bad(f"input 'points': {len(binary)} bytes are not {_kind(points)}")
    return np.frombuffer(binary, dtype).reshape(points.shape)


def _from_json(points: InferInput, data: list[Any]) -> NDArray[Any]:
    try:
        array = numbers(data)
    except NotNumbers as error:
        where = "".join(f"[{i}]" for i in error.loc)
        raise _bad(f"input 'points': data{where}: {error}") from error
    is_flat = array.ndim == 1 and array.size == prod(points.shape)
    if not is_flat and list(array.shape) != points.shape:
        raise _bad(f"input 'points': data of shape {list(array.shape)} is not {_kind(points)}")
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(DTYPES[points.datatype])
    if converted.dtype.kind in "iu" and not np.array_equal(converted, array):
        raise _bad(f"input 'points': not all of data is {points.datatype}")
    return converted.reshape(points.shape)


def _kind(points: InferInput) -> str:
    return f"{points.datatype} of shape {points.shape}"


def _bad(detail: str) -> BadRequest:
    return BadRequest("invalid_input", detail)
