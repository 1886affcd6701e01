"""The database. It is the truth: what is not here has not happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api_schemas.common import Role
from api_schemas.inference import AssignField
from api_schemas.jobs import JobType
from service.table_types import Base, Id, Owned, RowNumber, Sha256, UtcDateTime, utc_now


class DatasetRow(Owned, Base):
    """An upload, checked; its points lie in storage as NPY under their own hash.

    ``identity`` is the hash of the upload's bytes and options. A deleted data set has none, and no
    points either: it stays as the provenance of its models.
    """

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("owner", "identity"), Index(None, "owner", "id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    name: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(String(20))
    bytes: Mapped[int] = mapped_column(BigInteger)
    stored_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Sha256)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    identity: Mapped[str | None] = mapped_column(Sha256)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    points_sha256: Mapped[str] = mapped_column(Sha256, index=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    shape: Mapped[list[int]] = mapped_column(JSON)
    dtype: Mapped[str] = mapped_column(String(20))
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    dialect: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    warnings: Mapped[list[str]] = mapped_column(JSON)


class JobRow(Owned, Base):
    """A training run, or the assigning of a data set. ``status`` is changed by service.jobs alone.

    Of training, ``attempt`` counts claims and is the fencing token: what a worker writes is
    refused once another has claimed the job. An assign job is claimed in parts, and tells of its
    model all that its result needs: the model may go.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "status", "lease_expires_at"), Index(None, "owner", "id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    type: Mapped[JobType] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    enqueued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    name: Mapped[str] = mapped_column(String(200))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    status: Mapped[str] = mapped_column(String(20), default="queued")
    config: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    ranks: Mapped[int] = mapped_column(default=1, server_default="1")
    assigned_by: Mapped[str | None] = mapped_column(Id, index=True)
    components: Mapped[int | None] = mapped_column()  # that model's K
    include: Mapped[list[AssignField] | None] = mapped_column(JSON(none_as_null=True))
    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    iteration: Mapped[int] = mapped_column(default=0)
    fraction: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None] = mapped_column()
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    webhook_url: Mapped[str | None] = mapped_column(String(2000))
    webhook_secret: Mapped[str | None] = mapped_column(String(100))

    dataset: Mapped[DatasetRow] = relationship()
    model: Mapped["ModelRow | None"] = relationship(back_populates="job")


class JobPartRow(Base):
    """Rows of an assign job's data set that one worker assigns at a time.

    ``attempt`` counts claims and is the fencing token, for as long as there is a lease.
    """

    __tablename__ = "job_parts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_row: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EventRow(Base):
    """One line of a job's log."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    level: Mapped[str] = mapped_column(String(10))
    type: Mapped[str] = mapped_column(String(10))
    message: Mapped[str] = mapped_column(String(1000))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class CheckpointRow(Base):
    """What an iteration left in storage, for as long as it is ``kept``."""

    __tablename__ = "checkpoints"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Sha256, index=True)
    kept: Mapped[bool] = mapped_column(default=True)


class PreviewRow(Base):
    """A picture of what each component made after an iteration."""

    __tablename__ = "previews"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    png: Mapped[bytes] = mapped_column(LargeBinary)


class DeliveryRow(Base):
    """A webhook's message. ``next_attempt_at`` is none once it is delivered or given up."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    type: Mapped[str] = mapped_column(String(40))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, default=utc_now, index=True
    )
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_status: Mapped[int | None] = mapped_column()  # of HTTP; none where nothing was answered
    failure: Mapped[str | None] = mapped_column(String(500))

    job: Mapped[JobRow] = relationship()


