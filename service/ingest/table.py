"""Tables of typed or untyped columns: which to use, what they hold, their values in pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from api_schemas.datasets import Column, ColumnType, DatasetOptions
from service.encoding import Encoding, is_numeric, is_text
from service.errors import TooLarge
from service.ingest.scan import ADVICE, ColumnScan
from service.ingest.source import Pieces, Source, bad_file, choose

VALUE = np.dtype("<f8")

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Table:
    """A file's columns and a way to go through some of them, as often as needed.

    ``typed`` says whether the schema's types are the file's own; ``place`` names a row of it.
    """

    schema: pa.Schema
    batches: Callable[[list[str]], Batches]
    typed: bool = True
    place: Callable[[int], str] = "row {}".format


def table_source(table: Table, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column, and the row where there is one, or TooLarge."""
    names = choose(table.schema.names, options.columns)
    table = replace(table, batches=partial(_capped, table.batches, max_bytes))
    columns = _columns(table, names, options)

    def pieces() -> Pieces:
        encoding = Encoding(columns)
        row = 0
        for batch in table.batches(names):
            yield encoding.values(batch, row)
            row += batch.num_rows

    return Source((len(names),), VALUE, columns, pieces, table.place)


def _capped(batches: Callable[[list[str]], Batches], max_bytes: int, names: list[str]) -> Batches:
    """Rows without values take no room in a file, but time."""
    received = 0
    for batch in batches(names):
        received += batch.num_rows * len(names) * VALUE.itemsize
        if received > max_bytes:
            raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
        yield batch


def _columns(table: Table, names: list[str], options: DatasetOptions) -> list[Column]:
    """Types as the schema says, of text as the values say."""
    fields = [table.schema.field(name) for name in names]
    texts = [field for field in fields if _is_text(field.type)]
    if table.typed and texts and options.categories == "refuse":
        name, kind = texts[0].name, texts[0].type
        raise bad_file(f"column {name!r} holds {kind}, not numbers; {ADVICE}")
    scanned = _scan(table, [field.name for field in texts], options) if texts else {}
    return [scanned.get(field.name) or _typed(field) for field in fields]


def _scan(table: Table, names: list[str], options: DatasetOptions) -> dict[str, Column]:
    scans = {name: ColumnScan(name, options.categories, table.typed, table.place) for name in names}
    row = 0
    for batch in table.batches(names):
        for name, scan in scans.items():
            scan.add(batch.column(name), row)
        row += batch.num_rows
    if not row:
        raise bad_file("the file holds no points")
    return {name: scan.column() for name, scan in scans.items()}


def _is_text(kind: pa.DataType) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _typed(field: pa.Field) -> Column:
    if not is_numeric(field.type):
        raise bad_file(f"column {field.name!r} holds {field.type}, not numbers")
    kind: ColumnType = "number"
    if pa.types.is_integer(field.type):
        kind = "integer"
    elif pa.types.is_boolean(field.type):
        kind = "boolean"
    return Column(name=field.name, type=kind)
