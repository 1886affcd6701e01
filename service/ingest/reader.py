"""Turns an upload into points: finds its format, checks every value, writes one NPY file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api_schemas.datasets import Column, ColumnType, DatasetFormat
from service.errors import TooLarge, UnsupportedMediaType
from service.ingest import csv, npy, parquet
from service.ingest.source import Source, bad_file
from service.ingest.writer import PointsWriter
from trainer.errors import InvalidPoints
from trainer.npy import MAGIC as NPY_MAGIC
from trainer.points import check_finite

HEAD_BYTES = 4096
PICKLE_MAGIC = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
OPENERS = {"csv": csv.open_source, "npy": npy.open_source, "parquet": parquet.open_source}


@dataclass(frozen=True)
class Points:
    """What an upload holds, apart from the values themselves."""

    format: DatasetFormat
    rows: int
    shape: tuple[int, ...]
    dtype: str
    columns: list[Column]
    warnings: list[str]


def read_points(upload: Path, output: Path, max_bytes: int) -> Points:
    """Check an uploaded file and write its points to ``output`` as NPY, a piece at a time.

    Raises InvalidInput for what can't be points, TooLarge for what unpacks to over ``max_bytes``
    and UnsupportedMediaType for other formats.
    """
    found = find_format(upload)
    try:
        source = OPENERS[found](upload)
        with PointsWriter(output, source.point_shape, source.dtype) as writer:
            for piece in source.pieces:
                check_finite(piece, writer.rows, source.columns)
                writer.write(piece)
                if writer.bytes > max_bytes:
                    raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
    except InvalidPoints as error:
        raise bad_file(str(error)) from error
    if writer.rows == 0:
        raise bad_file("the file holds no points")
    columns = _columns(source, writer)
    return Points(
        format=found,
        rows=writer.rows,
        shape=source.point_shape,
        dtype=source.dtype.name,
        columns=columns,
        warnings=[f"column {c.name!r} is constant" for c in columns if c.min == c.max],
    )


def find_format(upload: Path) -> DatasetFormat:
    """By content, as names and media types are often wrong. Raises UnsupportedMediaType."""
    with upload.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise bad_file("the file is empty")
    if head.startswith(NPY_MAGIC):
        return "npy"
    if head.startswith(parquet.MAGIC):
        return "parquet"
    if head.startswith(PICKLE_MAGIC):
        raise UnsupportedMediaType(
            "unsupported_format", "this is a pickle; pickles are never loaded"
        )
    if b"\0" in head:
        raise UnsupportedMediaType("unsupported_format", "neither CSV nor NPY nor Parquet")
    return "csv"


def _columns(source: Source, writer: PointsWriter) -> list[Column]:
    names = source.columns or ["pixels"]
    statistics = np.stack([writer.min, writer.max, writer.mean]).T.tolist()
    kind: ColumnType = "number" if source.columns else "pixels"
    return [
        Column(name=name, type=kind, min=low, max=high, mean=mean)
        for name, (low, high, mean) in zip(names, statistics, strict=True)
    ]
