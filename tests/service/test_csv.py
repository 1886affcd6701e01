"""How CSV files are written: as told, as guessed, with a warning where it was close."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import InvalidInput
from tests.points import npy
from tests.service.test_ingest import read

NAMES = b"".join(b"name%d,%d\n" % (i, i % 3) for i in range(30))
Dialect = tuple[bool, str, str, str]
PLAIN: Dialect = (True, ",", ".", "utf-8")
GERMAN: Dialect = (True, ";", ",", "utf-8")


def found(content: bytes, folder: Path, **options: Any) -> tuple[Dialect, list[str], Any]:
    """The dialect, the names of the columns and the points."""
    points, array = read(content, folder, **options)
    assert points.dialect
    how = points.dialect
    dialect = (how.header, how.delimiter, how.decimal, how.encoding)
    return dialect, [column.name for column in points.columns], array.tolist()


@pytest.mark.parametrize(
    ("content", "dialect", "points"),
    [
        (b"x;y\n1,5;2,25\n3;4\n", GERMAN, [[1.5, 2.25], [3, 4]]),
        (b"1,5;2,5\n3,5;4,5\n", (False, *GERMAN[1:]), [[1.5, 2.5], [3.5, 4.5]]),
        (b"x\ty\r\n1,5\t-2,5e3\r\n", (True, "\t", ",", "utf-8"), [[1.5, -2500]]),
        (b'x,y\n"1,5","2"\n', (True, ",", ",", "utf-8"), [[1.5, 2]]),
        (b"x;y\n1.5;2\n", (True, ";", ".", "utf-8"), [[1.5, 2]]),
        (b"a, b|c\n1|2\n", (True, "|", ".", "utf-8"), [[1, 2]]),
        (b"\r\n\r\nx,y\r\n1,2\r\n\r\n3,4\r\n\r\n", PLAIN, [[1, 2], [3, 4]]),
        (b"x,y\r1,2\r3,4\r", PLAIN, [[1, 2], [3, 4]]),
        (b'"x\nz",y\n1,2\n', PLAIN, [[1, 2]]),
        (b"# by me\n# on this, and that\n\nx,y\n1,2\n", PLAIN, [[1, 2]]),
        (b"#,y\n1,2\n", PLAIN, [[1, 2]]),
        (b"# x,y\n1,2\n", PLAIN, [[1, 2]]),
        (b"x,y,\n1,2,\n3,4,\n", PLAIN, [[1, 2], [3, 4]]),
        (b"1,2,\n3,4,\n", (False, *PLAIN[1:]), [[1, 2], [3, 4]]),
        (b"sep=;\r\nx;y\r\n1,5;2\r\n", GERMAN, [[1.5, 2]]),
        (b"sep=|\nx|y|z\n1|2|3\n", (True, "|", ".", "utf-8"), [[1, 2, 3]]),
    ],
)
def test_what_is_found(content: bytes, dialect: Dialect, points: Any, tmp_path: Path) -> None:
    how, _, values = found(content, tmp_path)
    assert (how, values) == (dialect, points)


@pytest.mark.parametrize(
    ("content", "options", "names", "points"),
    [
        (b"1,2\n3,4\n", {"header": True}, ["1", "2"], [[3, 4]]),
        (b"0,1,2\n3,4,5\n", {"header": False}, ["x0", "x1", "x2"], [[0, 1, 2], [3, 4, 5]]),
        (b"x y\n1 2\n", {"delimiter": " "}, ["x", "y"], [[1, 2]]),
        (b"x\n1,5\n", {"decimal": ","}, ["x"], [[1.5]]),
        (b'a,b\n"1,5","2,5"\n', {"decimal": ","}, ["a", "b"], [[1.5, 2.5]]),
        (b"x;y\n1;2\n", {"delimiter": ";", "decimal": "."}, ["x", "y"], [[1, 2]]),
        ("größe\n1\n".encode("cp437"), {"encoding": "IBM437"}, ["größe"], [[1]]),
        ("größe\n1\n".encode("utf-16-be"), {"encoding": "UTF-16BE"}, ["größe"], [[1]]),
        ("größe\n1\n".encode("utf-16"), {"encoding": "utf-16-le"}, ["größe"], [[1]]),
        ("größe\n1\n".encode("utf-8-sig"), {"encoding": "utf8"}, ["größe"], [[1]]),
    ],
)
def test_what_is_told(
    content: bytes, options: dict[str, Any], names: list[str], points: Any, tmp_path: Path
) -> None:
    dialect, columns, values = found(content, tmp_path, **options)
    assert (columns, values) == (names, points)
    told = dict(zip(("header", "delimiter", "decimal"), dialect, strict=False))
    assert told == {**told, **{k: v for k, v in options.items() if k in told}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,2019\nRome,5\nBern,6\n", "'name', '2019', was taken as a point; if it is none"),
        (b"a,2019\n3,5\n4,6\n", "'a', '2019', was taken as a header; if it is none, choose"),
        (b"0,1\n5,6\n7,8\n", "'0', '1', was taken as a point"),
        (b"0,1,2\n5,6,3\n7,8,4\n", "'0', '1', '2', was taken as a header"),
        (b"2019,2020,2021\n5,6,3\n7,8,4\n", "'2019', '2020', '2021', was taken as a point"),
        (b"a,b\nx,y\nz,w\n", "'a', 'b', was taken as a header"),
        (b"a;b,c\nx;y,z\nu;v,w\n", "its lines can be split at ';' as well as at ','"),
        (b"x;y\n1,234;2,500\n3;4\n", "'1,234' was read as 1.234, with a decimal comma"),
        (b"x;y\n1,5;2.5\n3,1;2\n", "column 'x' takes '1,5' as a category; numbers are written"),
        (b"n,x\n" + NAMES, "column 'n' hardly groups anything: it has 30 categories in 30 values"),
        (b",y\n1,2\n3,4\n", "columns without a name go by 'x0'"),
        (b"x,y,\n1,2,\n3,4,\n", "the last column, 'x2', has no values and was left out"),
        (b"# by me\nx,y\n1,2\n3,4\n", "comments before the points were left out: '# by me'"),
    ],
)
def test_close_guesses_are_warned_of(content: bytes, said: str, tmp_path: Path) -> None:
    points, _ = read(content, tmp_path, categories="onehot")
    assert said in "; ".join(points.warnings)


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n1,2\n5,4\n",
        b"5.1,3.5,setosa\n4.9,3.0,setosa\n4.8,3.1,other\n",  # a word of the first line comes again
        b"1.5,2\n3,4\n",
        b"x;y\n1,5;2,25\n3;4\n",
    ],
)
def test_sure_guesses_are_not(content: bytes, tmp_path: Path) -> None:
    assert read(content, tmp_path, categories="onehot")[0].warnings == []


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (
            b"x;y\n1.234,5;2,5\n",
            {},
            "line 2, column 'x': '1.234,5' is not a number; with a decimal",
        ),
        (b"x;y\n1,5;2.5\n", {}, "'1,5' is not a number; numbers are written as 1234.5, or as"),
        (b'x,y\n"1,234","5"\n', {}, "'1,234' is not a number; numbers are written as 1234.5"),
        (b"x,y\n12 %,5\n", {}, "'12 %' is not a number; numbers are written as 1234.5"),
        (b"x;y\n1.5;2\n", {"decimal": ","}, "'1.5' is not a number; with a decimal comma"),
        (b"a,b\n1,2\n", {"header": False}, "line 1, column 'x0': 'a' is not a number"),
        (b"gr\xf6\n1\n", {"encoding": "utf-8"}, "it is told to be utf-8, but not all of it is"),
        (b"x,y\n1,2\n# note\n3,4\n", {}, "line 3 has 1 columns, the first line 2"),
        (b"# by me\nx,y\n1,2\n3,z\n", {}, "line 4, column 'y': 'z' is not a number"),
        (b"# by me\n\nx,y\n1,2\n3\n", {}, "line 5 has 1 columns, the first line 2"),
        (b"x,y\n1,2,\n3,4,\n", {}, "line 2 has 3 columns, the first line 2"),
        (b"x,y,x\n1,2,3\n", {}, "column 'x' occurs twice"),
        (b'x,y\n"1,2\n3,4\n', {}, "line 3 has 1 columns, the first line 2"),
        (npy(np.ones((2, 2))), {"header": True}, "header: it tells how to read CSV; this is"),
    ],
)
def test_refusals(content: bytes, options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content, tmp_path, **options)
    assert said in caught.value.detail
    assert "onehot" not in caught.value.detail or "'a' is" in said or "'z' is" in said
