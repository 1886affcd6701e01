"""Bearer keys: ``kvae_<id>_<secret>``, shown once and stored as a hash.

The secret has 256 random bits, so a plain SHA-256 keeps it. Several keys may share an owner, as
one that writes and one that only reads. Keys are revoked, never deleted: a service that had one
never opens again by losing it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api_schemas.common import Role
from service.errors import NotFound, Unauthorized
from service.ids import new_id
from service.ownership import Caller
from service.settings import Settings
from service.table_types import utc_now
from service.tables import KeyRow

TOKEN_PREFIX = "kvae"  # noqa: S105
USE_NOTED = timedelta(hours=1)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def create(
    session: Session,
    name: str,
    role: Role,
    owner: str | None = None,
    max_bytes: int | None = None,
    max_jobs: int | None = None,
) -> tuple[KeyRow, str]:
    """A new key and its token, which can't be shown again. ``owner`` is the key itself if None."""
    secret = secrets.token_urlsafe(32)
    key = KeyRow(
        id=new_id("key"),
        name=name,
        role=role,
        secret_sha256=_hash(secret),
        max_bytes=max_bytes,
        max_jobs=max_jobs,
    )
    key.owner = key.id if owner is None else owner
    session.add(key)
    session.flush()
    return key, f"{TOKEN_PREFIX}_{key.id.removeprefix('key_')}_{secret}"


def all_keys(session: Session) -> Sequence[KeyRow]:
    """Every key, revoked ones too, oldest first."""
    return session.scalars(select(KeyRow).order_by(KeyRow.id)).all()


def revoke(session: Session, key_id: str) -> KeyRow:
    """End a key for good. Raises NotFound."""
    key = session.get(KeyRow, key_id)
    if key is None:
        raise NotFound.of("key", key_id)
    key.revoked_at = key.revoked_at or utc_now()
    return key


def caller(session: Session, token: str | None, settings: Settings) -> Caller:
    """Whom a token stands for; without any key in the database, and no token, it is anyone.

    Raises Unauthorized.
    """
    if token is None:
        if session.scalars(select(KeyRow.id).limit(1)).first() is None:
            return Caller()
        detail = "this needs a key: send it as 'Authorization: Bearer kvae_...'"
        raise Unauthorized("key_missing", detail, headers=CHALLENGE)
    key = _find(session, token)
    if key is None or key.revoked_at:
        detail = "there is no such key, or it was revoked"
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Unauthorized("key_invalid", detail, headers=headers)
    return Caller(
        owner=key.owner,
        role=key.role,
        key=key.id,
        max_bytes=settings.quota_bytes if key.max_bytes is None else key.max_bytes,
        max_jobs=settings.quota_jobs if key.max_jobs is None else key.max_jobs,
    )


def is_use_noted(session: Session, key_id: str | None) -> bool:
    """Whether it is known to the hour that a key is used."""
    key = session.get(KeyRow, key_id) if key_id else None
    return bool(key and key.last_used_at and key.last_used_at > utc_now() - USE_NOTED)


def note_use(session: Session, key_id: str) -> None:
    """Remember that a key is used now."""
    session.execute(update(KeyRow).where(KeyRow.id == key_id).values(last_used_at=utc_now()))


def _find(session: Session, token: str) -> KeyRow | None:
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != TOKEN_PREFIX or not token.isascii():
        return None
    key = session.get(KeyRow, f"key_{key_id}")
    return key if key and hmac.compare_digest(key.secret_sha256, _hash(secret)) else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
