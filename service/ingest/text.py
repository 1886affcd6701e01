"""The text of a CSV file: how it is encoded, and its first lines."""

import codecs
import re
from csv import reader as csv_reader
from pathlib import Path
from typing import NamedTuple

from service.ingest.source import bad_file

MAX_LINE = 8 << 20
SAMPLE_LINES, SAMPLE_CHARACTERS = 100, 1 << 16
PART_BYTES = 1 << 20
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
COMMENT = "#"
SEPARATOR = re.compile(r"sep=([^\w\s]|\t)\s*")

Fields = list[str]


class Sample(NamedTuple):
    """The first lines of a file, and whether they are all."""

    lines: list[str]
    is_whole: bool


class Row(NamedTuple):
    """The fields of a row, none of a blank line, and the line, from 1, at which it ends."""

    fields: Fields
    line: int


def find_encoding(path: Path, told: str | None) -> str:
    """As told, else by its mark, else the first of UTF-8, Windows-1252 and Latin-1 that all bytes
    fit.

    Raises InvalidInput when they don't fit what is told or marked.
    """
    with path.open("rb") as file:
        head = file.read(4)
    marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    if marked and (told is None or marked.startswith(told[: len("utf-8")])):
        encoding, said = marked, "marked as"
    elif told:
        encoding, said = told, "told to be"
    else:
        return next(name for name in ("utf-8", "cp1252", "latin-1") if _is_encoded_in(path, name))
    if not _is_encoded_in(path, encoding):
        raise bad_file(f"it is {said} {encoding}, but not all of it is")
    return encoding


def first_lines(path: Path, encoding: str) -> Sample:
    """Two lines at least, where there are. Raises InvalidInput for one that is very long."""
    lines: list[str] = []
    length = 0
    with path.open(encoding=encoding, newline="") as file:
        while line := file.readline(MAX_LINE):
            lines.append(line)
            length += len(line)
            if len(line) == MAX_LINE:
                raise bad_file(f"line {len(lines)} is longer than {MAX_LINE:,} characters")
            if len(lines) == SAMPLE_LINES or (length > SAMPLE_CHARACTERS and len(lines) > 1):
                return Sample(lines, False)
    return Sample(lines, True)


def split(sample: Sample, delimiter: str) -> tuple[list[Row], list[Row]]:
    """The blank lines and comments before all else, and the rows. Raises csv.Error."""
    reader = csv_reader(sample.lines, delimiter=delimiter)
    rows = [Row([field.strip() for field in fields], reader.line_num) for fields in reader]
    if not sample.is_whole and len(rows) > 2:
        rows.pop()  # it may be cut off within quotes
    at = _beginning(rows)
    return rows[:at], rows[at:]


def told_delimiter(sample: Sample) -> str | None:
    """What a first line as `sep=;`, which spreadsheets write and read, says."""
    told = SEPARATOR.fullmatch(sample.lines[0]) if sample.lines else None
    return told[1] if told else None


def is_remark(fields: Fields) -> bool:
    """Whether there is text that is no such line."""
    return bool(fields) and not _is_separator(fields)


def is_number(text: str) -> bool:
    """With a decimal point or comma."""
    try:
        float(text.replace(",", ".", 1))
    except ValueError:
        return False
    return True


def _beginning(rows: list[Row]) -> int:
    """Where header or points begin."""
    for at, row in enumerate(rows):
        below = rows[at + 1].fields if at + 1 < len(rows) else []
        if row.fields and not _is_comment(row.fields, below):
            return at
    return len(rows)


def _is_separator(fields: Fields) -> bool:
    return fields[0].startswith("sep=") and len("".join(fields)) <= len("sep=;")


def _is_comment(fields: Fields, below: Fields) -> bool:
    """What has a name for each field of a point below is a header."""
    if _is_separator(fields):
        return True
    if not fields[0].startswith(COMMENT):
        return False
    return len(fields) != len(below) or not (fields[0] == COMMENT or any(map(is_number, below)))


def _is_encoded_in(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                decoder.decode(part)
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True
