"""Data sets: N points of one shape."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

DatasetFormat = Literal["csv", "npy", "parquet"]


class Column(BaseModel):
    """One column of a table; of images, all pixels together."""

    name: str
    min: float
    max: float
    mean: float


class Dataset(BaseModel):
    """An uploaded data set; immutable."""

    id: str
    object: Literal["dataset"] = "dataset"
    created_at: datetime
    name: str
    format: DatasetFormat
    bytes: int = Field(description="size of the upload")
    sha256: str = Field(description="of the uploaded bytes; the same bytes are one data set")
    rows: int = Field(description="number of points, N")
    shape: list[int] = Field(description="of one point: [D], [H, W] or [C, H, W]")
    dtype: str = Field(description="as which the points are stored")
    columns: list[Column]
    warnings: list[str]
