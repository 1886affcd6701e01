"""`python -m service.unpacking`: reads a Parquet or Arrow file in a process of bounded memory.

How much a packed file takes is known once it is unpacked, and a small one can take gigabytes. So
whoever serves has this process do it, which answers with plain batches of bounded size.
stdin: JSON of the kind, the path and column names, none for the schema alone. stdout: an Arrow
stream. A refusal is a line on stderr and the status 1.
"""

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc, parquet

MEMORY_BYTES = 1 << 30
BATCH_VALUES, BATCH_BYTES = 1 << 20, 32 << 20
MAX_COLUMNS = 65_536
PARQUET = "Parquet"
FILE_MAGIC = b"ARROW1"
STREAM_START = 8  # of an Arrow file, which is a stream between its magic and its footer

Batches = Iterator[pa.RecordBatch]


def at_stream(file: pa.NativeFile) -> pa.NativeFile:
    """An Arrow stream or file, where its stream begins: a footer may say anything."""
    file.seek(0)
    is_file = file.read(len(FILE_MAGIC)) == FILE_MAGIC
    if is_file:
        ipc.open_file(file)  # raises when it breaks off
    file.seek(STREAM_START if is_file else 0)
    return file


def ipc_batches(path: Path, names: list[str]) -> Batches:
    """Some columns of an Arrow stream or file, in pieces."""
    with pa.memory_map(str(path)) as file:
        for batch in ipc.open_stream(at_stream(file)):
            yield from pieces(batch.select(names))


def parquet_batches(path: Path, names: list[str]) -> Batches:
    """Some columns of a Parquet file, in pieces."""
    with parquet.ParquetFile(path, memory_map=True) as file:
        rows = max(1, BATCH_VALUES // len(names))
        for batch in file.iter_batches(rows, columns=names, use_threads=False):
            yield from pieces(batch)


def pieces(batch: pa.RecordBatch) -> Batches:
    """A batch in parts of bounded size, without dictionaries, whose text may be used very often.

    Raises pyarrow.ArrowInvalid for damaged values and for rows that are too long.
    """
    batch.validate(full=True)  # Arrow itself trusts the offsets that it reads
    longest = sum(_longest(column) for column in batch.columns)
    if longest > BATCH_BYTES:
        raise pa.ArrowInvalid(f"the text of a row takes over {BATCH_BYTES:,} bytes")
    rows = max(1, min(BATCH_VALUES // batch.num_columns, BATCH_BYTES // max(1, longest)))
    for at in range(0, len(batch), rows):
        columns = [_plain(column) for column in batch.slice(at, rows).columns]
        yield pa.record_batch(columns, batch.schema.names)


def _longest(column: pa.Array) -> int:
    """Bytes of the longest text, 0 of numbers."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return 0
    return pc.max(pc.binary_length(values)).as_py() or 0


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _plain_schema(schema: pa.Schema, names: list[str]) -> pa.Schema:
    types = {name: schema.field(name).type for name in names}
    return pa.schema(
        (name, kind.value_type if pa.types.is_dictionary(kind) else kind)
        for name, kind in types.items()
    )


def _send(kind: str, path: Path, names: list[str]) -> None:
    if kind == PARQUET:
        schema, batches = parquet.read_schema(path, memory_map=True), parquet_batches
    else:
        with pa.memory_map(str(path)) as file:
            schema, batches = ipc.open_stream(at_stream(file)).schema, ipc_batches
    if len(schema) > MAX_COLUMNS:
        raise ValueError(f"{len(schema):,} columns; at most {MAX_COLUMNS:,} are taken")
    sent = _plain_schema(schema, names) if names else schema
    with ipc.new_stream(sys.stdout.buffer, sent) as stream:
        if names:
            for batch in batches(path, names):
                stream.write_batch(batch)


def main() -> None:
    """Answer one request."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        kind, path, names = json.load(sys.stdin)
        _send(kind, Path(path), names)
    except MemoryError:  # Arrow's too
        sys.exit(f"unpacking it takes over {MEMORY_BYTES:,} bytes of memory")
    except (pa.ArrowException, OSError, ValueError) as error:
        sys.exit(next(iter(str(error).splitlines()), type(error).__name__))


if __name__ == "__main__":
    main()
