"""Turns an upload into points: finds its format, checks every value, writes one NPY file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from api_schemas.datasets import Column, CsvDialect, DatasetFormat, DatasetOptions, FileOptions
from service.encoding import BadValue, Encoding, MissingValue
from service.errors import InvalidInput, TooLarge
from service.ingest import arrow, csv, idx, images, npy
from service.ingest.fills import with_fills
from service.ingest.formats import find_format
from service.ingest.guesses import MISSING
from service.ingest.source import Pieces, Source, bad_file
from service.ingest.statistics import Statistics
from service.npy_writer import NpyWriter
from service.unpacking import MAX_COLUMNS
from trainer.errors import InvalidPoints
from trainer.points import CHUNK_VALUES, check_finite

FILL_ADVICE = "; leave such rows out with missing=drop, or fill them in, as with missing=median"
OPENERS = {
    "csv": csv.open_source,
    "npy": npy.open_npy,
    "npz": npy.open_npz,
    "parquet": arrow.open_parquet,
    "arrow": arrow.open_ipc,
    "idx": idx.open_source,
    "zip": images.open_source,
}


@dataclass(frozen=True)
class Points:
    """What an upload holds, apart from the values themselves."""

    format: DatasetFormat
    rows: int
    shape: tuple[int, ...]
    dtype: str
    columns: list[Column]
    dialect: CsvDialect | None
    warnings: list[str]


def read_points(upload: Path, output: Path, options: DatasetOptions, max_bytes: int) -> Points:
    """Check an uploaded file and write its points to ``output`` as NPY, a piece at a time.

    Raises InvalidInput for what can't be points, TooLarge for what unpacks to over ``max_bytes``
    and UnsupportedMediaType for other formats.
    """
    found = find_format(upload, options.encoding)
    check_options(options, found)
    with explained():
        source = OPENERS[found](upload, options, max_bytes)
    with explained(source.place, FILL_ADVICE):
        columns = with_fills(source, options.missing)
        statistics = Statistics(len(columns))
        if source.is_table:
            encoding = _encoding(columns)
            shape: tuple[int, ...] = (encoding.dimensions,)
            pieces = _rows(source, encoding, statistics, options.missing == "drop")
        else:
            shape, pieces = source.point_shape, _images(source, statistics)
        rows = _write(pieces, output, shape, source.dtype, max_bytes)
    dropped = statistics.rows - rows if source.is_table else 0
    if rows == 0:
        raise bad_file("every row lacks a value" if dropped else "the file holds no points")
    warnings = [*source.warnings]
    if dropped:
        said = f"{dropped:,} rows with missing values were left out; the others are numbered anew"
        warnings.append(said)
    if source.dialect:
        warnings += _of_words(statistics.report(columns))
    return Points(
        format=found,
        rows=rows,
        shape=shape,
        dtype=source.dtype.name,
        columns=statistics.report(columns),
        dialect=source.dialect,
        warnings=[*warnings, *statistics.warnings(columns)],
    )


def _of_words(columns: list[Column]) -> list[str]:
    """Categories of CSV that may have been meant as such."""
    words = ", ".join(word for word in MISSING if word)
    return [
        f"column {column.name!r} lacks {column.missing:,} values: fields that are empty or {words}"
        for column in columns
        if column.categories and column.missing
    ]


def check_options(options: FileOptions, found: str) -> None:
    """Raise InvalidInput for an option of other formats than this."""
    if options.array is not None and found != "npz":
        raise InvalidInput.at("array", msg=f"only NPZ files have named arrays; this is {found}")
    for name in CsvDialect.model_fields:
        if getattr(options, name) is not None and found != "csv":
            raise InvalidInput.at(name, msg=f"it tells how to read CSV; this is {found}")


def _encoding(columns: list[Column]) -> Encoding:
    encoding = Encoding(columns)
    if encoding.dimensions > MAX_COLUMNS:
        found = f"{encoding.dimensions:,} columns, with one a category"
        raise bad_file(f"{found}; at most {MAX_COLUMNS:,} are taken")
    return encoding


def _write(
    pieces: Pieces, output: Path, shape: tuple[int, ...], dtype: np.dtype[Any], max_bytes: int
) -> int:
    """The number of rows written."""
    with output.open("wb") as file, NpyWriter(file, shape, dtype) as writer:
        for piece in pieces:
            writer.write(piece)
            if writer.bytes > max_bytes:
                raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
    return writer.rows


def _rows(source: Source, encoding: Encoding, statistics: Statistics, drop: bool) -> Pieces:
    """A table's points, ready to be stored."""
    for piece in source.pieces():
        values = np.asarray(piece, np.float64)
        first_row = statistics.rows
        encoding.check(values, first_row)
        values = statistics.add(values, drop)
        rows = max(1, CHUNK_VALUES // encoding.dimensions)  # a category becomes many columns
        for at in range(0, len(values), rows):
            yield encoding.expand(values[at : at + rows], first_row + at)


def _images(source: Source, statistics: Statistics) -> Pieces:
    """Images, ready to be stored."""
    row = 0
    for piece in source.pieces():
        check_finite(piece, row)
        statistics.add(piece.reshape(-1, 1))
        row += len(piece)
        yield piece


@contextmanager
def explained(place: Callable[[int], str] = str, on_missing: str = "") -> Iterator[None]:
    """What is wrong with the points is wrong with the file; what to do about missing values."""
    try:
        yield
    except BadValue as error:
        where = f"{place(error.row)}, column {error.column!r}"
        advice = on_missing if isinstance(error, MissingValue) else ""
        raise bad_file(f"{where}: {error.msg}{advice}") from error
    except InvalidPoints as error:
        raise bad_file(str(error)) from error
