"""Jobs: one training run of a data set each."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_schemas.common import Name
from api_schemas.training import (
    COMPONENTS,
    Components,
    PresetName,
    TrainingConfig,
    TrainingOptions,
    training_config,
)

JobStatus = Literal["queued", "running", "cancelling", "cancelled", "succeeded", "failed"]


class JobRequest(BaseModel):
    """What to train, whatever the data set."""

    model_config = ConfigDict(extra="forbid")

    components: Components = Field(description=COMPONENTS)
    preset: PresetName = Field(
        "default",
        description="where the options start from: what measured best, or the paper as written",
    )
    name: Name | None = None
    seed: int = Field(0, ge=0, lt=2**63)
    config: TrainingOptions = Field(TrainingOptions(), description="changes to the preset")

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

    iteration: int = Field(description="iterations completed")
    of: int
    fraction: float = Field(ge=0, le=1, description="share of all training steps that is done")
    eta_seconds: float | None = None


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class Job(BaseModel):
    """A training run; ends in exactly one of succeeded, failed, cancelled."""

    id: str
    object: Literal["job"] = "job"
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    name: str
    dataset: str
    status: JobStatus
    attempt: int = Field(description="times that a worker has taken the job up")
    config: TrainingConfig
    progress: Progress
    error: JobError | None = None
    model: str | None = Field(None, description="id of the result, once succeeded")


class JobEvent(BaseModel):
    """One line of a job's log, oldest first."""

    id: str
    object: Literal["job.event"] = "job.event"
    created_at: datetime
    level: Literal["info", "warning", "error"]
    type: Literal["message", "metrics", "status"]
    message: str
    data: dict[str, Any]
