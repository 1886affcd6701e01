"""What is sent: files, arrays and tables as bodies with a media type."""

import io
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import FileOptions
from client import media


@dataclass(frozen=True)
class Body:
    """Bytes that can be sent again."""

    content: IO[bytes]
    media_type: str

    def rewound(self) -> IO[bytes]:
        self.content.seek(0)
        return self.content


@contextmanager
def file_body(source: str | Path | IO[bytes]) -> Iterator[Body]:
    """A file, by its path or open; what can't be read twice, as a pipe, is first copied to disk.

    Raises OSError.
    """
    with ExitStack() as stack:
        name, file = "", source
        if isinstance(file, str | Path):
            name, file = str(file), stack.enter_context(Path(file).open("rb"))
        if not file.seekable():
            copy = stack.enter_context(TemporaryFile())
            shutil.copyfileobj(file, copy)
            file = copy
        file.seek(0)
        yield Body(file, media.type_of(name, file.read(media.HEAD_BYTES)))


def array_body(points: NDArray[Any]) -> Body:
    """An array as NPY. Raises ValueError for one of Python objects."""
    file = io.BytesIO()
    np.save(file, points, allow_pickle=False)
    return Body(file, media.NPY)


def table_body(points: Any) -> Body:
    """A table of pandas, pyarrow or whatever else has Arrow's PyCapsule interface, as a stream."""
    import pyarrow as pa

    if is_pandas(points):
        table = pa.Table.from_pandas(points, preserve_index=False)
    else:
        table = pa.table(points)
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return Body(file, media.ARROW)


@contextmanager
def body_of(data: Any) -> Iterator[Body]:
    """Whatever holds points. Raises TypeError or OSError."""
    if isinstance(data, np.ndarray):
        yield array_body(data)
    elif is_table(data):
        yield table_body(data)
    elif isinstance(data, str | Path) or hasattr(data, "read"):
        with file_body(data) as body:
            yield body
    else:
        takes = "a path, a binary file, a NumPy array or a table of pandas or pyarrow"
        raise TypeError(f"points are {takes}, not {type(data).__name__}")


def is_pandas(data: Any) -> bool:
    """Whether it is a DataFrame, without importing pandas for the question."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_table(data: Any) -> bool:
    return is_pandas(data) or hasattr(data, "__arrow_c_stream__")


def check_options(options: Mapping[str, Any], schema: type[FileOptions], advice: str = "") -> None:
    """Raise TypeError for what is no field of the schema."""
    if unknown := options.keys() - schema.model_fields.keys():
        known = ", ".join(schema.model_fields)
        raise TypeError(f"{sorted(unknown)[0]!r} is none of {known}{advice}")
