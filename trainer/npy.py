"""NPY files, mapped or parsed without ever unpickling, whatever their header claims."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

import numpy as np

from trainer.errors import InvalidPoints
from trainer.points import Points

MAGIC = b"\x93NUMPY"


def map_npy(path: Path) -> Points:
    """The array of a file, read as it is used. Raises InvalidPoints or OSError."""
    with _explained(), path.open("rb") as file:
        _check_magic(file.read(len(MAGIC)))
        array: Points = np.lib.format.open_memmap(path, mode="r")
    return array


def parse_npy(data: bytes) -> Points:
    """The array of a file's bytes. Raises InvalidPoints."""
    with _explained():
        _check_magic(data[: len(MAGIC)])
        array: Points = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def _check_magic(head: bytes) -> None:
    if head != MAGIC:
        raise ValueError("it is another kind of file; numpy.save writes this one")


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
