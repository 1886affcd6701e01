"""Points to assign as a body, and the answer as what came in."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from api_schemas.inference import AssignField
from client import media
from client.bodies import Body, array_body, is_pandas, is_table, table_body
from client.samples import read_array, read_arrays, read_table


def to_assign(points: Any) -> Body:
    """Raises TypeError."""
    if isinstance(points, np.ndarray):
        return array_body(points)
    if is_table(points):
        return table_body(points)
    takes = "a NumPy array, a table of pandas or pyarrow, or a list"
    raise TypeError(f"points are {takes}, not {type(points).__name__}")


def answer_type(points: Any, include: Sequence[AssignField]) -> str:
    """The media type to ask for."""
    if isinstance(points, np.ndarray):
        return media.NPZ if include else media.NPY
    return media.ARROW


def assigned(points: Any, include: Sequence[AssignField], content: bytes) -> Any:
    """What `KVAE.assign` returns, of such an answer."""
    if isinstance(points, np.ndarray):
        return read_arrays(content) if include else read_array(content)
    table = read_table(content)
    return table.to_pandas().set_index(points.index) if is_pandas(points) else table
