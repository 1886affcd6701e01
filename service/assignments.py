"""Points' components, stored with the model that was trained on them or with the job that assigned
them: four bytes a point, six with outlier scores, in chunks.

An index tells which chunks have points of a component, so that a late page of a rare one reads
no more than it shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from service.tables import (
    AssignedChunk,
    AssignedChunkRow,
    AssignmentChunk,
    AssignmentChunkRow,
    JobAssignedChunkRow,
    JobAssignmentChunkRow,
    JobRow,
    ModelRow,
)

CHUNK_ROWS = 1 << 16
STORED = np.dtype("<u2")
WHOLE = np.iinfo(STORED).max  # the share 1
ASSIGNED = np.dtype([("row", "<i8"), ("component", "<u2"), ("confidence", "<f4")])
SCORED = np.dtype([*ASSIGNED.descr, ("outlier_score", "<f4")])
DIGITS = 4  # of a share that are known behind the point; more would be rounding's
SHARES = {"confidence": "confidences", "outlier_score": "outlier_scores"}  # as they are stored

Assigned = NDArray[Any]  # of ASSIGNED or SCORED; what was not kept is NaN


@dataclass(frozen=True)
class Source:
    """Whose points: where their assignments are, and what they look like."""

    of: str
    chunks: type[AssignmentChunk]
    index: type[AssignedChunk]
    dtype: np.dtype[Any]


def of_model(model: ModelRow) -> Source:
    """The training points of a model. Raises NotFound where it was imported."""
    if model.provenance["source"] == "imported":
        detail = f"model {model.id!r} was imported; its training points are not here"
        raise NotFound("assignments_not_found", detail)
    return Source(model.id, AssignmentChunkRow, AssignedChunkRow, SCORED)


def of_job(job: JobRow) -> Source:
    """The points of an assign job."""
    dtype = SCORED if "outlier_score" in (job.include or ()) else ASSIGNED
    return Source(job.id, JobAssignmentChunkRow, JobAssignedChunkRow, dtype)


def store(
    session: Session,
    source: Source,
    components: NDArray[np.integer[Any]],
    shares: Mapping[str, NDArray[np.floating[Any]]],
    first_row: int = 0,
) -> None:
    """Write the components of N points, (N,), which begin at a row, and their shares by name: the
    confidence and what else is kept, each (N,) in [0, 1]."""
    chunks: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    for at in range(0, len(components), CHUNK_ROWS):
        part = slice(at, at + CHUNK_ROWS)
        key = {"of": source.of, "first_row": first_row + at}
        stored = {SHARES[name]: _counted(values[part]) for name, values in shares.items()}
        chunks.append({**key, "components": components[part].astype(STORED).tobytes(), **stored})
        index += [{**key, "component": j} for j in np.unique(components[part]).tolist()]
    session.execute(insert(source.chunks), chunks)
    session.execute(insert(source.index), index)


def page(
    session: Session, source: Source, component: int | None, after: int, limit: int
) -> Page[AssignedRow]:
    """The points after row ``after``, of one component or of all. Raises NotFound."""
    found: list[AssignedRow] = []
    for first_row in first_rows(session, source, component, after + 1):
        chunk = read(session, source, first_row, component)
        chunk = chunk[chunk["row"] > after][: limit + 1 - len(found)]
        found += as_rows(chunk)
        if len(found) > limit:
            break
    return page_of(found[:limit], len(found) > limit, lambda item: item.row)


def pieces(session: Session, source: Source, component: int | None) -> Iterator[Assigned]:
    """All points of one component or of all, at least one piece. Raises NotFound."""
    found = first_rows(session, source, component)
    if not found:
        yield np.empty(0, source.dtype)
    for first_row in found:
        yield read(session, source, first_row, component)


def as_rows(assigned: Assigned) -> list[AssignedRow]:
    """The same as the API shows them."""
    names = assigned.dtype.names or ()
    shown: list[AssignedRow] = []
    for values in assigned.tolist():
        known = (None if value != value else round(value, DIGITS) for value in values)  # NaN
        shown.append(AssignedRow(**dict(zip(names, known, strict=True))))
    return shown


def as_table(assigned: Assigned) -> pa.Table:
    """The same as columns, what was not kept missing."""
    names = assigned.dtype.names or ()
    columns = [pa.array(np.ascontiguousarray(assigned[n]), from_pandas=True) for n in names]
    return pa.table(columns, list(names))


def as_text(assigned: Assigned) -> Assigned:
    """The same without the digits that are not known."""
    known = assigned.copy()
    for name in (known.dtype.names or ())[2:]:
        known[name] = np.round(known[name], DIGITS)
    return known


def first_rows(
    session: Session, source: Source, component: int | None, from_row: int = 0
) -> list[int]:
    """Where the chunks begin that have rows from ``from_row`` on."""
    if component is None:
        key = source.chunks.first_row
        query = select(key).where(source.chunks.of == source.of)
    else:
        key = source.index.first_row
        of_it = source.index.of == source.of, source.index.component == component
        query = select(key).where(*of_it)
    return list(session.scalars(query.where(key > from_row - CHUNK_ROWS).order_by(key)))


def read(session: Session, source: Source, first_row: int, component: int | None) -> Assigned:
    """The points of a chunk, those of one component or all. Raises NotFound."""
    chunk = session.get(source.chunks, (source.of, first_row))
    if chunk is None:  # since it was looked up
        raise NotFound("assignments_not_found", f"the assignments of {source.of!r} are gone")
    components = np.frombuffer(chunk.components, STORED)
    assigned = np.empty(len(components), source.dtype)
    assigned["row"] = np.arange(first_row, first_row + len(components))
    assigned["component"] = components
    for name in (source.dtype.names or ())[2:]:
        counted: bytes | None = getattr(chunk, SHARES[name])
        assigned[name] = np.nan
        if counted is not None:
            assigned[name] = np.frombuffer(counted, STORED) / np.float32(WHOLE)
    return assigned if component is None else assigned[components == component]


def _counted(shares: NDArray[np.floating[Any]]) -> bytes:
    """Shares of 1 as two bytes each."""
    counted: bytes = np.rint(shares * WHOLE).astype(STORED).tobytes()
    return counted
