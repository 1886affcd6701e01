"""All settings of API and worker, read from the environment (KVAE_...) or a .env file."""

from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "KVAE_"


class Settings(BaseSettings):
    """Defaults suit one machine; docs/settings.md is made of this class."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str = Field(
        "sqlite:///kvae.db", description="SQLAlchemy URL of SQLite or PostgreSQL"
    )
    broker_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey, which carries messages to the workers and counts requests",
    )
    storage_url: str = Field(
        "blobs",
        description="data sets and checkpoints, the same for API and workers: a folder, "
        "file:///folder or s3://bucket/prefix?endpoint=URL&region=NAME with AWS_... variables for "
        "credentials",
    )
    cache_path: Path = Field(Path("cache"), description="folder of local copies of what is in S3")
    cache_bytes: int = Field(32 << 30, gt=0, description="size of that folder, about, in bytes")
    max_body_bytes: int = Field(
        1 << 30, gt=0, description="largest upload or batch of points, in bytes"
    )
    max_points_bytes: int = Field(
        16 << 30, gt=0, description="largest data set once unpacked, in bytes"
    )
    max_json_bytes: int = Field(32 << 20, gt=0, description="largest JSON body, in bytes")
    body_seconds: float = Field(
        30, gt=0, description="seconds that a body may take, beside one for each 16 KiB of it"
    )
    quota_bytes: int | None = Field(
        100 << 30,
        ge=0,
        description="bytes that the data sets and models of a key's owner may take, if the key "
        "says nothing",
    )
    quota_jobs: int | None = Field(
        100,
        ge=0,
        description="jobs that a key's owner may have queued or running, if the key says nothing",
    )
    rate_limit: int | None = Field(
        None, gt=0, description="requests a second of a key, or address without keys; unset: any"
    )
    cors_origins: str = Field(
        "", description="origins whose pages may call the API, comma-separated; empty: none"
    )
    model_cache_bytes: int = Field(
        1 << 30, gt=0, description="bytes of model weights that an API process keeps loaded"
    )
    inference_threads: int = Field(2, gt=0, description="assign and sample calls that run at once")
    lease_seconds: float = Field(
        15,
        gt=0,
        le=3600,
        description="seconds of silence after which a worker is given up",
    )
    sweep_seconds: float = Field(2, gt=0, description="seconds between looks for abandoned jobs")
    pulse_seconds: float = Field(
        10, gt=0, description="seconds between test messages to the workers, for /readyz"
    )
    max_losses: int = Field(
        3,
        gt=0,
        description="workers lost in a row, with no iteration done between, after which a job "
        "fails",
    )
    checkpoint_days: float = Field(
        30,
        ge=0,
        description="days for which a cancelled or failed job can be resumed where it ended; then "
        "its checkpoints go",
    )
    device: str | None = Field(
        None, description="torch device of the worker, as cpu or cuda:1; unset: CUDA if there is"
    )
    webhook_allow_private: bool = Field(
        False, description="let webhooks go to private addresses, and over plain HTTP"
    )
    threads: int | None = Field(
        None,
        gt=0,
        description="CPU threads of the worker; unset: by the size of the networks, 1 to assign",
    )
    commit: str = Field(
        "", description="what this build was made of, told as part of its models' code_version"
    )
    max_ranks: int = Field(
        4, gt=0, description="processes of a worker's machine that may share a training"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least level that is logged: DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text for people, or json: one object a line"
    )

    @property
    def code_version(self) -> str:
        """The package's version, with the commit as its local part where that is known."""
        return version("kvae") + (f"+{self.commit}" if self.commit else "")

    @field_validator("storage_url")
    @classmethod
    def _known_kind(cls, url: str) -> str:
        if "://" in url and not url.startswith(("s3://", "file:///")):
            raise ValueError("storage is a folder, file:///folder or s3://bucket/prefix")
        return url


def settings_table() -> str:
    """Every setting with its default and meaning, as Markdown."""
    lines = [
        "# Settings",
        "",
        "Of API and workers, read from the environment or from a `.env` file in the folder where "
        "they start.",
        "",
        "| name | default | meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
