"""What one training run is asked to do."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic_core import core_schema

from api_schemas.common import Closed

PresetName = Literal["default", "paper-synthetic", "paper-mnist"]
GeneratorName = Literal["vae", "gan", "centroid"]
NetworkName = Literal["auto", "mlp", "conv"]
LikelihoodName = Literal["auto", "gaussian", "bernoulli"]
EstimatorName = Literal["classifier", "discriminators", "generators"]
PartitionName = Literal[
    "auto", "kmeans", "gaussian", "graph", "merge", "embedding", "voronoi", "uniform"
]
RescueName = Literal["split", "reseed", "none"]

MAX_COMPONENTS = 1024
AUTO: Literal["auto"] = "auto"


class _CountOrAuto:
    """A number of components or "auto", with one error for what is neither."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, count: AUTO if value == AUTO else count(value),
            core_schema.int_schema(ge=1, le=MAX_COMPONENTS),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        count = {"type": "integer", "minimum": 1, "maximum": MAX_COMPONENTS}
        return {"anyOf": [count, {"type": "string", "const": AUTO}]}


Components = Annotated[int | Literal["auto"], _CountOrAuto]
COMPONENTS = "number of generative models that compete, K; auto: by the data, at most 25"


class TrainingOptions(Closed):
    """Everything about a run that has a default.

    All generators step together: an epoch of theirs is N draws in all, N/K a component, or N a
    component while each trains on all points. An epoch of the estimator shows N points to each
    of its networks. Zero epochs are a single step.
    """

    model_config = ConfigDict(frozen=True)

    generator: GeneratorName = Field(
        "vae",
        description="what competes: variational autoencoders, GANs, or the centroids of k-means "
        "(a constant encoder and the identity as decoder; with estimator=generators, which "
        "judges by the distance, exactly Lloyd's algorithm)",
    )
    network: NetworkName = Field(
        "auto",
        description="kind of network; auto: conv for images larger than 32 x 32, else mlp",
    )
    likelihood: LikelihoodName = Field(
        "auto",
        description="p(x | z); gaussian has one learned scale a component; auto: bernoulli (the "
        "cross-entropy) for images of 16 pixels and more a side, else gaussian",
    )
    sample_noise: bool = Field(
        True,
        description="whether the density estimator sees draws from p(x | z) rather than its mean; "
        "rows of numbers are then sampled so too, images are always the mean",
    )
    hidden: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="units of an MLP's hidden layers; none: 50 to 128, by the data's shape",
    )
    latent: int | None = Field(
        None, ge=1, le=512, description="latent dimensions; none: 8 (images 16), or the data's own"
    )
    log_transform: bool = Field(
        True,
        description="learn the logarithm of columns with long tails, as prices and durations have, "
        "of tables of up to 100, where Gaussians then describe the points better (BIC)",
    )
    component_scaling: bool = Field(
        True,
        description="let each VAE see points relative to the mean and spread of those that it "
        "starts with",
    )
    weight_decay: float | None = Field(
        None,
        ge=0,
        le=1_000,
        description="keeps VAEs from learning few points by heart: their weights have the prior "
        "N(0, 1 / (weight_decay D)) for points of D values, D at most 100; none: 1 for rows of "
        "numbers, 0 for images",
    )
    latent_gaussians: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Gaussians fitted to the encoded points of each component, to draw z from; "
        "0: z ~ N(0, I), as in the paper; none: 1 for rows of numbers, 5 for images",
    )
    estimator: EstimatorName = Field(
        "classifier",
        description="source of the log densities: one K-way classifier, the paper's K binary "
        "discriminators, or what the generators themselves know (ELBO, distance to the centroid)",
    )
    estimator_width: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="units of the estimator's hidden layers, or filters of its first convolution; "
        "none: those of the generators but at least 64, or 16 filters",
    )
    estimator_reset: bool = Field(
        False, description="start the estimator anew in each iteration; false: train it on"
    )
    initial_partition: PartitionName = Field(
        "auto",
        description="auto: the Gaussian mixture's where twice as many Gaussians explain the points "
        "no better (BIC), else the best of k-means, that mixture and two cuts of a neighbour "
        "graph by the normalised cut; merge: many small components merged by confusion; "
        "embedding: k-means on the codes of one VAE; voronoi: cells of random points; "
        "uniform: every generator is first trained on all points (the paper)",
    )
    pretrain_one: bool = Field(
        True, description="with a uniform start, train one generator and copy it into all"
    )
    assignment: Literal["hard", "soft"] = Field(
        "hard", description="soft: a component trains on each point by its posterior there"
    )
    rescue: RescueName = Field(
        "split",
        description="what becomes of an empty component: half of the largest one (after twins are "
        "merged), a new start from random points, or nothing",
    )
    iterations: int = Field(8, ge=1, le=10_000, description="turns of the outer loop, T")
    restarts: int = Field(
        1,
        ge=1,
        le=100,
        description="runs of T iterations each, of which the best is kept (keep_best)",
    )
    tolerance: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="end a run when the share of moved points stays at or under it for two "
        "iterations; none: never",
    )
    keep_best: bool = Field(
        True,
        description="keep the iteration whose partition separates the points best, without labels: "
        "by its misfit to the Gaussian mixture where the clusters are Gaussian, else by the "
        "normalised cut; false: the last one",
    )
    pretraining_epochs: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="epochs of the generators in the first iteration; none: 2,000 steps",
    )
    epochs: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="epochs of the generators in each later iteration; none: 300 steps",
    )
    estimator_epochs: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="epochs of the estimator in each iteration; none: 400 steps",
    )
    polish: bool = Field(
        True,
        description="train the generators once more on the final partition, half as long as in "
        "the first iteration, with the last quarter of the falling step size",
    )
    batch_size: int = Field(64, ge=1, le=65_536, description="points a component and step")
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Adam's step size at the start")
    anneal: bool = Field(True, description="let the step size fall linearly over the iterations")


