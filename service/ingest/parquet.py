"""Parquet: a table of numeric columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from service.ingest.source import Source, bad_file, check_columns

MAGIC = b"PAR1"
BATCH_VALUES = 1 << 20


def open_source(path: Path) -> Source:
    """Raises InvalidInput that names the column that is not numeric or lacks a value."""
    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise bad_file(f"not a valid Parquet file: {str(error).splitlines()[0]}") from error
    names = file.schema_arrow.names
    check_columns(names)
    for field in file.schema_arrow:
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            raise bad_file(f"column {field.name!r} holds {field.type}, not numbers")
    if not names:
        raise bad_file("the table has no columns")
    return Source((len(names),), np.dtype("<f8"), names, _pieces(file))


def _pieces(file: parquet.ParquetFile) -> Iterator[NDArray[Any]]:
    row = 0
    names = file.schema_arrow.names
    try:
        for batch in file.iter_batches(max(1, BATCH_VALUES // len(names))):
            for name, column in zip(names, batch.columns, strict=True):
                if column.null_count:
                    at = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                    raise bad_file(f"row {row + at}, column {name!r}: the value is missing")
            row += batch.num_rows
            columns = [c.to_numpy(zero_copy_only=False).astype("<f8") for c in batch.columns]
            yield np.column_stack(columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise bad_file(f"damaged Parquet file: {str(error).splitlines()[0]}") from error
