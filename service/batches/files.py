"""Files of points: opened as for training, then taken as the model's own."""

from dataclasses import replace
from pathlib import Path

from api_schemas.datasets import Column, DatasetOptions, FileOptions
from service.batches.batch import Batch, Pieces, PointSpec
from service.encoding import Encoding, some
from service.ingest import arrow, csv, images, npy
from service.ingest.guesses import MISSING
from service.ingest.layout import layout_of, read_head
from service.ingest.reader import explained
from service.ingest.source import bad_file
from service.ingest.table import Table
from service.ingest.text import Fields, is_number
from trainer.npy import map_npy


def open_npy(path: Path, spec: PointSpec) -> Batch:
    """An array, mapped. Raises InvalidPoints."""
    return spec.batch(map_npy(path))


def open_csv(path: Path, spec: PointSpec, options: FileOptions) -> Batch:
    """Columns by the names in its first line or, where that is a point, in the model's order."""
    encoding = spec.table()
    head = read_head(path, options)
    header = options.header
    if header is None:
        header = bool(head.rows) and _names_columns(head.rows[0], encoding)
    layout = layout_of(head, header)
    if not layout.dialect.header:
        if len(layout.names) != len(encoding.names):
            raise bad_file(
                f"the first line has {len(layout.names)} values and does not name the "
                f"{len(encoding.names)} columns of the model: {some(encoding.names)}"
            )
        layout = replace(layout, names=encoding.names)
    return _rows(csv.text_table(path, layout), spec)


def open_parquet(path: Path, spec: PointSpec) -> Batch:
    """Columns by name."""
    return _rows(arrow.parquet_table(path), spec)


def open_ipc(path: Path, spec: PointSpec) -> Batch:
    """Columns by name, of an Arrow stream or file."""
    return _rows(arrow.ipc_table(path), spec)


def open_image(path: Path, spec: PointSpec) -> Batch:
    """One image."""
    if path.stat().st_size > images.MAX_IMAGE_BYTES:
        raise bad_file(f"the image is larger than {images.MAX_IMAGE_BYTES:,} bytes")
    image = images.decode(path.read_bytes(), "the image")
    return Batch(_as_trained(iter([image[None]]), spec))


def open_npz(path: Path, spec: PointSpec, options: FileOptions, max_bytes: int) -> Batch:
    """An array, unpacked and mapped. Raises InvalidPoints, InvalidInput or TooLarge."""
    return spec.batch(npy.map_npz(path, options.array, max_bytes))


def open_zip(path: Path, spec: PointSpec, max_bytes: int) -> Batch:
    """Images, in the order of the archive."""
    source = images.open_source(path, DatasetOptions(), max_bytes)
    return Batch(_as_trained(source.pieces(), spec))


def _names_columns(first: Fields, encoding: Encoding) -> bool:
    """Whether a first line is a header. Raises InvalidInput for one that lacks a column."""
    missing = [name for name in encoding.names if name not in first]
    if not missing:
        return True
    known = {*encoding.names} & {*first}
    if _is_point(first, encoding) or (not known and any(map(is_number, first))):
        return False
    unknown = [name for name in first if name not in known]
    others = f"; the model knows no {some(unknown)}" if unknown else ""
    raise bad_file(f"the first line has no column {some(missing)}{others}")


def _is_point(fields: Fields, encoding: Encoding) -> bool:
    columns = encoding.columns
    return len(fields) == len(columns) and all(map(_is_value, columns, fields))


def _is_value(column: Column, text: str) -> bool:
    if text in MISSING or (column.type == "boolean" and text.lower() in ("false", "true")):
        return True
    return text in column.categories if column.categories else is_number(text)


def _rows(table: Table, spec: PointSpec) -> Batch:
    encoding, names = spec.table(), table.schema.names
    with explained():
        encoding.check_schema(table.schema)
    used = set(encoding.names)
    ignored = [name for name in names if name not in used]
    return Batch(_points(table, encoding, spec.piece_rows), ignored)


def _points(table: Table, encoding: Encoding, rows: int) -> Pieces:
    first_row = 0
    with explained(table.place):
        for batch in table.batches(encoding.names):
            for at in range(0, batch.num_rows, rows):
                piece = batch.slice(at, rows)
                yield encoding.encode(piece, first_row, table.decimal)
                first_row += piece.num_rows


def _as_trained(pieces: Pieces, spec: PointSpec) -> Pieces:
    """Grey images for a model that was trained on (1, H, W) gain their channel."""
    for piece in pieces:
        points = piece[:, None] if spec.shape == (1, *piece.shape[1:]) else piece
        yield spec.checked(points)
