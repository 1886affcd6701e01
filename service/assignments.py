"""The training points' components, stored with their model: four bytes a point, in chunks.

An index tells which chunks have points of a component, so that a late page of a rare one reads
no more than it shows.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.models import AssignedRow
from service.errors import NotFound
from service.paging import page_of
from service.tables import AssignedChunkRow, AssignmentChunkRow, ModelRow

CHUNK_ROWS = 1 << 16
STORED = np.dtype("<u2")
WHOLE = np.iinfo(STORED).max  # the confidence 1
ASSIGNED = np.dtype([("row", "<i8"), ("component", "<u2"), ("confidence", "<f4")])

Assigned = NDArray[Any]  # of ASSIGNED; a confidence that was not kept is NaN


def store(
    session: Session,
    model_id: str,
    partition: NDArray[np.int64],
    confidence: NDArray[np.float32],
) -> None:
    """Write the components of N points, (N,), and their confidence in [0, 1], (N,)."""
    chunks: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    for at in range(0, len(partition), CHUNK_ROWS):
        components = partition[at : at + CHUNK_ROWS].astype(STORED)
        shares = np.rint(confidence[at : at + CHUNK_ROWS] * WHOLE).astype(STORED)
        key = {"model_id": model_id, "first_row": at}
        chunks.append({**key, "components": components.tobytes(), "confidences": shares.tobytes()})
        index += [{**key, "component": j} for j in np.unique(components).tolist()]
    session.execute(insert(AssignmentChunkRow), chunks)
    session.execute(insert(AssignedChunkRow), index)


def page(
    session: Session, model: ModelRow, component: int | None, after: int, limit: int
) -> Page[AssignedRow]:
    """Training points after row ``after``, of one component or of all. Raises NotFound."""
    found: list[AssignedRow] = []
    for first_row in _first_rows(session, model, component, after + 1):
        chunk = _read(session, model.id, first_row, component)
        chunk = chunk[chunk["row"] > after][: limit + 1 - len(found)]
        found += [
            AssignedRow(row=row, component=j, confidence=None if np.isnan(share) else share)
            for row, j, share in chunk.tolist()
        ]
        if len(found) > limit:
            break
    return page_of(found[:limit], len(found) > limit, lambda item: item.row)


def pieces(session: Session, model: ModelRow, component: int | None) -> Iterator[Assigned]:
    """All training points of one component or of all, at least one piece. Raises NotFound."""
    first_rows = _first_rows(session, model, component, 0)
    if not first_rows:
        yield np.empty(0, ASSIGNED)
    for first_row in first_rows:
        yield _read(session, model.id, first_row, component)


def as_table(assigned: Assigned) -> pa.Table:
    """The same as columns, a confidence that was not kept missing."""
    names = ASSIGNED.names or ()
    columns = [pa.array(np.ascontiguousarray(assigned[n]), from_pandas=True) for n in names]
    return pa.table(columns, list(names))


def _first_rows(
    session: Session, model: ModelRow, component: int | None, from_row: int
) -> list[int]:
    """Where the chunks begin that have rows from ``from_row`` on."""
    if model.provenance["source"] == "imported":
        detail = f"model {model.id!r} was imported; its training points are not here"
        raise NotFound("assignments_not_found", detail)
    if component is None:
        query = select(AssignmentChunkRow.first_row).where(AssignmentChunkRow.model_id == model.id)
        key = AssignmentChunkRow.first_row
    else:
        query = select(AssignedChunkRow.first_row).where(
            AssignedChunkRow.model_id == model.id, AssignedChunkRow.component == component
        )
        key = AssignedChunkRow.first_row
    return list(session.scalars(query.where(key > from_row - CHUNK_ROWS).order_by(key)))


def _read(session: Session, model_id: str, first_row: int, component: int | None) -> Assigned:
    """The points of a chunk, those of one component or all. Raises NotFound."""
    chunk = session.get(AssignmentChunkRow, (model_id, first_row))
    if chunk is None:  # since it was looked up
        raise NotFound.of("model", model_id)
    components = np.frombuffer(chunk.components, STORED)
    assigned = np.empty(len(components), ASSIGNED)
    assigned["row"] = np.arange(first_row, first_row + len(components))
    assigned["component"] = components
    assigned["confidence"] = np.nan
    if chunk.confidences is not None:
        assigned["confidence"] = np.frombuffer(chunk.confidences, STORED) / np.float32(WHOLE)
    return assigned if component is None else assigned[components == component]
