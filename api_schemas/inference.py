"""Assigning new points and sampling."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_SAMPLES = 100_000

AssignField = Literal["log_densities", "posterior"]


class AssignRequest(BaseModel):
    """Points as nested lists: N rows of D numbers, or N images (H, W) or (C, H, W)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"points": [[0.1, 2.0], [1.5, -0.3]]}}
    )

    points: list[Any] = Field(min_length=1)


class Assignment(BaseModel):
    """The component of highest estimated density for each point, in the order of the points."""

    object: Literal["assignment"] = "assignment"
    model: str
    components: list[int]
    log_densities: list[list[float]] | None = Field(
        None,
        description="log dP_gj / dP_d up to a constant a component, (N, K): how likely each "
        "component makes the point, relative to the data as a whole; it tells components apart, "
        "not outliers from the rest",
    )
    posterior: list[list[float]] | None = Field(
        None, description="P(component | point) with alpha as the prior, (N, K)"
    )


class Sample(BaseModel):
    """Points drawn from one component or from the alpha-weighted mixture."""

    object: Literal["sample"] = "sample"
    model: str
    seed: int = Field(description="the same seed gives the same samples")
    components: list[int] = Field(description="which component made each point")
    points: list[Any]
