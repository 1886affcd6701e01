"""How a CSV file is written: as told, else as its first lines tell."""

from csv import Error as CsvError
from dataclasses import dataclass
from pathlib import Path

from api_schemas.datasets import CsvDialect, DatasetOptions, Decimal, FileOptions
from service.encoding import some
from service.ingest.guesses import guess_decimal, guess_delimiter, guess_header
from service.ingest.source import bad_file, check_columns, check_width
from service.ingest.text import Fields, find_encoding, first_lines, is_remark, split, told_delimiter


@dataclass(frozen=True)
class Head:
    """The first rows of a file, its header among them if it has one."""

    encoding: str
    delimiter: str
    decimal: Decimal
    rows: list[Fields]
    skipped: int  # lines before them
    header_end: int  # lines before the second of them
    longest: int  # bytes of a line
    warnings: list[str]


@dataclass(frozen=True)
class Layout:
    """How a CSV file is written, and where its points begin."""

    dialect: CsvDialect
    names: list[str]
    skipped: int  # lines before the first point
    longest: int  # bytes of a line
    trailing: str | None  # the last column, if the first line ends with a delimiter
    warnings: list[str]


def find_layout(path: Path, options: DatasetOptions) -> Layout:
    """What the options leave open is guessed, with a warning where it was close.

    Raises InvalidInput.
    """
    head = read_head(path, options)
    if options.header is not None or not head.rows:
        return layout_of(head, bool(options.header))
    header, is_sure = guess_header(head.rows[0], head.rows[1:])
    if not is_sure:
        taken, other = ("a header", "false") if header else ("a point", "true")
        said = f"the first line, {some(head.rows[0])}, was taken as {taken}"
        head.warnings.append(f"{said}; if it is none, choose header={other}")
    return layout_of(head, header)


def read_head(path: Path, options: FileOptions) -> Head:
    """The first rows of a file; blank lines and comments before them are left out.

    Raises InvalidInput.
    """
    encoding = find_encoding(path, options.encoding)
    sample = first_lines(path, encoding)
    warnings = [] if options.encoding else _of_guess(encoding)
    delimiter, decimal = options.delimiter or told_delimiter(sample), options.decimal
    if delimiter is None:
        delimiter, others = guess_delimiter(sample, decimal)
        if others:
            said = f"its lines can be split at {some(others)} as well as at {delimiter!r}"
            warnings.append(f"{said}, which was taken; if that is wrong, choose the delimiter")
    try:
        before, rows = split(sample, delimiter)
    except CsvError as error:
        raise bad_file(f"the first lines can't be read: {error}") from error
    if comments := [row.fields[0][:100] for row in before if is_remark(row.fields)]:
        warnings.append(f"comments before the points were left out: {some(comments)}")
    filled = [row.fields for row in rows if row.fields]
    check_width(max(map(len, filled), default=0))
    if decimal is None:
        decimal, doubtful = guess_decimal(filled, delimiter)
        if doubtful:
            said = f"{doubtful!r} was read as {doubtful.replace(',', '.')}, with a decimal comma"
            warnings.append(f"{said}; thousands must not be set apart")
    return Head(
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        rows=filled,
        skipped=before[-1].line if before else 0,
        header_end=rows[0].line if rows else 0,
        longest=max((len(line.encode()) for line in sample.lines), default=0),
        warnings=warnings,
    )


def _of_guess(encoding: str) -> list[str]:
    if encoding.startswith("utf"):
        return []
    return [f"it is not UTF-8 and was read as {encoding}; if that is wrong, choose the encoding"]


def layout_of(head: Head, header: bool) -> Layout:
    """Raises InvalidInput for names of columns that can't be."""
    first = head.rows[0] if head.rows else []
    numbered = [f"x{i}" for i in range(len(first))]
    names = [a or b for a, b in zip(first, numbered, strict=True)] if header else numbered
    check_columns(names)
    warnings = list(head.warnings)
    if header and "" in first:
        nameless = [b for a, b in zip(first, numbered, strict=True) if not a]
        warnings.append(f"columns without a name go by {some(nameless)}")
    return Layout(
        dialect=CsvDialect(
            header=header,
            delimiter=head.delimiter,
            decimal=head.decimal,
            encoding=head.encoding,
        ),
        names=names,
        skipped=head.header_end if header else head.skipped,
        longest=head.longest,
        trailing=names[-1] if len(first) > 1 and not first[-1] else None,
        warnings=warnings,
    )
