"""Content types in and out: which one a request has and wants."""

from collections.abc import Collection, Sequence

from service.errors import NotAcceptable, UnsupportedMediaType

JSON = "application/json"
NPY = "application/x-npy"
NPZ = "application/x-npz"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
PNG = "image/png"
JPEG = "image/jpeg"
ZIP = "application/zip"
OCTETS = "application/octet-stream"

# what curl and others send when they are told nothing
SILENT = ("", OCTETS, "application/x-www-form-urlencoded")
MAGIC = (
    (b"\x93NUMPY", NPY),
    (b"PAR1", PARQUET),
    (b"\xff\xff\xff\xff", ARROW),
    (b"\x89PNG\r\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"PK\x03\x04", ZIP),
)


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that an Accept header likes best. Raises NotAcceptable."""
    wanted = [_preference(part) for part in (accept or "*/*").split(",")]
    qualities = {media: _quality(media, wanted) for media in offered}
    best = max(offered, key=lambda media: qualities[media])
    if not qualities[best]:
        raise NotAcceptable(
            "not_acceptable", f"this can be answered as {', '.join(offered)}, not as {accept}"
        )
    return best


def base_type(content_type: str | None) -> str:
    """A Content-Type without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def body_type(content_type: str | None, head: bytes, taken: Collection[str]) -> str:
    """Which of the ``taken`` types a body has: what its Content-Type says or, where that says
    nothing, what its first bytes tell. Raises UnsupportedMediaType."""
    media = base_type(content_type)
    if media in SILENT:
        media = next((found for magic, found in MAGIC if head.startswith(magic)), media)
    if media not in taken:
        raise UnsupportedMediaType(
            "unsupported_media_type",
            f"points are taken as {', '.join(taken)}, not as {media or 'nothing'}",
        )
    return media


def _preference(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return media.lower(), float(quality)
    except ValueError:
        return media.lower(), 0.0


def _quality(media: str, wanted: list[tuple[str, float]]) -> float:
    ranges = (media, media.split("/")[0] + "/*", "*/*")
    return next((q for wide in ranges for name, q in wanted if name == wide), 0.0)
