"""What model.json, in an exported archive, says of a model."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, PositiveInt, field_validator, model_validator

from api_schemas.common import Closed, Name
from api_schemas.datasets import Column
from api_schemas.models import Feature, Provenance, Spread
from api_schemas.training import MAX_COMPONENTS, TrainingConfig

WEIGHTS, MANIFEST, README = "model.safetensors", "model.json", "README.md"
LOADER, ASSIGN, SAMPLER = "load.py", "assign.onnx", "sampler.onnx"
MEMBERS = {WEIGHTS, MANIFEST, README, LOADER, ASSIGN, SAMPLER}

ALPHA_TOLERANCE = 1e-6


class ArchivedFile(Closed):
    """One file of an archive."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(Closed):
    """All that is known of a model beside its weights; of many mistakes the first is told."""

    model_config = ConfigDict(allow_inf_nan=False)

    format: Literal["kvae-model"] = "kvae-model"
    version: Literal[1] = 1
    id: str = Field(max_length=40)
    name: Name
    created_at: datetime
    shape: list[PositiveInt] = Field(min_length=1, max_length=3)
    columns: list[Column] = Field(fail_fast=True)
    alpha: list[float] = Field(min_length=1, max_length=MAX_COMPONENTS)
    sizes: list[int] = Field(max_length=MAX_COMPONENTS)
    metrics: dict[str, Any]
    config: TrainingConfig
    provenance: Provenance
    features: list[Annotated[list[Feature], Field(fail_fast=True)]] = Field(
        max_length=MAX_COMPONENTS, description="of each component's points, in order"
    )
    whole: list[Spread] = Field([], fail_fast=True, description="of all points")
    posterior: list[Annotated[list[float], Field(max_length=MAX_COMPONENTS)]] = Field(
        [], max_length=MAX_COMPONENTS, description="of each component, as the API shows them"
    )
    files: dict[str, ArchivedFile] = Field(description="of the archive, but this one")

    @field_validator("files", mode="before")
    @classmethod
    def _few(cls, files: Any) -> Any:
        if isinstance(files, dict) and len(files) > len(MEMBERS):
            raise ValueError("more files than an exported model has")
        return files

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if any(share < 0 for share in self.alpha) or abs(sum(self.alpha) - 1) > ALPHA_TOLERANCE:
            raise ValueError("alpha must be shares that add up to 1")
        if not len(self.alpha) == len(self.sizes) == len(self.features):
            raise ValueError("alpha, sizes and features must have one entry a component each")
        if any(size < 0 for size in self.sizes):
            raise ValueError("sizes must not be negative")
        if self.posterior and {len(self.alpha)} != {len(self.posterior), *map(len, self.posterior)}:
            raise ValueError("posterior must have one entry a component, of one value each")
        if WEIGHTS not in self.files:
            raise ValueError(f"files must tell of {WEIGHTS}")
        return self
