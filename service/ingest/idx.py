"""IDX, the format of MNIST: an array behind a few bytes of header, gzipped or not."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from api_schemas.datasets import DatasetOptions
from service.ingest.arrays import array_source
from service.ingest.source import Pieces, Source, bad_file, first_line
from trainer.points import CHUNK_VALUES

GZIP_MAGIC = b"\x1f\x8b"
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_AXES = 4


def is_idx(head: bytes) -> bool:
    """Whether a file that begins like this is IDX."""
    return head[:2] == b"\0\0" and len(head) > 3 and head[2] in TYPES and 1 <= head[3] <= MAX_AXES


def peek(path: Path) -> bytes:
    """How a file begins, once unzipped. Raises InvalidInput."""
    with _opened(path) as file:
        return file.read(4)


def open_source(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput or InvalidPoints."""
    with _opened(path) as file:
        shape, dtype = _header(file)
    row_bytes = prod(shape[1:]) * dtype.itemsize

    def pieces() -> Pieces:
        rows = max(1, CHUNK_VALUES // prod(shape[1:]))
        with _opened(path) as file:
            _header(file)
            for at in range(0, shape[0], rows):
                count = min(rows, shape[0] - at)
                data = file.read(count * row_bytes)
                if len(data) < count * row_bytes:
                    raise EOFError("it is shorter than its header says")
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])
            if file.read(1):
                raise EOFError("it is longer than its header says")

    return array_source(shape, dtype, pieces, options)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    _, kind, axes = struct.unpack(">HBB", file.read(4))
    return struct.unpack(f">{axes}I", file.read(4 * axes)), np.dtype(TYPES[kind])


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as plain:
            is_gzipped = plain.read(2) == GZIP_MAGIC
            plain.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=plain)) if is_gzipped else plain
    except (EOFError, OSError, struct.error, zlib.error) as error:
        raise bad_file(f"not a usable IDX file: {first_line(error)}") from error
