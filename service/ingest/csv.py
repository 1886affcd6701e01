"""CSV: fields separated by commas, semicolons, tabs or bars, with or without a header line."""

import codecs
import re
from collections.abc import Collection
from contextlib import suppress
from csv import Error as CsvError
from csv import reader as csv_reader
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
from pyarrow import csv

from api_schemas.datasets import DatasetOptions
from service.ingest.source import Source, bad_file, check_columns, first_line
from service.ingest.table import Batches, Table, table_source

MAX_LINE = 8 << 20
MIN_BLOCK_BYTES, MAX_BLOCK_BYTES = 1 << 20, 64 << 20  # a block must hold a line
DELIMITERS = ",;\t|"
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None"]
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
COLUMNS_ERROR = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    has_header: bool
    names: list[str]
    first_line_bytes: int


def open_source(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the line and column of what can't be used."""
    return table_source(text_table(path, find_dialect(path)), options, max_bytes)


def text_table(path: Path, dialect: Dialect) -> Table:
    """A file's columns, all of them text."""
    schema = pa.schema([(name, pa.string()) for name in dialect.names])
    where = partial(place, path, dialect)
    return Table(schema, partial(batches, path, dialect), typed=False, place=where)


def batches(path: Path, dialect: Dialect, names: list[str]) -> Batches:
    """The text of these columns, a bounded number of rows at a time. Raises InvalidInput."""
    block = min(max(8 * dialect.first_line_bytes, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES)
    try:
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=block,
                column_names=dialect.names,
                skip_rows=int(dialect.has_header),
                encoding=dialect.encoding.removesuffix("-sig"),
            ),
            parse_options=csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=True,
                # of one column a blank line is a missing value
                ignore_empty_lines=len(dialect.names) > 1,
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
        _explain(error, path, dialect)


def place(path: Path, dialect: Dialect, row: int) -> str:
    """Where a row of points, from 0, ends in the file: a row may span lines, a line be blank."""
    before = row + dialect.has_header
    with path.open(encoding=dialect.encoding, newline="") as file, suppress(CsvError):
        lines = csv_reader(file, delimiter=dialect.delimiter)
        rows = (lines.line_num for fields in lines if fields or len(dialect.names) == 1)
        if line := next(islice(rows, before, None), None):
            return f"line {line}"
    return f"row {row}"


def find_dialect(path: Path, known: Collection[str] = ()) -> Dialect:
    """From the first two lines and, for the encoding, all bytes.

    With ``known`` names the first line is a header exactly if it has them all. Raises InvalidInput.
    """
    encoding = find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        first, second = file.readline(MAX_LINE), file.readline(MAX_LINE)
    if len(first) == MAX_LINE:
        raise bad_file(f"the first line is longer than {MAX_LINE:,} characters")
    bare = re.sub(r'"[^"]*"', "", first)
    delimiter = max(DELIMITERS, key=bare.count)
    names, values = _split(first, delimiter), _split(second, delimiter)
    has_header = {*known} <= {*names} if known else _is_header(names, values)
    if not has_header:
        names = [f"x{i}" for i in range(len(names))]
    check_columns(names)
    return Dialect(encoding, delimiter, has_header, names, len(first.encode()))


def find_encoding(path: Path) -> str:
    """By its mark, else the first of UTF-8, Windows-1252 and Latin-1 that all bytes fit.

    Raises InvalidInput when they don't fit the mark.
    """
    with path.open("rb") as file:
        head = file.read(4)
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            if not _is_encoded_in(path, encoding):
                raise bad_file(f"it is marked as {encoding}, but not all of it is")
            return encoding
    return next(name for name in ("utf-8", "cp1252", "latin-1") if _is_encoded_in(path, name))


def _is_encoded_in(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while part := file.read(MIN_BLOCK_BYTES):
                decoder.decode(part)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _split(line: str, delimiter: str) -> list[str]:
    try:
        fields = next(csv_reader([line.rstrip("\r\n")], delimiter=delimiter), [""])
    except CsvError as error:
        raise bad_file(f"the first lines can't be read: {error}") from error
    return [field.strip() for field in fields]


def _is_header(first: list[str], second: list[str]) -> bool:
    """A line without numbers is one; with some, where a word stands above a number."""
    if len(first) > 2 and first == [str(i) for i in range(len(first))]:
        return True  # pandas' header for columns without names; fewer are likelier a point
    if not any(_is_number(field) for field in first):
        return True
    above = zip(first, second, strict=False)
    return any(_is_word(upper) and _is_number(lower) for upper, lower in above)


def _is_word(text: str) -> bool:
    return text not in MISSING and not _is_number(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _explain(error: Exception, path: Path, dialect: Dialect) -> NoReturn:
    message = str(error)
    if "Could not skip" in message or "Empty CSV" in message:
        raise bad_file("the file holds no points")
    if ragged := COLUMNS_ERROR.search(message):
        line, expected, got = map(int, ragged.groups())
        where = place(path, dialect, line - 1 - dialect.has_header)
        raise bad_file(f"{where} has {got} columns, the first line {expected}")
    raise bad_file(first_line(error))
