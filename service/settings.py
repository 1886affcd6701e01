"""All settings of API and worker, read from the environment (KVAE_...) or a .env file."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Defaults suit one machine; see .env.example for a deployment."""

    model_config = SettingsConfigDict(
        env_prefix="KVAE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str = "sqlite:///kvae.db"
    broker_url: str = "redis://127.0.0.1:6379/0"
    storage_url: str = Field(
        "blobs",
        description="data sets and checkpoints: a folder, file:///folder or "
        "s3://bucket/prefix?endpoint=URL&region=NAME with AWS_... variables for credentials",
    )
    cache_path: Path = Field(Path("cache"), description="folder of local copies of what is in S3")
    cache_bytes: int = Field(32 << 30, gt=0, description="size of that folder, about")
    max_body_bytes: int = Field(1 << 30, gt=0, description="largest upload or batch")
    max_points_bytes: int = Field(16 << 30, gt=0, description="largest data set, once unpacked")
    max_json_bytes: int = Field(32 << 20, gt=0, description="largest JSON body")
    model_cache_bytes: int = Field(
        1 << 30, gt=0, description="weights kept loaded by an API process"
    )
    inference_threads: int = Field(2, gt=0, description="assign and sample calls run at once")
    lease_seconds: float = Field(15, gt=0, description="silence after which a worker is given up")
    sweep_seconds: float = Field(2, gt=0, description="pause between looks for abandoned jobs")
    max_losses: int = Field(3, gt=0, description="losses in a row after which a job fails")
    webhook_allow_private: bool = Field(
        False, description="let webhooks go to private addresses, and over plain HTTP"
    )
    device: str | None = Field(None, description="torch device of the worker; CUDA if there is one")
    threads: int | None = Field(
        None, gt=0, description="CPU threads of the worker; by size of work"
    )
    log_level: str = "INFO"

    @field_validator("storage_url")
    @classmethod
    def _known_kind(cls, url: str) -> str:
        if "://" in url and not url.startswith(("s3://", "file:///")):
            raise ValueError("storage is a folder, file:///folder or s3://bucket/prefix")
        return url
