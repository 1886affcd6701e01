"""Idempotency-Key: the same request again gives the first answer again, for 24 hours.

An answer is kept in the transaction of what it tells of, so that there is never one without the
other. A request that fails leaves its key unused.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from service import clock
from service.database import Database
from service.errors import Conflict, InvalidInput
from service.ids import new_id
from service.openapi import KEY_HEADER
from service.tables import IdempotencyRow
from service.uploads import Form

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=15)  # renewed during the work; then its process was killed
BEATS_A_LEASE = 3

DESCRIPTION = (
    "any word of the client's own: the same request again gives the same answer "
    "for 24 hours, with Idempotency-Replayed: true, and does nothing"
)
log = logging.getLogger(__name__)

Key = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
IdempotencyKey = Annotated[Key | None, Header(alias=KEY_HEADER, description=DESCRIPTION)]


@dataclass(frozen=True)
class Attempt:
    """A request that does what it asks for; ``earlier`` is the answer if that is done already."""

    key_id: str | None = None
    number: str = ""
    earlier: Response | None = None

    def answer(
        self, session: Session, status: int, body: BaseModel, location: str | None = None
    ) -> Response:
        """The answer, kept with what else the session commits. Raises Conflict."""
        text = body.model_dump_json()
        if self.key_id:
            held = IdempotencyRow.id == self.key_id, IdempotencyRow.attempt == self.number
            kept = update(IdempotencyRow).where(*held).returning(IdempotencyRow.id)
            if not session.scalar(kept.values(status=status, body=text, location=location)):
                raise _in_flight()
        return _response(status, text, location)


def given_key(request: Request) -> str | None:
    """The key of a request to a route that does not declare it. Raises InvalidInput."""
    try:
        return TypeAdapter(Key | None).validate_python(request.headers.get(KEY_HEADER))
    except ValidationError as error:
        msg = error.errors()[0]["msg"]
        raise InvalidInput.at("header", KEY_HEADER, msg=msg) from error


@contextmanager
def attempt(
    database: Database, request: Request, key: str | None, body: bytes | Form = b""
) -> Iterator[Attempt]:
    """Around the work of a POST: its key is taken in here, and free again if the block raises
    without having kept an answer.

    Raises InvalidInput when the key was another request's, Conflict while that has no answer yet.
    """
    if key is None:
        yield Attempt()
        return
    key_id = _digest(request.state.caller.key or "", key)
    taken = _take(database, key_id, fingerprint(request, body))
    if taken.earlier:
        yield taken
        return
    mine = IdempotencyRow.id == key_id, IdempotencyRow.attempt == taken.number
    unanswered = *mine, IdempotencyRow.status.is_(None)
    try:
        with _renewing(database, *unanswered):
            yield taken
    except BaseException:  # also of a commit that came through though it seemed to fail
        with database.write() as session:
            session.execute(delete(IdempotencyRow).where(*unanswered))
        raise


@contextmanager
def _renewing(database: Database, *held: ColumnElement[bool]) -> Iterator[None]:
    """Keep the lease of work that takes long."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE.total_seconds() / BEATS_A_LEASE):
            try:
                with database.write() as session:
                    now = clock.now(session)
                    session.execute(update(IdempotencyRow).where(*held).values(created_at=now))
            except SQLAlchemyError as error:
                log.warning("a key's lease was not renewed: %s", error)

    threading.Thread(target=renew, name="idempotency", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def fingerprint(request: Request, body: bytes | Form) -> str:
    """What makes two requests the same; of a form its parts, not how they were put together."""
    if isinstance(body, bytes):
        content = [hashlib.sha256(body).hexdigest()]
    else:
        content = [body.upload.sha256, body.upload.filename, *map(str, sorted(body.fields.items()))]
    return _digest(request.method, request.url.path, request.url.query, *content)


def forget_expired(session: Session) -> None:
    """Delete keys that are older than they are kept."""
    before = clock.now(session) - KEPT
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before))


def _take(database: Database, key_id: str, fingerprint: str) -> Attempt:
    row = IdempotencyRow(id=key_id, fingerprint=fingerprint, attempt=new_id("try"))
    with database.write() as session:
        row.created_at = clock.now(session)
        is_void = IdempotencyRow.id == key_id, _is_void(row.created_at)
        session.execute(delete(IdempotencyRow).where(*is_void))
        try:
            with session.begin_nested():
                session.add(row)
            return Attempt(key_id, row.attempt)
        except IntegrityError:
            known = session.get(IdempotencyRow, key_id)
    if known is None:  # its request failed in this moment
        raise _in_flight()
    if known.fingerprint != fingerprint:
        msg = "was used for another request; a new request needs a key of its own"
        raise InvalidInput.at("header", KEY_HEADER, msg=msg, code="idempotency_key_reused")
    if known.status is None:
        raise _in_flight()
    response = _response(known.status, known.body or "", known.location)
    response.headers["Idempotency-Replayed"] = "true"
    return Attempt(key_id, earlier=response)


def _is_void(now: datetime) -> ColumnElement[bool]:
    abandoned = and_(IdempotencyRow.status.is_(None), IdempotencyRow.created_at < now - LEASE)
    return or_(IdempotencyRow.created_at < now - KEPT, abandoned)


def _in_flight() -> Conflict:
    return Conflict("idempotency_key_in_flight", "the first request with this key is not done yet")


def _response(status: int, body: str, location: str | None) -> Response:
    headers = {"Location": location} if location else {}
    return Response(body, status, headers, media_type="application/json")


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
