"""CSV: numbers separated by commas, semicolons or tabs, with or without a header line."""

import re
from collections.abc import Iterator
from csv import reader as csv_reader
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from service.ingest.source import Source, bad_file, check_columns

MAX_LINE_BYTES = 8 << 20
DELIMITERS = b",;\t"
COLUMNS_ERROR = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
CONVERSION_ERROR = re.compile(r"CSV column #(\d+):(?: Row #(\d+):)? .*invalid value '(.*)'", re.S)


def open_source(path: Path) -> Source:
    """Raises InvalidInput that names the line and column of what is no number."""
    first = _first_line(path)
    delimiter = max(DELIMITERS, key=lambda d: first.count(d))
    names = _split(first, delimiter)
    numbered = [str(i) for i in range(len(names))]  # pandas' header for columns without names
    has_header = names == numbered or not all(_is_number(name) for name in names)
    if not has_header:
        names = [f"x{i}" for i in range(len(names))]
    check_columns(names)
    options = {
        "read_options": csv.ReadOptions(
            use_threads=False, column_names=names, skip_rows=int(has_header)
        ),
        # of one column a blank line is a missing value
        "parse_options": csv.ParseOptions(
            delimiter=chr(delimiter), ignore_empty_lines=len(names) > 1
        ),
        "convert_options": csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.float64()), null_values=[""]
        ),
    }
    return Source((len(names),), np.dtype("<f8"), names, _pieces(path, options, names, has_header))


def _pieces(
    path: Path, options: dict[str, Any], names: list[str], has_header: bool
) -> Iterator[NDArray[Any]]:
    line = 1 + has_header
    try:
        with csv.open_csv(path, **options) as reader:
            for batch in reader:
                _check_missing(batch, line)
                line += batch.num_rows
                yield np.column_stack([column.to_numpy() for column in batch.columns])
    except pa.ArrowInvalid as error:
        _explain(str(error), names)


def _check_missing(batch: pa.RecordBatch, line: int) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise bad_file(f"line {line + row}, column {name!r}: the value is missing")


def _explain(message: str, names: list[str]) -> NoReturn:
    if "Could not skip" in message or "Empty CSV" in message:
        raise bad_file("the file holds no points")
    if ragged := COLUMNS_ERROR.search(message):
        line, expected, got = ragged.groups()
        raise bad_file(f"line {line} has {got} columns, the first line {expected}")
    found = CONVERSION_ERROR.search(message)
    if not found:
        raise bad_file(message.splitlines()[0])
    column, row, value = found.groups()
    where = f"line {row}, column" if row else "column"
    raise bad_file(f"{where} {names[int(column)]!r}: {value[:100]!r} is not a number")


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise bad_file(f"the first line is longer than {MAX_LINE_BYTES:,} bytes")
    return line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")


def _split(line: bytes, delimiter: int) -> list[str]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise bad_file("the header is not UTF-8") from None
    return [name.strip() for name in next(csv_reader([text], delimiter=chr(delimiter)))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
