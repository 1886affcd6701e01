"""Models: the immutable results of succeeded jobs."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api_schemas.datasets import Column
from api_schemas.training import TrainingConfig


class Provenance(BaseModel):
    """From what a model was made."""

    job: str
    dataset: str
    dataset_sha256: str
    seed: int
    code_version: str


class Model(BaseModel):
    """Generators, estimator, mixture weights and preprocessing of one succeeded job."""

    id: str
    object: Literal["model"] = "model"
    created_at: datetime
    name: str
    aliases: list[str] = Field(description="movable names; 'default' is used when none is named")
    components: int = Field(description="K")
    shape: list[int] = Field(description="of one point: [D], [H, W] or [C, H, W]")
    columns: list[Column] = Field(description="how new points are to look, and samples do")
    alpha: list[float] = Field(description="mixture weights: sizes / rows")
    sizes: list[int] = Field(description="training points a component")
    rows: int = Field(description="training points, N")
    metrics: dict[str, Any]
    config: TrainingConfig
    provenance: Provenance


class AssignedRow(BaseModel):
    """The component of one training point."""

    row: int = Field(description="0-based, in the order of the upload")
    component: int