class TrainingConfig(TrainingOptions):
    """A whole run: with the same data, seed and kind of device it gives the same model."""

    components: Components = Field(description=COMPONENTS)
    seed: int = Field(0, ge=0, lt=2**63, description="of every random stream in the run")

    @property
    def k(self) -> int:
        """The number of components, once it is settled. Raises ValueError while it is auto."""
        return int(self.components)

    @property
    def all_iterations(self) -> int:
        """Over all restarts."""
        return self.restarts * self.iterations


# Locatello et al. (2018), appendix A; what both experiments share
_PAPER: dict[str, Any] = {
    "sample_noise": False,
    "log_transform": False,
    "weight_decay": 0.0,
    "component_scaling": False,
    "latent_gaussians": 0,
    "estimator": "discriminators",
    "initial_partition": "uniform",
    "pretrain_one": False,
    "rescue": "none",
    "keep_best": False,
    "polish": False,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "anneal": False,
    "epochs": 10.0,
}
_PAPER_SYNTHETIC: dict[str, Any] = _PAPER | {
    "network": "mlp",
    "hidden": 50,
    "latent": 5,
    "estimator_width": 50,
    "estimator_reset": True,
    "iterations": 100,
    "pretraining_epochs": 100.0,
}
_PAPER_MNIST: dict[str, Any] = _PAPER | {
    "network": "conv",
    "likelihood": "bernoulli",
    "latent": 8,
    "estimator_width": 64,
    "estimator_epochs": 0.0,
    "iterations": 10,
    "pretraining_epochs": 10.0,
}
ESTIMATOR_EPOCHS, MANY_MODES, ESTIMATOR_EPOCHS_MANY = 2.0, 9, 5.0


def preset_options(name: PresetName, components: Components) -> dict[str, Any]:
    """The options that a preset sets; all others keep their default.

    The paper trains its discriminators longer for 9 modes; a K that is yet to be found is taken
    for less.
    """
    if name == "paper-synthetic":
        many = isinstance(components, int) and components >= MANY_MODES
        epochs = ESTIMATOR_EPOCHS_MANY if many else ESTIMATOR_EPOCHS
        return {**_PAPER_SYNTHETIC, "estimator_epochs": epochs}
    return dict(_PAPER_MNIST) if name == "paper-mnist" else {}


def training_config(
    components: Components, seed: int = 0, preset: PresetName = "default", **options: Any
) -> TrainingConfig:
    """A preset with some options changed. Raises pydantic's ValidationError."""
    chosen = preset_options(preset, components) | options
    return TrainingConfig(components=components, seed=seed, **chosen)
