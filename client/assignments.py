"""Which component each point of a model's training, or of a job's data set, belongs to."""

from pathlib import Path
from typing import IO, Any

from client import media
from client.connection import Connection, path_of
from client.files import write_answer
from client.samples import Format, accepted, read


def read_assignments(
    connection: Connection, of: tuple[str, str], component: int | None, format: Format
) -> Any:
    """Those ``of`` ("models", its name) or ("jobs", its id)."""
    headers = {"Accept": accepted(format, media.NPY)}
    query = {"component": component}
    answer = connection.request("GET", path_of(*of, "assignments"), query, headers=headers)
    return read(answer.content, format)


def write_assignments(
    connection: Connection,
    target: str | Path | IO[bytes],
    of: tuple[str, str],
    component: int | None,
    media_type: str | None,
) -> None:
    """The same into a file."""
    headers = {"Accept": media_type or media.type_to_write(str(target))}
    path = path_of(*of, "assignments")
    write_answer(connection, target, "GET", path, {"component": component}, headers)
