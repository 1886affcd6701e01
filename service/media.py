"""Content types in and out: which one a request has and wants."""

from collections.abc import Collection, Mapping, Sequence

from fastapi import Query

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
EVENTS = "text/event-stream"

FORMATS: Mapping[str, str] = {
    "json": JSON,
    "csv": CSV,
    "parquet": PARQUET,
    "arrow": ARROW,
    "npy": NPY,
    "npz": NPZ,
    "png": PNG,
    "events": EVENTS,
}
FORMAT = Query(alias="format", description="type of the answer; goes before the Accept header")

# what curl and others send when they are told nothing
SILENT = ("", OCTETS, "application/x-www-form-urlencoded", "text/plain")
MAGIC = (
    (b"\x93NUMPY", NPY),
    (b"PAR1", PARQUET),
    (b"\xff\xff\xff\xff", ARROW),
    (b"\x89PNG\r\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"PK\x03\x04", ZIP),
)


def choose(accept: str | None, offered: Sequence[str], format: str | None = None) -> str:
    """The offered type of this format or, with none named, the one that an Accept header likes
    best. Raises NotAcceptable."""
    accept = FORMATS[format] if format else accept
    if accept is None or accept == "*/*":
        return offered[0]
    wanted = [_preference(part) for part in accept.split(",")]
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


def charset(content_type: str | None) -> str | None:
    """What the Content-Type of CSV says of its encoding (RFC 7111)."""
    media, *parameters = (part.strip() for part in (content_type or "").split(";"))
    if media.lower() != CSV:
        return None
    told = (part.partition("=") for part in parameters)
    return next((value.strip('"') for name, _, value in told if name.lower() == "charset"), None)


def body_type(content_type: str | None, head: bytes, taken: Collection[str]) -> str:
    """Which of the ``taken`` types a body has: what its Content-Type says or, where that says
    nothing, what its first bytes tell; other text than JSON is CSV. Raises UnsupportedMediaType."""
    media = base_type(content_type)
    found = next((found for magic, found in MAGIC if head.startswith(magic)), None)
    if media in SILENT:
        is_csv = head and b"\0" not in head and not head.lstrip().startswith((b"{", b"["))
        media = found or (CSV if is_csv else media)
    elif found and media in taken and found != media and {found, media} != {ZIP, NPZ}:
        detail = f"the body is declared as {media}, but by its content it is {found}"
        raise UnsupportedMediaType("media_type_mismatch", detail)
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
