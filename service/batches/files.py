"""Files of points: opened as for training, then taken as the model's own."""

from dataclasses import replace
from pathlib import Path

from api_schemas.datasets import DatasetOptions
from service.batches.batch import Batch, Pieces, PointSpec
from service.encoding import Encoding, some
from service.ingest import arrow, csv, images
from service.ingest.reader import explained
from service.ingest.source import bad_file
from service.ingest.table import Table
from trainer.npy import map_npy


def open_npy(path: Path, spec: PointSpec) -> Batch:
    """An array, mapped. Raises InvalidPoints."""
    return spec.batch(map_npy(path))


def open_csv(path: Path, spec: PointSpec) -> Batch:
    """Columns by the names in its first line or, where it lacks any, in the model's order."""
    encoding = spec.table()
    dialect = csv.find_dialect(path, encoding.names)
    if not dialect.has_header:
        if len(dialect.names) != len(encoding.names):
            raise bad_file(
                f"the first line has {len(dialect.names)} values and does not name the "
                f"{len(encoding.names)} columns of the model: {some(encoding.names)}"
            )
        dialect = replace(dialect, names=encoding.names)
    return _rows(csv.text_table(path, dialect), spec)


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


def open_zip(path: Path, spec: PointSpec, max_bytes: int) -> Batch:
    """Images, in the order of the archive."""
    source = images.open_source(path, DatasetOptions(), max_bytes)
    return Batch(_as_trained(source.pieces(), spec))


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
                yield encoding.encode(piece, first_row)
                first_row += piece.num_rows


def _as_trained(pieces: Pieces, spec: PointSpec) -> Pieces:
    """Grey images for a model that was trained on (1, H, W) gain their channel."""
    for piece in pieces:
        yield piece[:, None] if spec.shape == (1, *piece.shape[1:]) else piece
