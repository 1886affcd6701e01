"""Data sets: N points of one shape."""

from datetime import datetime
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api_schemas.common import Closed, Name

MAX_NAME = 1_000  # characters of a column's name or of a category

DatasetFormat = Literal["csv", "npy", "npz", "parquet", "arrow", "idx", "zip"]
ColumnType = Literal["number", "integer", "boolean", "category", "pixels"]
Missing = Literal["refuse", "drop", "mean", "median", "mode"]
Categories = Literal["refuse", "onehot"]
Decimal = Literal[".", ","]
PixelType = Literal["bool", "uint8", "int8", "uint16", "int16", "float16", "float32", "float64"]


def _canonical(name: Any) -> Any:
    """An encoding by the name that Python has for it: utf-8 for UTF8."""
    if not isinstance(name, str):
        return name
    plain = normalize_encoding(name).lower()
    known = aliases.get(plain, plain).replace("_", "-").removesuffix("-sig")
    return "utf-8" if known == "ascii" else known


Encoding = Annotated[
    Literal[
        "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso8859-2", "iso8859-5",
        "iso8859-7", "iso8859-9", "iso8859-15", "cp437", "cp850", "cp1250", "cp1251", "cp1252",
        "cp1253", "cp1254", "koi8-r", "mac-roman", "shift-jis", "cp932", "euc-jp", "gb18030",
        "big5", "euc-kr", "cp949",
    ],
    BeforeValidator(_canonical),
]  # fmt: skip


class Column(BaseModel):
    """One column of a table; of images, all pixels together."""

    name: str
    type: ColumnType
    dtype: PixelType | None = Field(None, description="of pixels, which samples have as well")
    missing: int = Field(0, description="values that the upload lacks, also in rows left out")
    min: float | None = Field(None, description="of the values that stay; not of categories")
    max: float | None = None
    mean: float | None = Field(None, description="of booleans the share that is true")
    categories: list[str] | None = Field(
        None,
        fail_fast=True,
        description="the values of a category, in the order of their 0/1 columns",
    )
    fill: float | str | None = Field(
        None, description="what a missing value becomes; none: it is refused"
    )


class FileOptions(Closed):
    """How a file is read."""

    model_config = ConfigDict(frozen=True)

    array: str | None = Field(
        None,
        max_length=1000,
        description="which array of an NPZ file; none: the only one, or `points`",
    )
    header: bool | None = Field(
        None, description="whether the first line of CSV names the columns; none: as it seems"
    )
    delimiter: str | None = Field(
        None,
        pattern=r"^[\t !#-/:-@\[-`{-~]$",
        description="what stands between the fields of CSV, one character; none: as it seems",
    )
    decimal: Decimal | None = Field(
        None, description="decimal point or comma of CSV; none: as it seems"
    )
    encoding: Encoding | None = Field(
        None, description="of CSV; none: by its mark, else UTF-8, Windows-1252 or Latin-1"
    )


class DatasetOptions(FileOptions):
    """How an upload becomes points. Other options make another data set of the same bytes."""

    columns: list[Annotated[str, Field(max_length=MAX_NAME)]] | None = Field(
        None, min_length=1, description="names of the columns to use, in this order; none: all"
    )
    missing: Missing = Field(
        "refuse",
        description="what becomes of a table's missing values: refuse the file, drop their rows "
        "(the others are numbered anew), or fill in the column's mean, median or mode (of "
        "categories and booleans the mode)",
    )
    categories: Categories = Field(
        "refuse", description="what becomes of text: refuse it, or a 0/1 column a category"
    )


class DatasetCreate(DatasetOptions):
    """The options of an upload, and what to call it."""

    name: Name | None = None


class CsvDialect(BaseModel):
    """How a CSV file was read, as told or as it seemed."""

    header: bool
    delimiter: str
    decimal: Decimal
    encoding: str


class Dataset(BaseModel):
    """An uploaded data set; immutable."""

    id: str
    object: Literal["dataset"] = "dataset"
    created_at: datetime
    name: str
    format: DatasetFormat
    bytes: int = Field(description="size of the upload")
    sha256: str = Field(description="of the uploaded bytes")
    options: DatasetOptions = Field(
        description="as uploaded with; the same bytes with the same options are one data set",
    )
    rows: int = Field(description="number of points, N")
    shape: list[int] = Field(description="of one point: [D], [H, W] or [C, H, W]")
    dtype: str = Field(description="as which the points are stored")
    columns: list[Column]
    dialect: CsvDialect | None = Field(None, description="of CSV")
    warnings: list[str]


class PointRow(BaseModel):
    """One point of a data set, in the data's own units."""

    row: int = Field(description="0-based, without rows that missing=drop left out")
    values: dict[str, Any] | list[Any] = Field(
        description="by column; of images nested lists, (H, W) or (C, H, W)"
    )
