"""Errors end in logs: they must not tell what rows hold."""

import pytest
from sqlalchemy.exc import IntegrityError

from service import keys
from service.database import Database
from service.tables import KeyRow


def test_errors_of_the_database_hide_what_was_written(database: Database) -> None:
    with database.write() as session:
        key, _ = keys.create(session, "x", "read")
    with pytest.raises(IntegrityError) as raised, database.write() as session:
        session.add(KeyRow(id=key.id, name="5ecret", owner="", role="read", secret_sha256="0" * 64))
    assert "INSERT INTO api_keys" in str(raised.value)
    assert "5ecret" not in str(raised.value)
    assert "0" * 64 not in str(raised.value)
