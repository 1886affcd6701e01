"""Records, a piece at a time, as NPY, CSV or Parquet: never all of them in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from service import media
from service.spool import Spool

Records = NDArray[Any]  # of a structured dtype

FORMATS = (media.NPY, media.CSV, media.PARQUET)


def encoded(
    media_type: str, dtype: np.dtype[Any], count: int, parts: Iterator[Records]
) -> Iterator[bytes]:
    """``count`` records of ``dtype`` as one of FORMATS. NaN is left empty but in NPY."""
    if media_type == media.NPY:
        return _npy(dtype, count, parts)
    tables = map(_table, parts)
    empty = _table(np.empty(0, dtype))
    return _csv(empty, tables) if media_type == media.CSV else _parquet(empty, tables)


def _npy(dtype: np.dtype[Any], count: int, parts: Iterator[Records]) -> Iterator[bytes]:
    spool = Spool()
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_2_0(spool, header)
    yield spool.take()
    for part in parts:
        yield part.tobytes()


def _csv(empty: pa.Table, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    spool = Spool()
    options = pyarrow.csv.WriteOptions(quoting_style="none")
    with pyarrow.csv.CSVWriter(spool, empty.schema, write_options=options) as writer:
        for table in tables:
            writer.write_table(table)
            yield spool.take()
    yield spool.take()


def _parquet(empty: pa.Table, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    spool = Spool()
    with pyarrow.parquet.ParquetWriter(spool, empty.schema) as writer:
        for table in tables:
            writer.write_table(table)
            yield spool.take()
    yield spool.take()


def _table(records: Records) -> pa.Table:
    names = records.dtype.names or ()
    columns = [pa.array(records[name].copy(), from_pandas=True) for name in names]
    return pa.table(columns, list(names))
