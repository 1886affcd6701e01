"""Data sets: uploads, checked once and immutable after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.datasets import Dataset
from service.errors import NotFound
from service.ids import new_id
from service.ingest import Points, read_points
from service.storage import Storage, file_sha256
from service.tables import DatasetRow


@dataclass(frozen=True)
class Upload:
    """A file that a client sent, on disk for as long as the request lasts."""

    path: Path
    sha256: str
    bytes: int
    filename: str


@dataclass(frozen=True)
class Draft:
    """A checked upload that is not stored yet: its row, and its points in a scratch file."""

    row: DatasetRow
    points: Path


@contextmanager
def drafted(storage: Storage, upload: Upload, name: str | None) -> Iterator[Draft]:
    """Check an upload. Raises InvalidInput or UnsupportedMediaType."""
    with storage.scratch() as path:
        points = read_points(upload.path, path)
        yield Draft(_row(upload, points, file_sha256(path), name), path)


def add(session: Session, storage: Storage, draft: Draft) -> tuple[DatasetRow, bool]:
    """Store a draft; returns its row and whether it is new: the same bytes are one data set."""
    try:
        with session.begin_nested():
            if known := session.scalars(_of_bytes(draft.row.sha256)).first():
                return known, False
            session.add(draft.row)
    except IntegrityError:  # another request stored the same bytes in this moment
        return session.scalars(_of_bytes(draft.row.sha256)).one(), False
    storage.adopt(draft.points, draft.row.points_sha256)
    return draft.row, True


def get(session: Session, dataset_id: str) -> DatasetRow:
    """Raises NotFound."""
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound.of("dataset", dataset_id)
    return row


def view(row: DatasetRow) -> Dataset:
    """A data set as the API shows it."""
    return Dataset.model_validate(row, from_attributes=True)


def _of_bytes(sha256: str) -> Select[DatasetRow]:
    return select(DatasetRow).where(DatasetRow.sha256 == sha256)


def _row(upload: Upload, points: Points, points_sha256: str, name: str | None) -> DatasetRow:
    return DatasetRow(
        id=new_id("ds"),
        name=(name or upload.filename or "data set")[:200],
        format=points.format,
        bytes=upload.bytes,
        sha256=upload.sha256,
        points_sha256=points_sha256,
        rows=points.rows,
        shape=list(points.shape),
        dtype=points.dtype,
        columns=[column.model_dump() for column in points.columns],
        warnings=points.warnings,
    )
