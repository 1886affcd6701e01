"""What commands print: tables for people, or JSON."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

import click
from pydantic import BaseModel

Thing = TypeVar("Thing")


def print_json(*things: BaseModel) -> None:
    """An object a line."""
    for thing in things:
        click.echo(thing.model_dump_json())


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they have to be."""
    cells = [list(titles), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def first(things: Iterable[Thing], limit: int) -> list[Thing]:
    return list(islice(things, limit))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
