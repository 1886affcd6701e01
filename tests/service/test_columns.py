"""What columns turn out to hold, and what becomes of missing values and categories."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from api_schemas.datasets import Column, Missing
from service.encoding import Encoding
from service.errors import InvalidInput
from service.ingest import fills
from tests.points import npy
from tests.service.files import arrow_stream, parquet_file
from tests.service.test_ingest import read

HOMES = b"""city,rooms,size,new
Rome,3,1.5,true
Bern,NA,2.5,FALSE
Oslo,4,,true
Rome,4,4.0,
"""
LONG = b"x" * 1001
HOMES_TABLE: dict[str, Any] = {
    "city": pa.array(["Rome", "Bern", "Oslo", "Rome"]).dictionary_encode(),
    "rooms": [3, None, 4, 4],
    "size": pa.array([1.5, 2.5, np.nan, 4.0], pa.float32()),
    "new": [True, False, True, None],
}


def kinds(columns: list[Column]) -> list[str]:
    return [column.type for column in columns]


@pytest.mark.parametrize(
    "content",
    [
        HOMES,
        HOMES.replace(b",", b"|").replace(b"\n", b"\r\n"),
        HOMES.replace(b"Rome", b' "Rome" '.strip()).replace(b",3,", b", 3 ,"),
        b"\xef\xbb\xbf" + HOMES,
        HOMES.decode().encode("utf-16"),
        parquet_file(**HOMES_TABLE),
        arrow_stream(**HOMES_TABLE),
    ],
    ids=["csv", "bars", "quotes and spaces", "mark", "utf-16", "parquet", "arrow"],
)
@pytest.mark.parametrize(
    ("missing", "rooms", "size", "new"),
    [("mean", 11 / 3, 8 / 3, 1), ("median", 4, 2.5, 1), ("mode", 4, 1.5, 1)],
)
def test_filling_in(
    content: bytes, missing: Missing, rooms: float, size: float, new: float, tmp_path: Path
) -> None:
    points, array = read(content, tmp_path, missing=missing, categories="onehot")
    assert kinds(points.columns) == ["category", "integer", "number", "boolean"]
    assert points.columns[0].categories == ["Bern", "Oslo", "Rome"]
    assert [column.missing for column in points.columns] == [0, 1, 1, 1]
    assert points.columns[0].fill == "Rome"  # though none is missing here
    assert [column.fill for column in points.columns[1:]] == pytest.approx([rooms, size, new])
    expected = [
        [0, 0, 1, 3, 1.5, 1],
        [1, 0, 0, rooms, 2.5, 0],
        [0, 1, 0, 4, size, 1],
        [0, 0, 1, 4, 4, new],
    ]
    np.testing.assert_allclose(array, expected)
    decoded = Encoding(points.columns).decode(array)
    assert decoded.column("city").to_pylist() == ["Rome", "Bern", "Oslo", "Rome"]
    assert decoded.column("rooms").to_pylist() == [3, 4, 4, 4]


def test_pandas_index_is_no_column(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1, 2, 3], "y": [4, 5, 7]}, index=[5, 6, 7]).to_parquet(tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    points, array = read(content, tmp_path)
    np.testing.assert_array_equal(array, [[1, 4], [2, 5], [3, 7]])
    (warning,) = points.warnings
    assert "left out as pandas' index" in warning
    assert "__index_level_0__" in warning
    points, array = read(content, tmp_path, columns=["__index_level_0__", "x"])
    np.testing.assert_array_equal(array, [[5, 1], [6, 2], [7, 3]])
    assert points.warnings == []


def test_dropping(tmp_path: Path) -> None:
    points, array = read(HOMES, tmp_path, missing="drop", columns=["new", "rooms"])
    np.testing.assert_array_equal(array, [[1, 3], [1, 4]])
    assert points.warnings == [
        "2 rows with missing values were left out; the others are numbered anew",
        "column 'new' is constant",
    ]
    assert points.rows == 2
    new, rooms = points.columns
    assert (new.min, new.max, new.mean) == (1, 1, 1)
    assert (rooms.min, rooms.max, rooms.mean) == (3, 4, 3.5)
    assert new.missing == rooms.missing == 1


def test_words_for_missing_numbers_leave_integers(tmp_path: Path) -> None:
    content = b"a\n1\nNaN\n3\nnan\n<NA>\n7\n"
    points, array = read(content, tmp_path, missing="drop")
    np.testing.assert_array_equal(array, [[1], [3], [7]])
    assert (points.columns[0].type, points.columns[0].missing) == ("integer", 3)


def test_categories_that_are_words_for_nothing(tmp_path: Path) -> None:
    content = b"f,b\nNA,1\nNZ,2\nNA,4\nUS,5\n"
    points, _ = read(content, tmp_path, missing="mode", categories="onehot")
    (said,) = points.warnings
    assert said.startswith("column 'f' lacks 2 values: fields that are empty or NA, ")


def test_numbers_that_lose_digits(tmp_path: Path) -> None:
    first = 2**53 + 1
    points, _ = read(f"a,b\n{first},1\n{first + 1},2\n".encode(), tmp_path)
    assert points.warnings == ["column 'a' has numbers beyond 2^53, whose last digits are lost"]


def test_missing_in_arrays(tmp_path: Path) -> None:
    content = npy(np.array([[1, np.nan], [2, 3], [3, 5]], np.float32))
    points, array = read(content, tmp_path, missing="mean")
    np.testing.assert_array_equal(array, [[1, 4], [2, 3], [3, 5]])
    assert (points.dtype, points.columns[1].fill, points.columns[0].fill) == ("float32", 4, 2)


def test_a_missing_category(tmp_path: Path) -> None:
    content = b"a,b\n1,x\n2,y\n3,y\n4,\n"
    points, array = read(content, tmp_path, missing="mean", categories="onehot")
    np.testing.assert_array_equal(array[:, 1:], [[1, 0], [0, 1], [0, 1], [0, 1]])
    assert points.columns[1].fill == "y"
    points, array = read(content, tmp_path, missing="drop", categories="onehot")
    assert array.shape == (3, 3)


def test_a_sample_of_rows_gives_the_median(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fills, "SAMPLE_VALUES", 20_000)
    values = np.random.default_rng(1).permutation(100_001).astype(float)
    rows = np.column_stack([values, values])
    rows[7, 1] = np.nan
    column = read(npy(rows), tmp_path, missing="median")[0].columns[1]
    assert column.fill == pytest.approx(50_000, rel=0.05)


@pytest.mark.parametrize(
    ("content", "names", "types"),
    [
        (b"1.5,a\n2,b\n", ["x0", "x1"], ["number", "category"]),  # as iris comes
        (b"a,1\nb,2\n", ["x0", "x1"], ["category", "integer"]),
        (b"a,1\n3,2\n", ["a", "1"], ["integer", "integer"]),
        (b"0\n1\n5\n", ["x0"], ["integer"]),
        (b"0,1\n5,6\n", ["x0", "x1"], ["integer", "integer"]),
        (b"1,NA\n2,3\n4,5\n", ["x0", "x1"], ["integer", "integer"]),
        (b",a\n0,2\n", ["x0", "a"], ["integer", "integer"]),
        (b"a,b\nx,y\n", ["a", "b"], ["category", "category"]),
        (b"a,b\n1,1\n2.5,true\n", ["a", "b"], ["number", "category"]),
        (b'"a,1";"b;2"\n"x\ny";2\n', ["a,1", "b;2"], ["category", "integer"]),
        ("größe,naïve\n1,2\n".encode("cp1252"), ["größe", "naïve"], ["integer", "integer"]),
        (b"gr\xf6\x81,b\n1,2\n", ["grö\x81", "b"], ["integer", "integer"]),
    ],
)
def test_csv_as_it_comes(
    content: bytes, names: list[str], types: list[str], tmp_path: Path
) -> None:
    points, _ = read(content, tmp_path, categories="onehot", missing="mode")
    assert [column.name for column in points.columns] == names
    assert kinds(points.columns) == types


def test_types_are_found_over_the_whole_file(tmp_path: Path) -> None:
    lines = "".join(f"{i},{i % 7}\n" for i in range(200_000))
    content = f"a,b\n{lines}0.5,many\n".encode()
    with pytest.raises(InvalidInput, match="line 200002, column 'b': 'many' is not a number"):
        read(content, tmp_path)
    points, array = read(content, tmp_path, categories="onehot")
    assert kinds(points.columns) == ["number", "category"]
    assert points.columns[1].categories == [*"0123456", "many"]
    np.testing.assert_array_equal(array[-1], [0.5, *[0] * 7, 1])


def test_warnings(tmp_path: Path) -> None:
    gaps = "\n".join(f"{i},{-i},{i / 2},7,{'5' if i % 30 == 0 else ''}" for i in range(60))
    points, _ = read(f"id,down,x,same,gaps\n{gaps}\n".encode(), tmp_path, missing="mean")
    order = "looks like a row number: whole, distinct and in order"
    assert points.warnings == [
        f"column 'id' {order}",
        f"column 'down' {order}",
        "column 'same' is constant",
        "column 'gaps' is constant",
        "column 'gaps' is nearly empty: 96.7% of it is missing",
    ]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (HOMES, {}, "line 2, column 'city': 'Rome' is not a number; leave the column out with"),
        (HOMES, {"categories": "onehot"}, "missing or NaN; leave such rows out with missing=drop"),
        (HOMES, {"columns": ["none"]}, "columns: the file has no column 'none'; it has 'city',"),
        (b"a,b\n1,\n,2\n", {"missing": "drop"}, "every row lacks a value"),
        (b"a,b\n1,\n2,\n", {"missing": "mean"}, "column 'b' has no values"),
        (parquet_file(a=pa.array([None], pa.float64())), {"missing": "mean"}, "too few values"),
        (b"a,b\n1,inf\n", {"missing": "mean"}, "line 2, column 'b': inf is not a finite number"),
        (b"a,b\n1,1e99\n", {"missing": "drop"}, "line 2, column 'b': 1e+99 is not a finite"),
        (b"a,%b\n1,2\n" % LONG, {}, "the name of a column is longer than 1,000 characters"),
        (b"a,b\n1,%b\n" % LONG, {"categories": "onehot"}, "text of over 1,000 characters"),
        (b"a,b\n1,1\n2,true\n", {}, "line 3, column 'b': 'true' is not a number"),
        (b"a,b\n1,2024-01-31\n", {"categories": "onehot"}, "'2024-01-31' looks like a date"),
        (b"a,b\n1,31.12.2024 23:59\n", {}, "line 2, column 'b': '31.12.2024 23:59' looks like"),
        (parquet_file(a=["2024-01-31"]), {"categories": "onehot"}, "row 0, column 'a'"),
        (parquet_file(a=pa.array([0], pa.timestamp("s"))), {}, "column 'a' holds timestamp[ms]"),
        (
            b"a\n" + b"".join(b"v%d\n" % i for i in range(1001)),
            {"categories": "onehot"},
            "column 'a' has more than 1,000 distinct categories",
        ),
        ("a,b\n1,2\n".encode("utf-16")[:-1], {}, "it is marked as utf-16, but not all of it is"),
        (b"\xef\xbb\xbfa,\xff\n1,2\n", {}, "it is marked as utf-8-sig, but not all of it is"),
        (b"a" * 200_000, {}, "the first lines can't be read: field larger"),
        (b'"a\n', {}, "no points"),
        (
            parquet_file(**{f"c{i}": [str(j) for j in range(700)] for i in range(100)}),
            {"categories": "onehot"},
            "70,000 columns, with one a category; at most 65,536 are taken",
        ),
        (npy(np.array([[[np.nan]]])), {"missing": "mean"}, "nan is not a finite number"),
    ],
)
def test_refusals(content: bytes, options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content, tmp_path, **options)
    assert said in caught.value.detail
