"""Apache Arrow's formats: Parquet, and IPC as a stream or a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc, parquet

from api_schemas.datasets import DatasetOptions
from service.ingest.source import Source, bad_file, check_columns, first_line
from service.ingest.table import Batches, Table, table_source

PARQUET_MAGIC = b"PAR1"
FILE_MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"
BATCH_VALUES = 1 << 20


def open_parquet(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column that can't be used."""
    return table_source(parquet_table(path), options)


def open_ipc(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column that can't be used."""
    return table_source(ipc_table(path), options)


def parquet_table(path: Path) -> Table:
    """Raises InvalidInput."""
    with _damaged("Parquet"), parquet.ParquetFile(path, memory_map=True) as file:
        schema = file.schema_arrow
        check_columns(schema.names)
    return Table(schema, partial(_parquet_batches, path))


def ipc_table(path: Path) -> Table:
    """Raises InvalidInput."""
    with _damaged("Arrow"), pa.memory_map(str(path)) as file:
        schema = _reader(file).schema
        check_columns(schema.names)
    return Table(schema, partial(_ipc_batches, path))


def _parquet_batches(path: Path, names: list[str]) -> Batches:
    with _damaged("Parquet"), parquet.ParquetFile(path, memory_map=True) as file:
        for batch in file.iter_batches(_batch_rows(names), columns=names, use_threads=False):
            batch.validate(full=True)  # text need not be UTF-8
            yield batch


def _ipc_batches(path: Path, names: list[str]) -> Batches:
    rows = _batch_rows(names)
    with _damaged("Arrow"), pa.memory_map(str(path)) as file:
        for batch in _record_batches(_reader(file)):
            batch.validate(full=True)  # Arrow itself trusts the offsets that it reads
            chosen = batch.select(names)
            for at in range(0, len(chosen), rows):
                yield chosen.slice(at, rows)


def _reader(file: pa.NativeFile) -> ipc.RecordBatchStreamReader | ipc.RecordBatchFileReader:
    is_file = file.read(len(FILE_MAGIC)) == FILE_MAGIC
    file.seek(0)
    return ipc.open_file(file) if is_file else ipc.open_stream(file)


def _record_batches(
    reader: ipc.RecordBatchStreamReader | ipc.RecordBatchFileReader,
) -> Batches:
    if isinstance(reader, ipc.RecordBatchFileReader):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)


def _batch_rows(names: list[str]) -> int:
    return max(1, BATCH_VALUES // len(names))


@contextmanager
def _damaged(kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise bad_file(f"not a usable {kind} file: {first_line(error)}") from error
