"""Rows become points and come back."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api_schemas.datasets import Column
from service.encoding import Encoding
from trainer.errors import InvalidPoints

COLUMNS = [
    Column(name="size", type="number", fill=1.5),
    Column(name="rooms", type="integer"),
    Column(name="new", type="boolean", fill=1),
    Column(name="city", type="category", categories=["Bern", "Oslo", "Rome"], fill="Oslo"),
]
TABLE = {"city": ["Rome", None], "rooms": [3, 4], "size": [None, 2.5], "new": [False, None]}
POINTS = [[1.5, 3, 0, 0, 0, 1], [2.5, 4, 1, 0, 1, 0]]


@pytest.mark.parametrize(
    "table",
    [
        pa.table(TABLE),
        pa.record_batch(TABLE),
        pa.table({**TABLE, "else": [0, 0], "city": pa.array(["Rome", None]).dictionary_encode()}),
        pa.table({**TABLE, "rooms": ["3", " 4 "], "size": [None, "2.5"], "new": ["FALSE", None]}),
        pa.table({**TABLE, "new": [0, 1], "size": [np.nan, 2.5]}),
    ],
    ids=["table", "batch", "dictionary", "text", "numbers"],
)
def test_rows_become_points(table: pa.Table) -> None:
    np.testing.assert_array_equal(Encoding(COLUMNS).encode(table), POINTS)


def test_points_become_rows() -> None:
    points = np.array([[1.25, 2.6, 0.7, 0.1, 0.5, 0.4], [-3, 1e300, 0.2, -5, -7, -6]])
    rows = Encoding(COLUMNS).decode(points).to_pylist()
    assert rows == [
        {"size": 1.25, "rooms": 3, "new": True, "city": "Oslo"},
        {"size": -3.0, "rooms": 2**62, "new": False, "city": "Bern"},
    ]


def test_a_category_of_one_value() -> None:
    encoding = Encoding([Column(name="a", type="category", categories=["only"])])
    np.testing.assert_array_equal(encoding.encode(pa.table({"a": ["only"] * 2})), [[1], [1]])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"city": ["Rome", "Riga"]}, "row 11, column 'city': 'Riga' is none of 'Bern', 'Oslo'"),
        ({"rooms": ["4", "four"]}, "row 11, column 'rooms': 'four' is not a number"),
        ({"rooms": [None, 1]}, "row 10, column 'rooms': the value is missing"),
        ({"rooms": [1.0, np.nan]}, "row 11, column 'rooms': the value is missing"),
        ({"rooms": [1.0, -np.inf]}, "row 11, column 'rooms': -inf is not a finite number"),
        ({"size": [1e39, 1.0]}, "row 10, column 'size': 1e\\+39 is not a finite number"),
        ({"new": ["yes", "no"]}, "row 10, column 'new': 'yes' is none of 'false', 'true'"),
        ({"size": pa.array([0, 0], pa.date32())}, "column 'size' holds date32"),
        ({"size": [[1], [2]]}, "column 'size' holds list"),
    ],
)
def test_errors_name_the_place(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidPoints, match=said):
        Encoding(COLUMNS).encode(pa.table({**TABLE, **given}), first_row=10)


def test_columns_are_matched_by_name() -> None:
    encoding = Encoding(COLUMNS)
    with pytest.raises(InvalidPoints, match="column 'new' is missing; there are 'city', 'rooms'"):
        encoding.encode(pa.table(TABLE).drop_columns("new"))
    twice = pa.table([pa.array([1])] * 2, names=["size", "size"])
    with pytest.raises(InvalidPoints, match="column 'size' occurs 2 times"):
        encoding.encode(twice)