class IdempotencyRow(Base):
    """A request under an Idempotency-Key, and its answer once there is one.

    ``attempt`` tells the request that has the key from one that took it over.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[str] = mapped_column(Sha256, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    fingerprint: Mapped[str] = mapped_column(Sha256)
    attempt: Mapped[str] = mapped_column(Id)
    status: Mapped[int | None] = mapped_column()
    body: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(String(200))


class ModelRow(Owned, Base):
    """The immutable result of a succeeded job, or of an import, which has no job.

    It tells all that there is to tell of where it came from: job and data set may go.
    """

    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("job_id"),
        UniqueConstraint("owner", "archive_sha256"),
        Index(None, "owner", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    name: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    archive_sha256: Mapped[str | None] = mapped_column(Sha256)  # of what was imported
    weights_bytes: Mapped[int] = mapped_column(BigInteger)
    shape: Mapped[list[int]] = mapped_column(JSON)
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    alpha: Mapped[list[float]] = mapped_column(JSON)
    sizes: Mapped[list[int]] = mapped_column(JSON)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    provenance: Mapped[dict[str, Any]] = mapped_column(JSON)
    whole: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # how the D values are spread

    job: Mapped[JobRow | None] = relationship(back_populates="model")
    aliases: Mapped[list["AliasRow"]] = relationship(order_by="AliasRow.name")


class WeightChunkRow(Base):
    """A bounded piece of a model's safetensors bytes."""

    __tablename__ = "model_weights"

    model_id: Mapped[str] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ComponentRow(Base):
    """What is worth knowing of a component's training points."""

    __tablename__ = "components"

    model_id: Mapped[str] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    typical: Mapped[list[int]] = mapped_column(JSON)
    features: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    posterior: Mapped[list[float]] = mapped_column(JSON)


class AssignmentChunk:
    """Components of a run of points, their confidences and outlier scores, two bytes each a point.

    All are little-endian uint16; confidences and scores count 65,535ths. What was not kept, as by
    earlier versions, is none.
    """

    of: Mapped[str]
    first_row: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    components: Mapped[bytes] = mapped_column(LargeBinary)
    confidences: Mapped[bytes | None] = mapped_column(LargeBinary)
    outlier_scores: Mapped[bytes | None] = mapped_column(LargeBinary)


class AssignedChunk:
    """Which chunks of assignments have points of a component: what finds a rare one's."""

    of: Mapped[str]
    component: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_row: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AssignmentChunkRow(AssignmentChunk, Base):
    """Of a model's training points."""

    __tablename__ = "assignments"

    of: Mapped[str] = mapped_column(
        "model_id", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class AssignedChunkRow(AssignedChunk, Base):
    """Of a model's training points."""

    __tablename__ = "assigned_chunks"

    of: Mapped[str] = mapped_column(
        "model_id", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class JobAssignmentChunkRow(AssignmentChunk, Base):
    """Of an assign job's data set; outlier scores if asked for."""

    __tablename__ = "job_assignments"

    of: Mapped[str] = mapped_column(
        "job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class JobAssignedChunkRow(AssignedChunk, Base):
    """Of an assign job's data set."""

    __tablename__ = "job_assigned_chunks"

    of: Mapped[str] = mapped_column(
        "job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


class AliasRow(Owned, Base):
    """A movable name for a model; one that is not ``pinned`` moves to each new model.

    Every owner has names of their own.
    """

    __tablename__ = "aliases"

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"), index=True)
    pinned: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class KeyRow(Base):
    """A bearer key, known by the hash of its secret. Revoked ones stay."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    name: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(Id, index=True)
    role: Mapped[Role] = mapped_column(String(10))
    secret_sha256: Mapped[str] = mapped_column(Sha256)
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_jobs: Mapped[int | None] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IntentRow(Base):
    """A blob that is about to be stored, before any other row can name it."""

    __tablename__ = "blob_intents"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    sha256: Mapped[str] = mapped_column(Sha256, index=True)


class DutyRow(Base):
    """What one process at a time does for all, and when it is due."""

    __tablename__ = "duties"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PulseRow(Base):
    """When each worker last consumed the sweeper's test message."""

    __tablename__ = "worker_pulses"

    worker: Mapped[str] = mapped_column(String(200), primary_key=True)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
