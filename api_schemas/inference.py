"""Assigning new points and sampling."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_schemas.common import Closed
from api_schemas.datasets import FileOptions

MAX_SAMPLES = 100_000

DEFAULT = "default"  # the alias of the model to ask
FORMAT = "type of the answer; goes before the Accept header"

AssignField = Literal["log_densities", "posterior", "confidence", "outlier_score"]
AssignFormat = Literal["json", "csv", "parquet", "arrow", "npy", "npz"]
SampleFormat = Literal[AssignFormat, "png"]


class AssignQuery(FileOptions):
    """What to assign, by which model, and as what to answer."""

    model: str = Field(DEFAULT, description="id or alias of a model")
    include: list[AssignField] = Field([], description="also answer these")
    dataset: str | None = Field(
        None,
        description="id of a data set to assign, as a job that workers share; then there is no "
        "body",
    )
    format: AssignFormat | None = Field(None, description=FORMAT)


class AssignRequest(Closed):
    """Points as nested lists, N rows of D values or N images (H, W) or (C, H, W); or N records,
    values by the names of the columns, of which others than the model's are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"points": [[0.1, 2.0], [1.5, -0.3]]},
                {"points": [{"x": 0.1, "y": 2.0}, {"x": 1.5, "y": -0.3}]},
            ]
        },
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
    confidence: list[float] | None = Field(
        None,
        description="the posterior of the point's own component, (N,); where alpha outweighs the "
        "densities another component's may be higher",
    )
    outlier_score: list[float] | None = Field(
        None,
        description="share of the training points that the mixture makes more likely than this "
        "point, (N,): 0.999 is less likely than 99.9 % of them. By the importance-weighted log "
        "density of the alpha-weighted generators, against 1,000 training points kept with the "
        "model; of VAEs only",
    )


class Sample(BaseModel):
    """Points drawn from one component or from the alpha-weighted mixture."""

    object: Literal["sample"] = "sample"
    model: str
    seed: int = Field(description="the same seed gives the same samples")
    components: list[int] = Field(description="which component made each point")
    columns: list[str] | None = Field(None, description="of the rows of a table, in their order")
    points: list[Any] = Field(
        description="rows of a table, their integers, booleans and categories as in the data; or "
        "images, pixels within the data's range"
    )
