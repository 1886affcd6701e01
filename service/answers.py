"""Answers of any length: written to a file that goes to the disk once it is large, then sent.

Nothing is sent before the last row is written, so that whatever fails is answered by a problem.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

import pyarrow as pa
from fastapi.responses import Response, StreamingResponse
from numpy.typing import NDArray
from pyarrow import csv, ipc, parquet
from pydantic import BaseModel

from service import media
from service.npy_writer import NpyWriter
from service.storage import Storage, disk_errors

MAX_JSON_VALUES = 1 << 21
HELD_BYTES = 16 << 20  # of an answer, before it goes to the disk
SENT_BYTES = 1 << 20

TABLE_WRITERS: Mapping[str, Callable[[IO[bytes], pa.Schema], Any]] = {
    media.CSV: csv.CSVWriter,
    media.PARQUET: parquet.ParquetWriter,
    media.ARROW: ipc.new_stream,
}


def as_json(model: BaseModel, headers: dict[str, str]) -> Response:
    """A model without the fields that are not there."""
    body = model.model_dump_json(exclude_none=True)
    return Response(body, media_type=media.JSON, headers=headers)


def answer(
    storage: Storage, media_type: str, headers: dict[str, str], write: Callable[[IO[bytes]], None]
) -> StreamingResponse:
    """What ``write`` puts into a file. Whatever it raises leaves nothing behind.

    Raises StorageUnavailable.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_spooled(storage))
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
    with NpyWriter(file, first.shape[1:], first.dtype) as writer:
        for piece in chain([first], pieces):
            writer.write(piece)


def write_npz(
    file: IO[bytes], storage: Storage, pieces: Iterable[Mapping[str, NDArray[Any]]]
) -> None:
    """Arrays by name, in one piece or more along their first axes, as NPZ."""
    pieces = iter(pieces)
    first = next(pieces)
    with ExitStack() as files, zipfile.ZipFile(file, "w") as archive:
        arrays = {name: files.enter_context(_spooled(storage)) for name in first}
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(NpyWriter(arrays[name], like.shape[1:], like.dtype))
                for name, like in first.items()
            }
            for piece in chain([first], pieces):
                for name, values in piece.items():
                    writers[name].write(values)
        for name, array in arrays.items():
            array.seek(0)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                shutil.copyfileobj(array, member)


def _spooled(storage: Storage) -> IO[bytes]:
    return cast(IO[bytes], SpooledTemporaryFile(HELD_BYTES, dir=str(storage.scratch_folder)))


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while part := file.read(SENT_BYTES):
            yield part
