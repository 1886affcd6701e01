"""CSV: fields separated by commas, semicolons, tabs or bars, with or without a header line."""

import re
from contextlib import suppress
from csv import Error as CsvError
from csv import reader as csv_reader
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from pyarrow import csv

from api_schemas.datasets import DatasetOptions
from service.ingest.guesses import MISSING
from service.ingest.layout import Layout, find_layout
from service.ingest.source import Source, bad_file, first_line
from service.ingest.table import Batches, Table, table_source

MIN_BLOCK_BYTES, MAX_BLOCK_BYTES = 1 << 20, 64 << 20  # a block must hold a line
COLUMNS_ERROR = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def open_source(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the line and column of what can't be used."""
    layout = find_layout(path, options)
    source = table_source(text_table(path, layout), options, max_bytes)
    warnings = [*layout.warnings, *source.warnings]
    return replace(source, dialect=layout.dialect, warnings=warnings)


def text_table(path: Path, layout: Layout) -> Table:
    """A file's columns, all of them text."""
    return Table(
        pa.schema([(name, pa.string()) for name in layout.names]),
        partial(batches, path, layout),
        typed=False,
        place=partial(place, path, layout),
        decimal=layout.dialect.decimal,
        trailing=layout.trailing,
    )


def batches(path: Path, layout: Layout, names: list[str]) -> Batches:
    """The text of these columns, a bounded number of rows at a time. Raises InvalidInput."""
    block = min(max(8 * layout.longest, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES)
    try:
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=block,
                column_names=layout.names,
                skip_rows=layout.skipped,
                encoding=layout.dialect.encoding.removesuffix("-sig"),
            ),
            parse_options=csv.ParseOptions(
                delimiter=layout.dialect.delimiter,
                newlines_in_values=True,
                # of one column a blank line is a missing value
                ignore_empty_lines=len(layout.names) > 1,
            ),
            convert_options=csv.ConvertOptions(
                include_columns=names,
                column_types=dict.fromkeys(names, pa.string()),
                null_values=MISSING,
                strings_can_be_null=True,
            ),
        ) as reader:
            yield from reader
    except (pa.ArrowInvalid, UnicodeError) as error:
        _explain(error, path, layout)


def place(path: Path, layout: Layout, row: int) -> str:
    """Where a row of points, from 0, ends in the file: a row may span lines, a line be blank."""
    with path.open(encoding=layout.dialect.encoding, newline="") as file, suppress(CsvError):
        points = islice(file, layout.skipped, None)
        lines = csv_reader(points, delimiter=layout.dialect.delimiter)
        rows = (lines.line_num for fields in lines if fields or len(layout.names) == 1)
        if line := next(islice(rows, row, None), None):
            return f"line {layout.skipped + line}"
    return f"row {row}"


def _explain(error: Exception, path: Path, layout: Layout) -> NoReturn:
    message = str(error)
    if "Could not skip" in message or "Empty CSV" in message:
        raise bad_file("the file holds no points")
    if ragged := COLUMNS_ERROR.search(message):
        line, expected, got = map(int, ragged.groups())
        where = place(path, layout, line - 1 - layout.skipped)
        raise bad_file(f"{where} has {got} columns, the first line {expected}")
    raise bad_file(first_line(error))
