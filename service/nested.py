"""JSON that a body or a field holds; nested lists of numbers become arrays."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from api_schemas.common import ProblemError
from service.errors import BadRequest

MAX_INTEGER = int(np.finfo(np.float64).max)


def parse_json(text: str | bytes, *field: str) -> Any:
    """What a body, or a field of it, holds. Raises BadRequest."""
    try:
        return from_json(text)
    except ValueError as error:
        where = ProblemError(loc=["body", *field], msg=f"Invalid JSON: {error}")
        detail = f"{'.'.join(('body', *field))}: {where.msg}"
        raise BadRequest("malformed_json", detail, [where]) from error


class NotNumbers(ValueError):
    """Lists that are no array of numbers: what is wrong, and the indices of where."""

    def __init__(self, msg: str, *loc: int) -> None:
        super().__init__(msg)
        self.loc = loc


def numbers(nested: list[Any]) -> NDArray[Any]:
    """An array of int64 or float64 in the shape of the lists. Raises NotNumbers.

    Its leaves are looked at as they are: of text numpy would make as much of each as is longest,
    and of true a number.
    """
    leaves = np.array(nested, object)
    kinds = set(map(type, leaves.flat))
    if list in kinds:
        raise NotNumbers("rows differ in length")
    if kinds <= {int, float}:
        for dtype in (np.float64,) if float in kinds else (np.int64, np.float64):
            with suppress(OverflowError):
                return leaves.astype(dtype)
    at = next(at for at, leaf in enumerate(leaves.flat) if not is_number(leaf))
    loc = (int(i) for i in np.unravel_index(at, leaves.shape))
    raise NotNumbers(f"{shown(leaves.flat[at])} is not a number", *loc)


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number that arrays can hold."""
    if isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INTEGER


def shown(value: object) -> str:
    """A value as JSON, for an error."""
    return json.dumps(value)[:100]
