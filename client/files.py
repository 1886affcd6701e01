"""Answers that become files: whole or not at all."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import uuid4

import httpx

from client.bodies import Body
from client.connection import Connection


def write_answer(
    connection: Connection,
    target: str | Path | IO[bytes],
    method: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Body | None = None,
) -> httpx.Response:
    """The answer, whose body goes to ``target``, a path or an open binary file. Raises OSError."""
    with _written(target) as file:
        return connection.request(method, path, query, headers=headers, body=body, into=file)


@contextmanager
def _written(target: str | Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """A file to write and rewrite; it becomes the target once the block has come to its end."""
    if not isinstance(target, str | Path):
        with TemporaryFile() as file:
            yield file
            shutil.copyfileobj(file, target)
        return
    place = Path(target).resolve()
    if place.exists() and not place.is_file():  # as /dev/null
        with place.open("wb") as device, _written(device) as file:
            yield file
        return
    part = place.with_name(f".{place.name}-{uuid4().hex[:8]}")
    try:
        whole = part.open("xb+")
    except OSError as error:  # of a name that nobody gave
        raise OSError(error.errno, error.strerror, str(target)) from error
    try:
        with whole:
            yield whole
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
