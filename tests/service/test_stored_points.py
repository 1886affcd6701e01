"""Points of a stored data set as a model takes them, or what is wrong with them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api_schemas.datasets import Column
from service.batches import Conversion, PointSpec
from service.encoding import BadValue, Encoding
from service.tables import DatasetRow
from tests.service.api import COLUMNS, homes
from trainer import InvalidPoints

HOMES = PointSpec((7,), 1, Encoding(COLUMNS))
NUMBERS = [Column(name=name, type="number") for name in ("x", "y")]


def dataset(columns: list[Column], *shape: int) -> DatasetRow:
    return DatasetRow(columns=[column.model_dump() for column in columns], shape=list(shape))


def converted(columns: list[Column], points: NDArray[Any], spec: PointSpec) -> NDArray[Any]:
    return Conversion.between(dataset(columns, *points.shape[1:]), spec)(points, 10)


def test_points_of_the_same_columns_are_taken_as_they_are() -> None:
    columns = [column.model_copy(update={"fill": None}) for column in COLUMNS]
    points = Encoding(columns).encode(homes())
    assert np.shares_memory(converted(columns, points, HOMES), points)


def test_columns_are_matched_by_name() -> None:
    colours = [*reversed(["blue", "red", "sea green"])]
    more = Column(name="more", type="number")
    columns = [more, *reversed(COLUMNS[:3]), COLUMNS[4]]
    columns.append(COLUMNS[3].model_copy(update={"categories": colours}))
    table = homes().append_column("more", [[0.0] * 90])
    points = Encoding(columns).encode(table)
    expected = HOMES.table().encode(homes())
    np.testing.assert_array_equal(converted(columns, points, HOMES), expected)


def test_arrays_have_no_names() -> None:
    unnamed = [Column(name=f"x{i}", type="number") for i in range(7)]
    points = HOMES.table().encode(homes())
    assert np.shares_memory(converted(unnamed, points, HOMES), points)


def test_grey_images_gain_their_channel() -> None:
    pixels, images = [Column(name="pixels", type="pixels")], np.zeros((3, 8, 8), np.uint8)
    for shape in ((8, 8), (1, 8, 8)):
        assert converted(pixels, images, PointSpec(shape, 1, None)).shape == (3, *shape)


@pytest.mark.parametrize(
    ("columns", "shape", "spec", "said"),
    [
        (NUMBERS, (2,), HOMES, "column 'price' is missing; there are 'x', 'y'"),
        (NUMBERS, (2,), PointSpec((8, 8), 1, None), r"shape \(2,\) each; .* trained on \(8, 8\)"),
        ([], (8, 9), PointSpec((8, 8), 1, None), r"shape \(8, 9\) each"),
        ([], (8, 8), HOMES, r"shape \(8, 8\) each; the model was trained on \(7,\)"),
        (
            [COLUMNS[3].model_copy(update={"name": "x"}), NUMBERS[1]],
            (4,),
            PointSpec((2,), 1, Encoding(NUMBERS)),
            "column 'x' holds categories; the model was trained on number values there",
        ),
    ],
)
def test_what_does_not_fit(
    columns: list[Column], shape: tuple[int, ...], spec: PointSpec, said: str
) -> None:
    with pytest.raises(InvalidPoints, match=said):
        Conversion.between(dataset(columns, *shape), spec)


def test_an_unknown_category_is_found_in_its_row() -> None:
    columns = [*COLUMNS]
    columns[3] = columns[3].model_copy(update={"categories": ["blue", "red", "pink"]})
    table = homes().set_column(3, "colour", [["blue"] * 89 + ["pink"]])
    points = Encoding(columns).encode(table)
    with pytest.raises(BadValue, match="row 99, column 'colour': 'pink' is none of 'blue'"):
        converted(columns, points, HOMES)
