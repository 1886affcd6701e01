"""Data sets: uploads, checked once and immutable after."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.datasets import Column, Dataset, DatasetOptions, PointRow
from service import blobs, jobs, quotas
from service.database import Database
from service.encoding import Encoding, some
from service.errors import Conflict, InvalidInput, NotFound
from service.ids import new_id
from service.ingest import Points, check_declared, read_points
from service.ownership import caller_of
from service.paging import page_of
from service.pixels import restored
from service.storage import Storage, disk_errors, seal
from service.table_types import utc_now
from service.tables import DatasetRow, JobRow

MAX_PAGE_VALUES = 1 << 20
LIVE = DatasetRow.deleted_at.is_(None)


@dataclass(frozen=True)
class Upload:
    """A file that a client sent, on disk for as long as the request lasts."""

    path: Path
    sha256: str
    bytes: int
    filename: str
    media_type: str  # as the client declares it


@contextmanager
def storing(
    database: Database,
    storage: Storage,
    upload: Upload,
    options: DatasetOptions,
    name: str | None,
    max_bytes: int,
) -> Iterator[tuple[Session, DatasetRow, bool]]:
    """A transaction with an upload's data set in it, and whether that is new.

    The same bytes of one owner with the same options are one data set. Whatever raises in here or
    in the block leaves nothing behind. Raises InvalidInput, TooLarge, UnsupportedMediaType, or
    Forbidden by quota.
    """
    check_declared(upload.path, upload.media_type, options.encoding)
    identity = _identity(upload, options)
    with database.write() as session:
        if known := _known(session, identity):
            yield session, known, False
            return
    with storage.scratch() as path:
        points = read_points(upload.path, path, options, max_bytes)
        draft = _row(upload, options, points, path, name)
        with blobs.intent(database, storage, draft.points_sha256) as intent:
            storage.adopt(path, draft.points_sha256)  # in no transaction: it may take minutes
            with database.write() as session:
                blobs.fulfil(session, intent)
                row, is_new = _add(session, draft)
                if is_new:
                    quotas.check_bytes(session)
                yield session, row, is_new


def get(session: Session, dataset_id: str) -> DatasetRow:
    """Raises NotFound."""
    row = session.get(DatasetRow, dataset_id)
    if row is None or row.deleted_at is not None:
        raise NotFound.of("dataset", dataset_id)
    return row


def hold(session: Session, dataset_id: str) -> DatasetRow:
    """The data set, which can't be deleted before the transaction ends. Raises NotFound."""
    query = select(DatasetRow).where(DatasetRow.id == dataset_id, LIVE)
    row = session.scalar(query.with_for_update(read=True, key_share=True))
    if row is None:
        raise NotFound.of("dataset", dataset_id)
    return row


def delete(database: Database, storage: Storage, dataset_id: str) -> None:
    """Forget a data set and its points. Raises NotFound, or Conflict while a job needs it."""
    with database.write() as session:
        query = select(DatasetRow).where(DatasetRow.id == dataset_id, LIVE)
        row = session.scalar(query.with_for_update())
        if row is None:
            raise NotFound.of("dataset", dataset_id)
        if needing := jobs.needing(session, JobRow.dataset_id == dataset_id):
            detail = (
                f"data set {dataset_id!r} is needed by {some(needing)}: jobs that have not ended "
                "or can be resumed; delete those first"
            )
            raise Conflict("dataset_in_use", detail)
        row.deleted_at, row.identity = utc_now(), None
    blobs.remove(database, storage, [row.points_sha256])


def view(row: DatasetRow) -> Dataset:
    """A data set as the API shows it."""
    return Dataset.model_validate(row, from_attributes=True)


def stored(storage: Storage, points_sha256: str) -> NDArray[Any]:
    """All points of a data set, (N, ...), mapped. Raises FileNotFoundError, StorageUnavailable."""
    with disk_errors():
        mapped: NDArray[Any] = np.load(storage.path(points_sha256), mmap_mode="r")
    return mapped


