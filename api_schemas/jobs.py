"""Jobs: each one training run on a data set, or the assigning of one."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    UrlConstraints,
)

from api_schemas.common import Closed, Name
from api_schemas.inference import AssignField
from api_schemas.training import (
    COMPONENTS,
    Components,
    PresetName,
    TrainingConfig,
    TrainingOptions,
    training_config,
)

JobType = Literal["train", "assign"]
JobStatus = Literal["queued", "running", "cancelling", "cancelled", "succeeded", "failed"]
JobMessageType = Literal["job.succeeded", "job.failed", "job.cancelled"]

RANKS = (
    "most processes of a worker's machine that share the training, each on a CUDA device of its "
    "own if there are; the partition is that of one process but for rounding"
)
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
SECRET_BYTES = range(24, 65)


def webhook_key(secret: str) -> bytes:
    """The key that a secret stands for. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError(f"must be {SECRET_PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def _checked(secret: SecretStr) -> SecretStr:
    webhook_key(secret.get_secret_value())
    return secret


class Webhook(Closed):
    """Where to tell how a job ends: a POST that follows the Standard Webhooks specification."""

    url: Annotated[HttpUrl, UrlConstraints(max_length=2000)] = Field(
        description="HTTPS, at a public address unless the service allows others",
        json_schema_extra={"pattern": "^https?://"},
    )
    secret: Annotated[SecretStr, AfterValidator(_checked)] | None = Field(
        None,
        description="what messages are signed with: whsec_ and the base64 of 24 to 64 random "
        "bytes; never shown again; none: they are not signed",
        json_schema_extra={"pattern": f"^{SECRET_PREFIX}[A-Za-z0-9+/]{{32,86}}={{0,2}}$"},
    )

    @property
    def plain_secret(self) -> str | None:
        return self.secret.get_secret_value() if self.secret else None


class JobRequest(Closed):
    """What to train, whatever the data set."""

    components: Components = Field(description=COMPONENTS)
    preset: PresetName = Field(
        "default",
        description="where the options start from: what measured best, or the paper as written",
    )
    name: Name | None = None
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="of every random stream: the same request gives the same model, another seed "
        "another try",
    )
    config: TrainingOptions = Field(TrainingOptions(), description="changes to the preset")
    ranks: int = Field(1, ge=1, description=RANKS)
    webhook: Webhook | None = None

    def training_config(self) -> TrainingConfig:
        """The whole run that is asked for."""
        options = self.config.model_dump(exclude_unset=True)
        return training_config(self.components, self.seed, self.preset, **options)


class JobCreate(JobRequest):
    """Body of POST /jobs."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"dataset": "ds_01kagx3w0c8m5y2v4zq7t9e6bn", "components": 10}
        }
    )

    dataset: str = Field(description="id of an uploaded data set")


class Progress(BaseModel):
    """How far a job is."""

    iteration: int | None = Field(description="iterations completed; none of an assign job")
    of: int | None = Field(description="iterations in all; none of an assign job")
    fraction: float = Field(
        ge=0, le=1, description="share of all training steps, or of the rows, that is done"
    )
    eta_seconds: float | None = None


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class Job(BaseModel):
    """A training run, or the assigning of a data set; ends in exactly one of succeeded, failed,
    cancelled."""

    id: str
    object: Literal["job"] = "job"
    type: JobType
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    name: str
    dataset: str
    status: JobStatus
    attempt: int = Field(
        description="times that a worker has taken the job up; of an assign job, which workers "
        "share, times that it was begun"
    )
    config: TrainingConfig | None = Field(description="none of an assign job")
    ranks: int | None = Field(None, description=f"{RANKS}; none of an assign job")
    progress: Progress
    error: JobError | None = None
    model: str | None = Field(None, description="id of what was trained, once succeeded")
    assigned_by: str | None = Field(
        None, description="id of the model to whose components an assign job gives the points"
    )
    include: list[AssignField] | None = Field(
        None, description="what an assign job was asked for beside components"
    )
    webhook_url: str | None = Field(None, description="what is told how the job ends")


class Checkpoint(BaseModel):
    """What an iteration left, to go on from."""

    id: str
    object: Literal["job.checkpoint"] = "job.checkpoint"
    iteration: int = Field(description="that was done, or in which the worker was stopped")
    created_at: datetime
    bytes: int
    sha256: str
    kept: bool = Field(description="whether it is still stored: the newest two are until success")


class JobDelivery(BaseModel):
    """A message to a job's webhook, and how it fares."""

    id: str = Field(description="also in the message's header webhook-id")
    object: Literal["job.delivery"] = "job.delivery"
    created_at: datetime
    type: JobMessageType
    status: Literal["pending", "delivered", "given_up"]
    attempts: int = Field(description="times that it was sent, one on its way included")
    last_status: int | None = Field(
        description="HTTP status that the last attempt was answered with; none: no answer yet"
    )
    failure: str | None = Field(description="what went wrong at the last attempt")
    next_attempt_at: datetime | None = Field(description="about when it is sent again, if so")
    delivered_at: datetime | None


class JobMessage(BaseModel):
    """Body of a webhook's POST; the header webhook-id is the same at each attempt."""

    type: JobMessageType
    timestamp: datetime = Field(description="when it happened")
    data: Job = Field(description="the job as it is when this is sent")


class JobEvent(BaseModel):
    """One line of a job's log, oldest first."""

    id: str
    object: Literal["job.event"] = "job.event"
    created_at: datetime
    level: Literal["info", "warning", "error"]
    type: Literal["message", "metrics", "status"]
    message: str
    data: dict[str, Any] = Field(
        description="of metrics, what an iteration did: alpha; changed, the share of the points "
        "that moved; score, lower is better; losses of each component and estimator_loss; "
        "log_likelihood, the mean in nats of 200 training points under the mixture, a lower bound, "
        "of VAEs only; seconds, and phase_seconds, what they went to"
    )
