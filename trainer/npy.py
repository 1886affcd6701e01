"""NPY files, mapped or parsed without ever unpickling, whatever their header claims."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from trainer.errors import InvalidPoints
from trainer.points import Points

MAGIC = b"\x93NUMPY"


def map_npy(path: Path) -> Points:
    """The array of a file, read as it is used. Raises InvalidPoints or OSError."""
    with _explained(), path.open("rb") as file:
        _check_magic(file.read(len(MAGIC)))
        array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r")
        file.seek(0, 2)
        _check_end(array.offset + array.nbytes, file.tell())
    return array


def parse_npy(data: bytes) -> Points:
    """The array of a file's bytes. Raises InvalidPoints."""
    with _explained():
        _check_magic(data[: len(MAGIC)])
        file = io.BytesIO(data)
        array: Points = np.lib.format.read_array(file, allow_pickle=False)
        _check_end(file.tell(), len(data))
    return array


def _check_magic(head: bytes) -> None:
    if head != MAGIC:
        raise ValueError("it is another kind of file; numpy.save writes this one")


def _check_end(end: int, length: int) -> None:
    if end < length:
        raise ValueError("it is longer than its header says")


@contextmanager
def _explained() -> Iterator[None]:
    # numpy evaluates the header: what it claims can go wrong in all these ways
    broken = (ValueError, TypeError, OverflowError, SyntaxError, TokenError, EOFError, MemoryError)
    try:
        yield
    except broken as error:
        message = (str(error) or type(error).__name__).splitlines()[0]
        if "Python objects" in message or "allow_pickle" in message:
            message = "it holds pickled Python objects, which are never loaded"
        elif "mmap length" in message or isinstance(error, MemoryError):
            message = "it is shorter than its header says"
        raise InvalidPoints(f"not a usable NPY array: {message}") from error
