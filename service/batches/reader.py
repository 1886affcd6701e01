"""Opens a body by its media type."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from service import media
from service.batches import files, held
from service.batches.batch import Batch, Pieces, PointSpec
from service.errors import TooLarge
from service.uploads import Body

HEAD_BYTES = 16

HELD: Mapping[str, Callable[[bytes, PointSpec], Batch]] = {
    media.JSON: held.open_json,
    media.NPY: held.open_npy,
}
FILES: Mapping[str, Callable[[Path, PointSpec], Batch]] = {
    media.NPY: files.open_npy,
    media.CSV: files.open_csv,
    media.PARQUET: files.open_parquet,
    media.ARROW: files.open_ipc,
    media.PNG: files.open_image,
    media.JPEG: files.open_image,
}
ARCHIVES: Mapping[str, Callable[[Path, PointSpec, int], Batch]] = {
    media.NPZ: files.open_npz,
    media.ZIP: files.open_zip,
}
TAKEN = tuple({**HELD, **FILES, **ARCHIVES})


def open_batch(body: Body, content_type: str | None, spec: PointSpec, max_bytes: int) -> Batch:
    """Points of this kind, which unpack to no more than ``max_bytes``.

    Raises UnsupportedMediaType, TooLarge, InvalidPoints, InvalidInput or BadRequest, also when its
    pieces are read.
    """
    if isinstance(body, bytes):
        batch = HELD[media.base_type(content_type)](body, spec)
    else:
        with body.open("rb") as file:
            head = file.read(HEAD_BYTES)
        media_type = media.body_type(content_type, head, TAKEN)
        if media_type in ARCHIVES:
            batch = ARCHIVES[media_type](body, spec, max_bytes)
        else:
            batch = FILES[media_type](body, spec)
    return replace(batch, pieces=_capped(batch.pieces, max_bytes))


def _capped(pieces: Pieces, max_bytes: int) -> Pieces:
    received = 0
    for piece in pieces:
        received += piece.nbytes
        if received > max_bytes:
            raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
        yield piece
