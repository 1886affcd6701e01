"""Answers of any length: written to a file that goes to the disk once it is large, then sent.

Nothing is sent before the last row is written, so that whatever fails is answered by a problem.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa
from fastapi.responses import StreamingResponse
from numpy.lib import format as npy
from numpy.typing import NDArray
from pyarrow import csv, ipc, parquet

from service import media
from service.storage import Storage, disk_errors

HELD_BYTES = 16 << 20  # of an answer, before it goes to the disk
SENT_BYTES = 1 << 20

TABLE_WRITERS: Mapping[str, Callable[[IO[bytes], pa.Schema], Any]] = {
    media.CSV: csv.CSVWriter,
    media.PARQUET: parquet.ParquetWriter,
    media.ARROW: ipc.new_stream,
}


def answer(
    storage: Storage, media_type: str, headers: dict[str, str], write: Callable[[IO[bytes]], None]
) -> StreamingResponse:
    """What ``write`` puts into a file. Whatever it raises leaves nothing behind.

    Raises StorageUnavailable.
    """
    with ExitStack() as stack:
        folder = str(storage.scratch_folder)
        file = stack.enter_context(SpooledTemporaryFile(HELD_BYTES, dir=folder))
        with disk_errors():
            write(file)
        length = str(file.seek(0, 2))
        stack.pop_all()
    headers = {**headers, "Content-Length": length}
    return StreamingResponse(_parts(file), media_type=media_type, headers=headers)


def write_table(file: IO[bytes], media_type: str, pieces: Iterable[pa.Table]) -> None:
    """One table, in one piece or more, as CSV, Parquet or Arrow stream."""
    pieces = iter(pieces)
    first = next(pieces)
    with TABLE_WRITERS[media_type](file, first.schema) as writer:
        for piece in chain([first], pieces):
            writer.write_table(piece)


def write_npy(file: IO[bytes], pieces: Iterable[NDArray[Any]]) -> None:
    """One array, in one piece or more along its first axis, as NPY."""
    pieces = iter(pieces)
    first = next(pieces)
    rows = 0
    _write_npy_header(file, first, rows)
    for piece in chain([first], pieces):
        file.write(np.ascontiguousarray(piece).data)
        rows += len(piece)
    file.seek(0)
    _write_npy_header(file, first, rows)  # numpy pads it so that the first axis can grow in place


def write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Arrays by name, as NPZ."""
    np.savez(file, allow_pickle=False, **arrays)


def _write_npy_header(file: IO[bytes], like: NDArray[Any], rows: int) -> None:
    shape = (rows, *like.shape[1:])
    description = npy.dtype_to_descr(like.dtype)
    header = {"descr": description, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, header)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while part := file.read(SENT_BYTES):
            yield part
