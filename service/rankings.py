"""Assignments in the order of their confidence or outlier score: points on a border, outliers.

Every chunk is looked through, some bytes a point; what is kept meanwhile is a page.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.models import AssignedRow
from service.assignments import Assigned, Source, as_rows, first_rows, read
from service.errors import InvalidInput
from service.paging import page_of

Order = Literal["row", "confidence", "outlier_score"]

SIGNS = {"confidence": 1, "outlier_score": -1}  # lowest first, highest first


def page(
    session: Session, source: Source, order: Order, component: int | None, after: int, limit: int
) -> Page[AssignedRow]:
    """The points behind row ``after`` (-1: from the first) in an order, ties by row.

    Raises NotFound, or InvalidInput where what they are to be ordered by was not kept.
    """
    begin = _of_row(session, source, after)
    best = np.empty(0, source.dtype)
    for first_row in first_rows(session, source, component):
        chunk = read(session, source, first_row, component)
        _check_kept(chunk, order)
        if after >= 0:
            chunk = chunk[_is_behind(chunk, begin, order)]
        best = _first(np.concatenate([best, chunk]), order, limit + 1)
    return page_of(as_rows(best[:limit]), len(best) > limit, lambda item: item.row)


def _of_row(session: Session, source: Source, row: int) -> Assigned:
    """The record of a row; empty where there is none."""
    found = np.empty(0, source.dtype)
    for first_row in first_rows(session, source, None, row)[: row >= 0]:
        chunk = read(session, source, first_row, None)
        found = chunk[chunk["row"] == row]
    return found


def _check_kept(chunk: Assigned, order: Order) -> None:
    if order not in (chunk.dtype.names or ()) or np.isnan(chunk[order]).any():
        msg = f"no {order} of these points was kept"
        raise InvalidInput.at("query", "order", msg=msg, code="not_kept")


def _keys(assigned: Assigned, order: Order) -> NDArray[np.floating[Any]]:
    keys: NDArray[np.floating[Any]] = assigned[order] * SIGNS[order]
    return keys


def _is_behind(chunk: Assigned, begin: Assigned, order: Order) -> NDArray[np.bool_]:
    """Which points follow the one of ``begin``; none where that is empty."""
    keys = _keys(chunk, order)
    behind = np.zeros(len(chunk), np.bool_)
    for key, row in zip(_keys(begin, order), begin["row"], strict=True):
        behind = (keys > key) | (keys == key) & (chunk["row"] > row)
    return behind


def _first(assigned: Assigned, order: Order, n: int) -> Assigned:
    """The first ``n`` in the order."""
    if len(assigned) > n:
        keys = _keys(assigned, order)
        assigned = assigned[keys <= np.partition(keys, n - 1)[n - 1]]
    return assigned[np.lexsort((assigned["row"], _keys(assigned, order)))][:n]
