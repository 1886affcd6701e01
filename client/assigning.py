"""Points to assign as a body, and the answer as what came in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.inference import AssignField
from client import media
from client.bodies import Body, array_body, is_pandas, is_table, table_body
from client.samples import read_array, read_table

FIELDS = {"component": "components", "log_density": "log_densities"}  # by their names in tables


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
    return media.NPY if isinstance(points, np.ndarray) and not include else media.ARROW


def assigned(points: Any, include: Sequence[AssignField], content: bytes) -> Any:
    """What `KVAE.assign` returns, of such an answer."""
    if answer_type(points, include) == media.NPY:
        return read_array(content)
    table = read_table(content)
    if is_pandas(points):
        return table.to_pandas().set_index(points.index)
    return _arrays(table) if isinstance(points, np.ndarray) else table


def _arrays(table: Any) -> dict[str, NDArray[Any]]:
    """Columns (N,) by field; posterior_0, posterior_1, ... side by side as posterior, (N, K)."""
    arrays: dict[str, NDArray[Any]] = {}
    wide: dict[str, list[NDArray[Any]]] = {}
    for column in table.column_names:
        values = table.column(column).to_numpy()
        name, _, j = column.rpartition("_")
        if j.isdecimal():
            wide.setdefault(FIELDS.get(name, name), []).append(values)
        else:
            arrays[FIELDS.get(column, column)] = values
    return arrays | {field: np.stack(columns, 1) for field, columns in wide.items()}
