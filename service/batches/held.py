"""Bodies held in memory: JSON, as nested lists or as records by name, and small NPY."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from api_schemas.datasets import Column
from api_schemas.inference import AssignRequest
from service.batches.batch import Batch, Pieces, PointSpec
from service.encoding import Encoding
from service.errors import InvalidInput, plain
from service.nested import NotNumbers, is_number, numbers, parse_json, shown
from trainer.npy import parse_npy


def open_npy(data: bytes, spec: PointSpec) -> Batch:
    """Raises InvalidPoints."""
    return spec.batch(parse_npy(data))


def open_json(data: bytes, spec: PointSpec) -> Batch:
    """Raises BadRequest, InvalidInput or InvalidPoints."""
    points = _given_points(data)
    if any(isinstance(point, dict) for point in points):
        return _from_records(points, spec.table(), spec)
    if spec.encoding and not spec.encoding.is_plain:
        return _from_records(list(_named(points, spec.encoding)), spec.encoding, spec)
    try:
        return Batch(spec.cut(numbers(points)))
    except NotNumbers as error:
        raise InvalidInput.at("body", "points", *error.loc, msg=str(error)) from error


def _given_points(data: bytes) -> list[Any]:
    """The nested lists or records of a body. Parsed first: pydantic, asked to, is far slower."""
    try:
        return AssignRequest.model_validate(parse_json(data)).points
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInput.at("body", *first["loc"], msg=plain(first)) from error


def _from_records(points: list[Any], encoding: Encoding, spec: PointSpec) -> Batch:
    """Points by the names of their columns; what a record leaves out is missing."""
    names: dict[str, None] = {}
    for row, point in enumerate(points):
        if not isinstance(point, dict):
            raise InvalidInput.at("body", "points", row, msg="not a record, as others are")
        names |= dict.fromkeys(point)
    encoding.check_names(list(names))
    used = set(encoding.names)
    return Batch(_encoded(points, encoding, spec), [name for name in names if name not in used])


def _encoded(points: list[dict[str, Any]], encoding: Encoding, spec: PointSpec) -> Pieces:
    """A piece at a time: what a record leaves out takes no room in JSON."""
    for at in range(0, len(points), spec.piece_rows):
        rows = points[at : at + spec.piece_rows]
        columns = {column.name: _column(rows, column, at) for column in encoding.columns}
        yield encoding.encode(pa.table(columns), at)


def _named(points: list[Any], encoding: Encoding) -> Iterator[dict[str, Any]]:
    """Rows in the order of the data's own columns, as records."""
    for row, point in enumerate(points):
        width = len(point) if isinstance(point, list) else 0
        if width != len(encoding.names):
            msg = f"{width} values; the model was trained on {len(encoding.names)} columns"
            raise InvalidInput.at("body", "points", row, msg=msg, code="invalid_points")
        yield dict(zip(encoding.names, point, strict=True))


def _column(points: list[dict[str, Any]], column: Column, first_row: int) -> pa.Array:
    """The values of a column, None where one is missing. Raises InvalidInput."""
    values = [point.get(column.name) for point in points]
    to_value, fits, kind = RULES.get(column.type, NUMBER)
    for row, value in enumerate(values, first_row):
        if value is not None and not fits(value):
            msg = f"{shown(value)} is not {kind}"
            raise InvalidInput.at("body", "points", row, column.name, msg=msg)
    return pa.array([None if value is None else to_value(value) for value in values])


Rule = tuple[Callable[[Any], Any], Callable[[Any], bool], str]  # what makes a value, of what kind
NUMBER: Rule = (float, is_number, "a number")
RULES: dict[str, Rule] = {
    "boolean": (bool, lambda value: value in (0, 1) and not isinstance(value, str), "a boolean"),
    "category": (
        lambda value: value if isinstance(value, str) else json.dumps(value),
        lambda value: isinstance(value, str) or is_number(value),
        "text",
    ),
}
