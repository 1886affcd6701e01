"""Models: the immutable results of succeeded jobs, and what is imported."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api_schemas.common import Closed
from api_schemas.datasets import Column, PointRow
from api_schemas.training import TrainingConfig

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _no_model_id(name: str) -> str:
    if name.startswith("mdl_"):
        raise ValueError("'mdl_' begins the id of a model, not an alias")
    return name


AliasName = Annotated[
    str,
    Field(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$"),
    AfterValidator(_no_model_id),
]


class Provenance(BaseModel):
    """From what a model was made. Of an imported one, where it was trained."""

    source: Literal["trained", "imported"]
    origin: str | None = Field(None, description="id that an imported model was exported under")
    job: str | None
    dataset: str | None
    dataset_sha256: str | None
    seed: int
    code_version: str | None = Field(description="of the package, with +commit where it is known")
    torch_version: str | None = None


class Model(BaseModel):
    """Generators, estimator, mixture weights and preprocessing; never changes."""

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
    """The component of one point of a data set; what was not kept is none."""

    row: int = Field(
        description="0-based, in the order of the upload, without rows that missing=drop left out"
    )
    component: int
    confidence: float | None = Field(description="posterior probability of the component")
    outlier_score: float | None = Field(
        None,
        description="as POST /assign answers it, of an assign job if it was asked for; of training "
        "points, against all of which each one is judged, the mixture's density is that of the "
        "point's own component over its confidence",
    )


class Spread(BaseModel):
    """How one value of some points is distributed."""

    model_config = ConfigDict(allow_inf_nan=False)

    mean: float
    deviation: float = Field(ge=0, description="standard deviation")
    quantiles: list[float] = Field(
        [],
        max_length=len(QUANTILES),
        description="below which 5, 25, 50, 75 and 95 % of the values are, by up to 1,000 points",
    )


class Feature(Spread):
    """One value of the points of a component, against that of all points."""

    shift: float = Field(
        description="the mean's distance from that of all points, in standard deviations of theirs"
    )


class NamedFeature(Feature):
    """A feature under the name that its column has."""

    name: str
    whole: Spread | None = Field(None, description="of all points")


class Component(BaseModel):
    """One of the K generative models."""

    object: Literal["model.component"] = "model.component"
    component: int = Field(description="j, 0-based")
    alpha: float = Field(description="mixture weight")
    size: int = Field(description="training points that it holds")
    posterior: list[float] = Field(
        description="mean over these points of each component's posterior, (K,): where that of "
        "another is high, the two are close; empty where it was not kept"
    )


class ComponentDetail(Component):
    """What a component looks like."""

    features: list[NamedFeature] = Field(
        description="of rows of at most 1,024 numbers; largest shift first"
    )
    typical: list[PointRow] = Field(
        description="members of highest density under the component; none once the data set is "
        "deleted"
    )
    samples: list[dict[str, Any] | list[Any]] = Field(
        description="points that it makes up, as those; the same at every call"
    )


class Comparison(BaseModel):
    """How far the partitions of one data set by two models agree."""

    object: Literal["model.comparison"] = "model.comparison"
    model: str
    other: str
    rows: int = Field(description="training points, N")
    contingency: list[list[int]] = Field(
        description="training points that a component of this model shares with one of the other, "
        "(K, L)"
    )
    matching: list[int | None] = Field(
        description="which of the other's components stands for each of this model's, each at most "
        "once, so that most points agree, (K,)"
    )
    accuracy: float = Field(description="share of the points that agree under the matching")
    ari: float = Field(description="adjusted Rand index: 1 for equal partitions, 0 by chance")
    nmi: float = Field(description="mutual information over the mean of the two entropies")


class AliasMove(Closed):
    """Body of PUT /aliases/{name}."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "mdl_01kagx3w0c8m5y2v4zq7t9e6bn"}}
    )

    model: str = Field(description="id of a model, or another alias of it")


class Alias(BaseModel):
    """A movable name for a model."""

    id: str = Field(description="the name")
    object: Literal["alias"] = "alias"
    created_at: datetime
    updated_at: datetime
    model: str
    pinned: bool = Field(
        description="false: 'default' as it is at first, which moves to each newly trained model"
    )
