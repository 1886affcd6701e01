"""What one training run is asked to do."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GeneratorName = Literal["auto", "mlp", "conv"]
LikelihoodName = Literal["auto", "gaussian", "bernoulli"]
EstimatorName = Literal["classifier", "discriminators"]
PartitionName = Literal["kmeans", "uniform"]

MAX_COMPONENTS = 1024


class TrainingOptions(BaseModel):
    """Everything about a run that has a default.

    All generators step together: an epoch of theirs is N draws in all, N/K a component. An epoch
    of the estimator shows N points to each of its networks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    generator: GeneratorName = Field(
        "auto",
        description="network of the VAEs; auto: conv for images of 16 x 16 and larger, else mlp",
    )
    likelihood: LikelihoodName = Field(
        "auto", description="p(x | z); gaussian has one learned scale a component; auto: gaussian"
    )
    sample_noise: bool | None = Field(
        None,
        description="whether a sample is a draw from p(x | z) rather than its mean; "
        "none: a draw for rows of numbers, the mean for images",
    )
    hidden: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="units of an MLP's hidden layers; none: 50, 64 or 128, by the data's shape",
    )
    latent: int | None = Field(
        None, ge=1, le=512, description="latent dimensions; none: 8, or those of the data if fewer"
    )
    estimator: EstimatorName = Field(
        "classifier",
        description="source of the log densities: one K-way classifier, "
        "or the paper's K binary discriminators",
    )
    initial_partition: PartitionName = Field(
        "kmeans", description="uniform: every generator is first trained on all points (the paper)"
    )
    iterations: int = Field(8, ge=1, le=10_000, description="turns of the outer loop, T")
    pretraining_epochs: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="epochs of the generators in the first iteration; none: 2,000 steps",
    )
    epochs: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="epochs of the generators in each later iteration; none: 400 steps",
    )
    estimator_epochs: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="epochs of the estimator in each iteration; none: 500 steps",
    )
    batch_size: int = Field(64, ge=1, le=65_536, description="points a component and step")
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Adam's step size at the start")
    anneal: bool = Field(True, description="let the step size fall linearly over the iterations")


class TrainingConfig(TrainingOptions):
    """A whole run: with the same data, seed and kind of device it gives the same model."""

    components: int = Field(
        ge=1, le=MAX_COMPONENTS, description="number of generative models that compete, K"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of every random stream in the run")
