"""Server-sent events, as the WHATWG's specification has them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream: its data, and its id if it has one."""

    data: str
    id: str | None


def read_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """The events of a stream's lines; one that is cut is not told."""
    data: list[str] = []
    last_id = None
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
        elif not line and data:
            yield ServerEvent("\n".join(data), last_id)
            data = []
