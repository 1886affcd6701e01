"""Opens a body by its media type."""

from collections.abc import Callable, Mapping

from service import media
from service.batches import arrays, images, records, tables
from service.batches.batch import Batch, Body, PointSpec

HEAD_BYTES = 16

OPENERS: Mapping[str, Callable[[Body, PointSpec], Batch]] = {
    media.JSON: records.open_json,
    media.NPY: arrays.open_npy,
    media.CSV: tables.open_csv,
    media.PARQUET: tables.open_parquet,
    media.ARROW: tables.open_arrow,
    media.PNG: images.open_image,
    media.JPEG: images.open_image,
    media.ZIP: images.open_zip,
}
TAKEN = tuple(OPENERS)


def open_batch(body: Body, content_type: str | None, spec: PointSpec) -> Batch:
    """Points of this kind. Raises UnsupportedMediaType, InvalidPoints, InvalidInput or BadRequest,
    also when its pieces are read."""
    return OPENERS[media.body_type(content_type, _head(body), TAKEN)](body, spec)


def _head(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body[:HEAD_BYTES]
    with body.open("rb") as file:
        return file.read(HEAD_BYTES)
