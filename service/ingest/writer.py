"""Writes rows of unknown number as one NPY file."""

from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class PointsWriter:
    """An NPY file that grows along its first axis. Use as a context manager."""

    def __init__(self, path: Path, point_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.point_shape = point_shape
        self.dtype = dtype
        self.rows = 0
        self._file: BinaryIO = path.open("wb")
        self._write_header()

    def write(self, points: NDArray[Any]) -> None:
        """Append (n, *point_shape)."""
        self.rows += len(points)
        self._file.write(np.ascontiguousarray(points, self.dtype).data)

    @property
    def bytes(self) -> int:
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.seek(0)
        self._write_header()  # numpy pads the header so that the first axis can grow in place
        self._file.close()

    def _write_header(self) -> None:
        shape = (self.rows, *self.point_shape)
        description = npy.dtype_to_descr(self.dtype)
        npy.write_array_header_1_0(
            self._file, {"descr": description, "fortran_order": False, "shape": shape}
        )
