"""Every kind of file, good and bad."""

import gzip
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from api_schemas.datasets import DatasetOptions
from service.errors import InvalidInput, TooLarge, UnsupportedMediaType
from service.ingest import Points, read_points
from tests.points import npy


def table(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


BROKEN_HEADERS = [
    b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 5000,
    b"\x93NUMPY\x09\x09",
    header("{'descr': '<f8',"),
    header("{[]: 1}"),
    header("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}"),
    header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**31, 2)}"),
    header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**31}, 2)}}"),
    header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}"),
    header("{'descr': 'zz', 'fortran_order': False, 'shape': (1, 2)}"),
]


def read(
    content: bytes, tmp_path: Path, max_bytes: int = 1 << 30, **options: Any
) -> tuple[Points, NDArray[Any]]:
    upload, output = tmp_path / "upload", tmp_path / "points.npy"
    upload.write_bytes(content)
    points = read_points(upload, output, DatasetOptions(**options), max_bytes)
    return points, np.load(output)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n3,4.5\n",
        b"a;b\r\n1;2\r\n3;4.5",
        b"a\tb\n1\t2\n3\t4.5\n",
        b'\xef\xbb\xbf"a","b"\n1,2\n3,4.5\n\n',
        table(a=[1, 3], b=[2.0, 4.5]),
    ],
    ids=["commas", "semicolons", "tabs", "quotes and a mark", "parquet"],
)
def test_tables_with_names(content: bytes, tmp_path: Path) -> None:
    points, array = read(content, tmp_path)
    np.testing.assert_array_equal(array, [[1, 2], [3, 4.5]])
    assert [column.name for column in points.columns] == ["a", "b"]
    assert (points.columns[1].min, points.columns[1].max, points.columns[1].mean) == (2, 4.5, 3.25)
    assert (points.rows, points.shape, points.dtype) == (2, (2,), "float64")


@pytest.mark.parametrize("content", [b"1,2\n3,4\n", npy(np.array([[1, 2], [3, 4]]))])
def test_tables_without_names(content: bytes, tmp_path: Path) -> None:
    points, array = read(content, tmp_path)
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])
    assert [column.name for column in points.columns] == ["x0", "x1"]


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 3, 8, 6)])
def test_images(shape: tuple[int, ...], tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    points, array = read(npy(images), tmp_path)
    np.testing.assert_array_equal(array, images)
    assert (points.dtype, points.shape) == ("uint8", shape[1:])
    assert points.columns[0].mean == pytest.approx(images.mean())


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype="f2").reshape(2, 3),
        np.arange(6, dtype="i8").reshape(2, 3),
        np.array([[True, False]]),
    ],
    ids=["Fortran order", "big endian", "half", "integers", "booleans"],
)
def test_other_layouts(array: NDArray[Any], tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(npy(array), tmp_path)[1], array)


def test_many_pieces(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((200_000, 3))
    text = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    points, array = read(text.encode(), tmp_path)
    np.testing.assert_array_equal(array, values)
    assert points.columns[2].mean == pytest.approx(values[:, 2].mean())


def test_quoted_and_numbered_headers(tmp_path: Path) -> None:
    points, array = read(b'"height, cm","weight, kg"\n1,2\n', tmp_path)
    assert [column.name for column in points.columns] == ["height, cm", "weight, kg"]
    points, array = read(b"0,1,2\n5,6,7\n", tmp_path)
    assert [column.name for column in points.columns] == ["0", "1", "2"]
    np.testing.assert_array_equal(array, [[5, 6, 7]])


def test_a_small_file_of_very_many_points(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="over 1,000,000 bytes"):
        read(table(a=np.zeros(3_000_000)), tmp_path, max_bytes=1_000_000)


def test_constant_columns_are_warned_of(tmp_path: Path) -> None:
    assert read(b"a,b\n1,2\n1,3\n", tmp_path)[0].warnings == ["column 'a' is constant"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"a,b\n", "no points"),
        (b"text", "no points"),
        (b"a,b\n1,2\n3,foo\n", "line 3, column 'b': 'foo' is not a number"),
        (b"a,b\n" + b"1,2\n" * 300_000 + b"3,foo\n", "line 300002, column 'b': 'foo'"),
        (b"a,b\n1,2\n3,\n", "line 3, column 'b': the value is missing"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 columns, the first line 2"),
        (b"a,a\n1,2\n", "column 'a' occurs twice"),
        (b"a,b\n1,2\n3,nan\n", "line 3, column 'b': the value is missing or NaN"),
        (b"a,b\n1,2\n-inf,2\n", "line 3, column 'a': -inf is not a finite number"),
        (b"a\n1\n\n3\n", "line 3, column 'a': the value is missing"),
        (b",".join(b"%d" % i for i in range(70_000)), "at most 65,536"),
        (b"1," * 5_000_000, "line 1 is longer"),
        (b'\r,\x0e"\r93,\n\x194\n,', "line 4 has 1 columns, the first line 2"),
        (b"\n\r\n", "no columns"),
        (npy(np.array([[{}]])), "it holds pickled Python objects, which are never loaded"),
        (npy(np.zeros((4, 3)))[:-1], "it is shorter than its header says"),
        (npy(np.zeros((4, 3))) + b"\0", "it is longer than its header says"),
        (npy(np.zeros((4, 3)))[:20], "not a usable NPY array"),
        (npy(np.zeros(3)), "points must have shape"),
        (npy(np.zeros((0, 3))), "no points"),
        (npy(np.array([["a"]])), "must be numbers"),
        (npy(np.array([[1, np.nan]])), "row 0, column 'x1': the value is missing or NaN"),
        (npy(np.array([[1e300]])), "row 0, column 'x0'"),
        *((header, "not a usable NPY array") for header in BROKEN_HEADERS),
        (table(a=[1, None]), "row 1, column 'a': the value is missing"),
        (table(a=["x"]), "column 'a' holds string, not numbers"),
        (table(a=[1.0])[:-9], "not a usable Parquet file"),
        (table(), "no columns"),
        (table(a=pa.array([], pa.float64())), "no points"),
    ],
)
def test_bad_files_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content, tmp_path)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps([1]), "pickles are never loaded"),
        (b"GIF89a\0\0", "an unknown format; CSV, NPY"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "an unknown format"),
        ("a,b\n1,2\n".encode("utf-16-le"), "an unknown format"),
    ],
)
def test_other_formats_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaType, match=said):
        read(content, tmp_path)
