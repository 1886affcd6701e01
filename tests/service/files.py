"""Uploads of every format, made in memory."""

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pyarrow import ipc, parquet


def parquet_file(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def arrow_stream(**columns: Any) -> bytes:
    table = pa.table(columns)
    buffer = io.BytesIO()
    with ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def arrow_file(**columns: Any) -> bytes:
    table = pa.table(columns)
    buffer = io.BytesIO()
    with ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def npz(compressed: bool = False, **arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    save: Any = np.savez_compressed if compressed else np.savez
    save(buffer, **arrays)
    return buffer.getvalue()


def idx(array: NDArray[Any]) -> bytes:
    kinds = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    kind = kinds[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def image(array: NDArray[Any], kind: str = "PNG") -> bytes:
    """(H, W) or (H, W, C) of uint8 as a PNG or JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def palette(array: NDArray[Any]) -> bytes:
    """(H, W) of uint8 as a PNG file whose pixels are numbers of colours."""
    buffer = io.BytesIO()
    Image.fromarray(array).convert("P").save(buffer, "PNG")
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zeros(kind: str) -> bytes:
    """A small file, Parquet or Arrow, whose one row group or batch unpacks to 2 GiB."""
    buffer = io.BytesIO()
    column = pa.array(np.zeros(1 << 24))
    table = pa.table({f"x{i}": column for i in range(16)})
    if kind == "parquet":
        parquet.write_table(
            table,
            buffer,
            compression="zstd",
            use_dictionary=False,
            row_group_size=len(table),
            data_page_size=1 << 30,
            write_batch_size=len(table),
            max_rows_per_page=len(table),
        )
        return buffer.getvalue()
    options = ipc.IpcWriteOptions(compression="zstd")
    with ipc.new_stream(buffer, table.schema, options=options) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def long_text(kind: str) -> bytes:
    """A small file with a text of 1 MiB that is in each of a million rows."""
    buffer = io.BytesIO()
    once = pa.array(["x" * (1 << 20)])
    text = pa.DictionaryArray.from_arrays(np.zeros(1 << 20, np.int32), once)
    table = pa.table({"x": text, "y": np.zeros(1 << 20)})
    if kind == "parquet":
        parquet.write_table(table, buffer, store_schema=False)
        return buffer.getvalue()
    with ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()
