"""Which blobs are needed, and the end of those that are not.

A blob is needed while a row names it: a data set, a checkpoint that is kept, or an intent. The
intent is committed before the blob's first byte is stored, and goes in the transaction that brings
the row it is stored for. Whoever deletes looks for all three while no intent can begin or end, and
deletes before others can go on. So neither order loses a blob that is needed, on no storage, by no
clock: an intent that comes first is seen, and one that comes later stores the bytes again.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import delete, select, text, union
from sqlalchemy.orm import Session

from service import clock
from service.database import Database
from service.errors import StorageUnavailable
from service.ids import new_id
from service.storage import Storage
from service.tables import CheckpointRow, DatasetRow, IntentRow

INTENT_LASTS = timedelta(days=1)  # then its process was killed

log = logging.getLogger(__name__)


@contextmanager
def intent(database: Database, storage: Storage, sha256: str) -> Iterator[IntentRow]:
    """Around storing a blob and then, in a transaction with `fulfil`, the row that names it.

    If the block raises, the blob goes again unless others need it.
    """
    row = IntentRow(id=new_id("int"), sha256=sha256)
    with database.write() as session:
        row.created_at = clock.now(session)
        session.add(row)
    try:
        yield row
    except BaseException:
        with database.write() as session:
            session.execute(delete(IntentRow).where(IntentRow.id == row.id))
        remove(database, storage, [sha256])
        raise


def fulfil(session: Session, row: IntentRow) -> None:
    """End an intent together with what else the session commits. Raises StorageUnavailable."""
    ended = delete(IntentRow).where(IntentRow.id == row.id).returning(IntentRow.id)
    if session.scalar(ended) is None:
        raise StorageUnavailable(f"storing the bytes took longer than {INTENT_LASTS}")


def remove(database: Database, storage: Storage, names: Collection[str]) -> None:
    """Delete those that nobody needs; if the storage is away they are left to the collector."""
    with database.read() as session:  # most are needed, and the lock below keeps others waiting
        names = _unneeded(session, names)
    if not names:
        return
    with database.write() as session:
        if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time
            session.execute(text("LOCK TABLE blob_intents IN SHARE ROW EXCLUSIVE MODE"))
        try:
            storage.delete(_unneeded(session, names))
        except StorageUnavailable as error:  # they only take room
            log.warning("blobs that nobody needs stay behind: %s", error)


def forget_stale_intents(session: Session) -> None:
    """What killed processes were about to store."""
    before = clock.now(session) - INTENT_LASTS
    session.execute(delete(IntentRow).where(IntentRow.created_at < before))


def _unneeded(session: Session, names: Collection[str]) -> list[str]:
    needed = union(
        select(DatasetRow.points_sha256).where(
            DatasetRow.points_sha256.in_(names), DatasetRow.deleted_at.is_(None)
        ),
        select(CheckpointRow.sha256).where(CheckpointRow.sha256.in_(names), CheckpointRow.kept),
        select(IntentRow.sha256).where(IntentRow.sha256.in_(names)),
    )
    found = session.scalars(needed, execution_options={"everyone": True})
    return sorted(set(names).difference(found))
