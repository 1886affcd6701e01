"""Opens a body by its media type."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from api_schemas.datasets import FileOptions
from service import media
from service.batches import files, held
from service.batches.batch import Batch, Pieces, PointSpec
from service.errors import TooLarge
from service.ingest import formats
from service.ingest.reader import check_options
from service.uploads import Body

HEAD_BYTES = 16
OPTIONED = {media.CSV: "csv", media.NPZ: "npz"}

HELD: Mapping[str, Callable[[bytes, PointSpec], Batch]] = {
    media.JSON: held.open_json,
    media.NPY: held.open_npy,
}
FILES: Mapping[str, Callable[[Path, PointSpec], Batch]] = {
    media.NPY: files.open_npy,
    media.PARQUET: files.open_parquet,
    media.ARROW: files.open_ipc,
    media.PNG: files.open_image,
    media.JPEG: files.open_image,
}
TAKEN = (*{**HELD, **FILES}, media.CSV, media.NPZ, media.ZIP)


def open_batch(
    body: Body, content_type: str | None, spec: PointSpec, options: FileOptions, max_bytes: int
) -> Batch:
    """Points of this kind, which unpack to no more than ``max_bytes``.

    Raises UnsupportedMediaType, TooLarge, InvalidPoints, InvalidInput or BadRequest, also when its
    pieces are read.
    """
    if isinstance(body, bytes):
        media_type = media.base_type(content_type)
        check_options(options, media_type)
        batch = HELD[media_type](body, spec)
    else:
        batch = _open_file(body, content_type, spec, options, max_bytes)
    return replace(batch, pieces=_capped(batch.pieces, max_bytes))


def _open_file(
    path: Path, content_type: str | None, spec: PointSpec, options: FileOptions, max_bytes: int
) -> Batch:
    with path.open("rb") as file:
        media_type = media.body_type(content_type, file.read(HEAD_BYTES), TAKEN)
    if media_type == media.ZIP and formats.find_format(path) == "npz":
        media_type = media.NPZ
    check_options(options, OPTIONED.get(media_type, media_type))
    if media_type == media.CSV:
        return files.open_csv(path, spec, options)
    if media_type == media.NPZ:
        return files.open_npz(path, spec, options, max_bytes)
    if media_type == media.ZIP:
        return files.open_zip(path, spec, max_bytes)
    return FILES[media_type](path, spec)


def _capped(pieces: Pieces, max_bytes: int) -> Pieces:
    received = 0
    for piece in pieces:
        received += piece.nbytes
        if received > max_bytes:
            raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
        yield piece
