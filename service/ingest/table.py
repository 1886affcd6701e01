"""Tables of typed or untyped columns: which to use, what they hold, their values in pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from api_schemas.datasets import Column, ColumnType, DatasetOptions, Decimal
from service.encoding import Encoding, is_numeric, is_text, some
from service.errors import TooLarge
from service.ingest.scan import ADVICE, ColumnScan
from service.ingest.source import Pieces, Source, bad_file, choose

VALUE = np.dtype("<f8")
NO_NUMBERS = "leave the column out with 'columns', or turn it into numbers"

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Table:
    """A file's columns and a way to go through some of them, as often as needed.

    ``typed`` says whether the schema's types are the file's own; ``place`` names a row of it;
    ``trailing`` is a last column that is there only if it has values; ``index`` are columns that
    number or name the rows, as pandas' index, and are used only if they are asked for.
    """

    schema: pa.Schema
    batches: Callable[[list[str]], Batches]
    typed: bool = True
    place: Callable[[int], str] = "row {}".format
    decimal: Decimal = "."
    trailing: str | None = None
    index: frozenset[str] = frozenset()


def table_source(table: Table, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column, and the row where there is one, or TooLarge."""
    names = choose(table.schema.names, options.columns)
    left_out = [] if options.columns else [name for name in names if name in table.index]
    names = [name for name in names if name not in left_out]
    table = replace(table, batches=partial(_capped, table.batches, max_bytes))
    columns, warnings = _columns(table, names, options)
    used = [column.name for column in columns]

    def pieces() -> Pieces:
        encoding = Encoding(columns)
        row = 0
        for batch in table.batches(used):
            yield encoding.values(batch, row, table.decimal)
            row += batch.num_rows

    if left_out:
        warnings.append(f"left out as pandas' index, unless 'columns' names it: {some(left_out)}")
    return Source((len(used),), VALUE, columns, pieces, table.place, warnings=warnings)


def _capped(batches: Callable[[list[str]], Batches], max_bytes: int, names: list[str]) -> Batches:
    """Rows without values take no room in a file, but time."""
    received = 0
    for batch in batches(names):
        received += batch.num_rows * len(names) * VALUE.itemsize
        if received > max_bytes:
            raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
        yield batch


def _columns(
    table: Table, names: list[str], options: DatasetOptions
) -> tuple[list[Column], list[str]]:
    """Types as the schema says, of text as the values say; and warnings."""
    fields = [table.schema.field(name) for name in names]
    texts = [field for field in fields if _is_text(field.type)]
    if table.typed and texts and options.categories == "refuse":
        name, kind = texts[0].name, texts[0].type
        raise bad_file(f"column {name!r} holds {kind}, not numbers; {ADVICE}")
    scans = _scan(table, [field.name for field in texts], options) if texts else {}
    warnings: list[str] = []
    if options.columns is None and table.trailing in scans and scans[table.trailing].is_empty:
        fields.pop()
        warnings.append(f"the last column, {table.trailing!r}, has no values and was left out")
    columns = [scans[f.name].column() if f.name in scans else _typed(f) for f in fields]
    return columns, [*warnings, *(said for scan in scans.values() for said in scan.warnings)]


def _scan(table: Table, names: list[str], options: DatasetOptions) -> dict[str, ColumnScan]:
    kind = partial(
        ColumnScan,
        categories=options.categories,
        typed=table.typed,
        place=table.place,
        decimal=table.decimal,
    )
    scans = {name: kind(name) for name in names}
    row = 0
    for batch in table.batches(names):
        for name, scan in scans.items():
            scan.add(batch.column(name), row)
        row += batch.num_rows
    if not row:
        raise bad_file("the file holds no points")
    return scans


def _is_text(kind: pa.DataType) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _typed(field: pa.Field) -> Column:
    if not is_numeric(field.type):
        raise bad_file(f"column {field.name!r} holds {field.type}, not numbers; {NO_NUMBERS}")
    kind: ColumnType = "number"
    if pa.types.is_integer(field.type):
        kind = "integer"
    elif pa.types.is_boolean(field.type):
        kind = "boolean"
    return Column(name=field.name, type=kind)
