"""Data sets: uploads, checked once and immutable after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.datasets import Dataset
from service import quotas
from service.database import Database
from service.errors import NotFound
from service.ids import new_id
from service.ingest import Points, read_points
from service.ownership import caller_of
from service.storage import Storage, seal
from service.tables import DatasetRow


@dataclass(frozen=True)
class Upload:
    """A file that a client sent, on disk for as long as the request lasts."""

    path: Path
    sha256: str
    bytes: int
    filename: str


@contextmanager
def storing(
    database: Database, storage: Storage, upload: Upload, name: str | None, max_bytes: int
) -> Iterator[tuple[Session, DatasetRow, bool]]:
    """A transaction with an upload's data set in it, and whether that is new.

    The same bytes of one owner are one data set. Whatever raises in here or in the block leaves
    nothing behind. Raises InvalidInput, TooLarge, UnsupportedMediaType, or Forbidden by quota.
    """
    with storage.scratch() as path:
        points = read_points(upload.path, path, max_bytes)
        draft = _row(upload, points, path, name)
        with database.write() as session:
            row, is_new = _add(session, draft)
            if is_new:
                quotas.check_bytes(session)
            yield session, row, is_new
            if is_new:
                storage.adopt(path, row.points_sha256)


def get(session: Session, dataset_id: str) -> DatasetRow:
    """Raises NotFound."""
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound.of("dataset", dataset_id)
    return row


def view(row: DatasetRow) -> Dataset:
    """A data set as the API shows it."""
    return Dataset.model_validate(row, from_attributes=True)


def _add(session: Session, draft: DatasetRow) -> tuple[DatasetRow, bool]:
    own = DatasetRow.owner == caller_of(session).owner
    same = select(DatasetRow).where(own, DatasetRow.sha256 == draft.sha256)
    if known := session.scalars(same).first():
        return known, False
    try:
        with session.begin_nested():
            session.add(draft)
    except IntegrityError:  # another request stored the same bytes in this moment
        return session.scalars(same).one(), False
    return draft, True


def _row(upload: Upload, points: Points, path: Path, name: str | None) -> DatasetRow:
    return DatasetRow(
        id=new_id("ds"),
        name=(name or upload.filename.replace("\0", "") or "data set")[:200],
        format=points.format,
        bytes=upload.bytes,
        sha256=upload.sha256,
        stored_bytes=path.stat().st_size,
        points_sha256=seal(path),
        rows=points.rows,
        shape=list(points.shape),
        dtype=points.dtype,
        columns=[column.model_dump() for column in points.columns],
        warnings=points.warnings,
    )
