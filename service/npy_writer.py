"""Writes rows of unknown number as one NPY file."""

from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class NpyWriter:
    """An array that grows along its first axis, in a file that stays open. Use as a context
    manager."""

    def __init__(self, file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Begin an empty file for rows of this shape and type."""
        self.shape = shape
        self.dtype = dtype
        self.rows = 0
        self._file = file
        self._write_header()

    def write(self, rows: NDArray[Any]) -> None:
        """Append (n, *shape)."""
        self.rows += len(rows)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)

    @property
    def bytes(self) -> int:
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.seek(0)
        self._write_header()  # numpy pads the header so that the first axis can grow in place

    def _write_header(self) -> None:
        shape = (self.rows, *self.shape)
        description = npy.dtype_to_descr(self.dtype)
        npy.write_array_header_1_0(
            self._file, {"descr": description, "fortran_order": False, "shape": shape}
        )
