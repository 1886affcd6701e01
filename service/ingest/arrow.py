"""Apache Arrow's formats: Parquet, and IPC as a stream or a file."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import pyarrow as pa
from pyarrow import ipc

from api_schemas.datasets import DatasetOptions
from service import unpacking
from service.ingest.messages import is_packed
from service.ingest.source import Source, bad_file, check_columns, first_line
from service.ingest.table import Batches, Table, table_source
from service.turns import turn

PARQUET_MAGIC = b"PAR1"
FILE_MAGIC = unpacking.FILE_MAGIC
STREAM_MAGIC = b"\xff\xff\xff\xff"
PARQUET, ARROW = unpacking.PARQUET, "Arrow"


def open_parquet(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column that can't be used."""
    return table_source(parquet_table(path), options, max_bytes)


def open_ipc(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput that names the column that can't be used."""
    return table_source(ipc_table(path), options, max_bytes)


def parquet_table(path: Path) -> Table:
    """Raises InvalidInput."""
    with _damaged(PARQUET), _unpacking(PARQUET, path, []) as stream:
        schema = stream.read_all().schema
        check_columns(schema.names)
    return Table(schema, partial(_unpacked, PARQUET, path), index=_index(schema))


def ipc_table(path: Path) -> Table:
    """Raises InvalidInput."""
    with _damaged(ARROW), pa.memory_map(str(path)) as file:
        packed = is_packed(unpacking.at_stream(file))
        schema = ipc.open_stream(unpacking.at_stream(file)).schema
        check_columns(schema.names)
    batches = partial(_unpacked if packed else _mapped, ARROW, path)
    return Table(schema, batches, index=_index(schema))


def _index(schema: pa.Schema) -> frozenset[str]:
    """The columns that a pandas.DataFrame had as its index."""
    with suppress(ValueError, AttributeError, TypeError):  # anyone may have written it
        told = (schema.pandas_metadata or {}).get("index_columns", [])
        return frozenset(name for name in told if isinstance(name, str))
    return frozenset()


def _mapped(kind: str, path: Path, names: list[str]) -> Batches:
    with _damaged(kind):
        yield from unpacking.ipc_batches(path, names)


def _unpacked(kind: str, path: Path, names: list[str]) -> Batches:
    with _damaged(kind), _unpacking(kind, path, names) as stream:
        yield from stream


@contextmanager
def _unpacking(kind: str, path: Path, names: list[str]) -> Iterator[ipc.RecordBatchStreamReader]:
    """What a process of bounded memory reads of a file: `service.unpacking`.

    Raises pyarrow.ArrowInvalid, after the block for a stream that breaks off: it seems to end; Busy
    while many others are unpacked.
    """
    command = [sys.executable, "-m", unpacking.__name__]
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    with turn(path.parent), TemporaryFile() as request, TemporaryFile() as said:
        request.write(json.dumps([kind, str(path), names]).encode())
        request.seek(0)
        with subprocess.Popen(
            command, env=environment, stdin=request, stdout=subprocess.PIPE, stderr=said
        ) as process:
            try:
                with suppress(pa.ArrowInvalid):  # the process itself says it better
                    yield ipc.open_stream(process.stdout)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
            raise pa.ArrowInvalid(lines[-1] if lines else "its reader broke off")


@contextmanager
def _damaged(kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise bad_file(f"not a usable {kind} file: {first_line(error)}") from error
