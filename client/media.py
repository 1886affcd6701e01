"""Media types by the endings of files, and by their first bytes where there is no name."""

from pathlib import Path

JSON = "application/json"
NPY = "application/x-npy"
NPZ = "application/x-npz"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
PNG = "image/png"
JPEG = "image/jpeg"
ZIP = "application/zip"
OCTETS = "application/octet-stream"  # the service looks
EVENTS = "text/event-stream"

ENDINGS = {
    ".csv": CSV,
    ".npy": NPY,
    ".npz": NPZ,
    ".parquet": PARQUET,
    ".arrow": ARROW,
    ".json": JSON,
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".zip": ZIP,
}
HEADS = {
    b"\x93NUMPY": NPY,
    b"PAR1": PARQUET,
    b"ARROW1": ARROW,
    b"\xff\xff\xff\xff": ARROW,
    b"\x89PNG\r\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"PK\x03\x04": ZIP,
    b"{": JSON,
}
HEAD_BYTES = 16


def type_of(name: str, head: bytes) -> str:
    """By the name or, where that tells nothing, by the first bytes; else CSV, which any text is."""
    by_head = (found for start, found in HEADS.items() if head.lstrip().startswith(start))
    return ENDINGS.get(Path(name).suffix.lower()) or next(by_head, CSV)


def type_to_write(name: str) -> str:
    """What a file of this name is to hold. Raises ValueError."""
    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise ValueError(f"{name}: what to write is told by its ending, one of {known}")
    return ENDINGS[ending]
