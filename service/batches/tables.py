"""CSV, Parquet and Arrow streams: rows of a table, their columns by name or, in CSV, by place."""

from collections.abc import Iterable, Iterator, Sequence
from csv import reader as csv_reader
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, ipc, parquet

from api_schemas.datasets import Column
from service.batches.batch import Batch, Body, PointSpec, explained, opened
from service.encoding import Encoding
from trainer.errors import InvalidPoints

MAX_LINE_BYTES = 8 << 20
DELIMITERS = ",;\t"


def open_csv(body: Body, spec: PointSpec) -> Batch:
    """With a header line or, in the order of the model's columns, without."""
    encoding = spec.table()
    line = _first_line(body)
    delimiter = max(DELIMITERS, key=line.count)
    cells = [cell.strip() for cell in next(csv_reader([line], delimiter=delimiter), [])]
    has_header = is_header(cells, encoding.columns)
    if not has_header and len(cells) != len(encoding.names):
        raise InvalidPoints(
            f"the first line has {len(cells)} values; the model was trained on "
            f"{len(encoding.names)} columns"
        )
    names = cells if has_header else encoding.names
    encoding.check_names(names)
    options = {
        "read_options": csv.ReadOptions(
            use_threads=False, column_names=names, skip_rows=int(has_header)
        ),
        # of one column a blank line is a missing value
        "parse_options": csv.ParseOptions(
            delimiter=delimiter, ignore_empty_lines=len(names) > 1, newlines_in_values=True
        ),
        "convert_options": csv.ConvertOptions(
            include_columns=encoding.names,
            column_types=dict.fromkeys(encoding.names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    }
    return Batch(_csv_pieces(body, options, encoding, spec), _others(names, encoding))


def open_parquet(body: Body, spec: PointSpec) -> Batch:
    """Columns by name."""
    encoding = spec.table()
    with explained("a Parquet file"):
        file = parquet.ParquetFile(opened(body))
    names = file.schema_arrow.names
    encoding.check_names(names)
    pieces = _parquet_pieces(file, encoding, spec)
    return Batch(pieces, _others(names, encoding))


def open_arrow(body: Body, spec: PointSpec) -> Batch:
    """Columns by name."""
    encoding = spec.table()
    with explained("an Arrow stream"):
        stream = ipc.open_stream(opened(body))
    names = stream.schema.names
    encoding.check_names(names)
    return Batch(_arrow_pieces(stream, encoding, spec), _others(names, encoding))


def is_header(cells: Sequence[str], columns: Sequence[Column]) -> bool:
    """Whether a first line names columns: it has all the names, or what can't be a first row."""
    if {column.name for column in columns} <= set(cells):
        return True
    if len(cells) != len(columns):
        return not all(_is_number(cell) for cell in cells)
    numeric = (c.type in ("number", "integer") for c in columns)
    return not all(
        _is_number(cell) for cell, of_numbers in zip(cells, numeric, strict=True) if of_numbers
    )


def _csv_pieces(
    body: Body, options: dict[str, Any], encoding: Encoding, spec: PointSpec
) -> Iterator[NDArray[Any]]:
    with explained("CSV"), csv.open_csv(opened(body), **options) as reader:
        yield from _encoded(reader, encoding, spec)


def _parquet_pieces(
    file: parquet.ParquetFile, encoding: Encoding, spec: PointSpec
) -> Iterator[NDArray[Any]]:
    with explained("a Parquet file"):
        batches = file.iter_batches(spec.piece_rows, columns=encoding.names)
        yield from _encoded(batches, encoding, spec)


def _arrow_pieces(
    stream: ipc.RecordBatchStreamReader, encoding: Encoding, spec: PointSpec
) -> Iterator[NDArray[Any]]:
    with explained("an Arrow stream"):
        yield from _encoded(stream, encoding, spec)


def _encoded(
    batches: Iterable[pa.RecordBatch], encoding: Encoding, spec: PointSpec
) -> Iterator[NDArray[Any]]:
    first_row = 0
    for batch in batches:
        for at in range(0, batch.num_rows, spec.piece_rows):
            piece = batch.slice(at, spec.piece_rows)
            yield encoding.encode(piece, first_row)
            first_row += piece.num_rows


def _others(names: Sequence[str], encoding: Encoding) -> list[str]:
    used = set(encoding.names)
    return [name for name in names if name not in used]


def _first_line(body: Body) -> str:
    with opened(body) as file:
        head: bytes = file.read(MAX_LINE_BYTES)
    line, ended, _ = head.partition(b"\n")
    if not ended and len(head) == MAX_LINE_BYTES:
        raise InvalidPoints(f"the first line is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r").decode()
    except UnicodeDecodeError:
        raise InvalidPoints("the first line is not UTF-8") from None


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True
