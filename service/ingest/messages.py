"""What the messages of an Arrow stream say of themselves.

They are flatbuffers, which Arrow has verified but keeps to itself.
"""

import struct

import pyarrow as pa
from pyarrow import ipc

MAX_SCHEMA_BYTES = 32 << 20  # it takes many times as much once it is read
# places of fields, by Arrow's Message.fbs and Schema.fbs
HEADER, ENDIANNESS, DATA, COMPRESSION = 2, 0, 1, 3


def is_packed(file: pa.NativeFile) -> bool:
    """Whether a stream's batches take memory beside the file's: compressed or big-endian ones.

    Raises pyarrow.ArrowInvalid.
    """
    return any(_is_packed(message) for message in ipc.MessageReader.open_stream(file))


def _is_packed(message: ipc.Message) -> bool:
    if message.type == "schema" and message.metadata.size > MAX_SCHEMA_BYTES:
        raise pa.ArrowInvalid(f"its schema takes over {MAX_SCHEMA_BYTES:,} bytes")
    data = memoryview(message.metadata)
    header = _table(data, _field(data, _table(data, 0), HEADER))
    if message.type == "schema":
        return _field(data, header, ENDIANNESS) is not None
    if message.type == "dictionary":
        header = _table(data, _field(data, header, DATA))
    return _field(data, header, COMPRESSION) is not None


def _table(data: memoryview, place: int | None) -> int:
    """Where the table lies to which the number at a place leads."""
    if place is None:
        raise pa.ArrowInvalid("a message lacks its header")
    offset: int = struct.unpack_from("<I", data, place)[0]
    return place + offset


def _field(data: memoryview, table: int, index: int) -> int | None:
    """Where a table's field lies, None where it has its default."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * index
    if entry >= struct.unpack_from("<H", data, fields)[0]:
        return None
    offset: int = struct.unpack_from("<H", data, fields + entry)[0]
    return table + offset if offset else None