def chosen_rows(row: DatasetRow, rows: Sequence[int], after: int) -> Sequence[int]:
    """These rows, each once, behind ``after``. Raises InvalidInput for one that is not there."""
    for number in rows:
        if number >= row.rows:
            msg = f"there is no row {number}; data set {row.id} has 0 to {row.rows - 1}"
            raise InvalidInput.at("query", "row", msg=msg, code="row_not_found")
    each = list(dict.fromkeys(rows))
    return each[each.index(after) + 1 :] if after in each else each


def points(storage: Storage, row: DatasetRow, rows: Sequence[int], limit: int) -> NDArray[Any]:
    """The first of the points in these rows, (n, ...): at most ``limit``, fewer of large images.

    Raises NotFound or StorageUnavailable.
    """
    try:
        mapped = stored(storage, row.points_sha256)
    except FileNotFoundError as error:  # deleted since it was looked up
        detail = f"the points of data set {row.id!r} are no longer there"
        raise NotFound("dataset_not_found", detail) from error
    n = min(limit, max(1, MAX_PAGE_VALUES // prod(row.shape)))
    return np.array(mapped[np.array(rows[:n], np.int64)])


def rows_page(row: DatasetRow, points: NDArray[Any], rows: Sequence[int]) -> Page[PointRow]:
    """The first of the points in these rows as a page, in the data's own units."""
    shown = zip(rows, values_of(row.columns, points), strict=False)
    found = [PointRow(row=number, values=values) for number, values in shown]
    return page_of(found, len(found) < len(rows), lambda item: item.row)


def values_of(columns: list[dict[str, Any]], points: NDArray[Any]) -> list[Any]:
    """Points (n, ...) in the data's own units: by column, of images nested lists."""
    known = [Column.model_validate(column) for column in columns]
    if points.ndim > 2:
        images: list[Any] = restored(known[0], points).tolist()
        return images
    rows: list[Any] = Encoding(known).decode(points).to_pylist()
    return rows


def _identity(upload: Upload, options: DatasetOptions) -> str:
    """A hash of the bytes and of the options that are not the defaults."""
    chosen = json.dumps(_chosen(options), sort_keys=True)
    return hashlib.sha256(f"{upload.sha256} {chosen}".encode()).hexdigest()


def _chosen(options: DatasetOptions) -> dict[str, Any]:
    return options.model_dump(include=set(DatasetOptions.model_fields), exclude_defaults=True)


def _known(session: Session, identity: str | None) -> DatasetRow | None:
    own = DatasetRow.owner == caller_of(session).owner  # as admins are shown everyone's
    query = select(DatasetRow).where(own, DatasetRow.identity == identity)
    return session.scalar(query.with_for_update(read=True, key_share=True))


def _add(session: Session, draft: DatasetRow) -> tuple[DatasetRow, bool]:
    if known := _known(session, draft.identity):
        return known, False
    try:
        with session.begin_nested():
            session.add(draft)
    except IntegrityError:  # another request stored the same in this moment
        known = _known(session, draft.identity)
        if known is None:
            raise
        return known, False
    return draft, True


def _row(
    upload: Upload, options: DatasetOptions, points: Points, path: Path, name: str | None
) -> DatasetRow:
    return DatasetRow(
        id=new_id("ds"),
        name=(name or upload.filename.replace("\0", "") or "data set")[:200],
        format=points.format,
        bytes=upload.bytes,
        sha256=upload.sha256,
        options=_chosen(options),
        identity=_identity(upload, options),
        stored_bytes=path.stat().st_size,
        points_sha256=seal(path),
        rows=points.rows,
        shape=list(points.shape),
        dtype=points.dtype,
        columns=[column.model_dump() for column in points.columns],
        dialect=points.dialect and points.dialect.model_dump(),
        warnings=points.warnings,
    )
