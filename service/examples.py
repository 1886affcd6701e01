"""What the OpenAPI document shows: one data set, the job that trained on it, and its model."""

from typing import Any

from api_schemas.training import TrainingConfig

DATASET_ID = "ds_01kagx3w0c8m5y2v4zq7t9e6bn"
JOB_ID = "job_01kagx4h8s2f6d0r9mjw3c5xkp"
MODEL_ID = "mdl_01kagx5vq7e4n1b8tz6y0h2gsd"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CREATED_AT = "2026-03-01T09:30:00Z"
STARTED_AT = "2026-03-01T09:30:01Z"
FINISHED_AT = "2026-03-01T09:30:14Z"

COLUMN = {"name": "width", "type": "number", "min": 0.1, "max": 6.9, "mean": 3.2}
COLUMNS = [COLUMN, {**COLUMN, "name": "height"}]
POINT = {"row": 0, "values": {"width": 5.8, "height": 0.4}}
COMPONENT = {"object": "model.component", "component": 1, "alpha": 0.6, "size": 180}
COMPONENT["posterior"] = [0.03, 0.97]
SPREAD = {"mean": 5.6, "deviation": 0.7, "quantiles": [4.4, 5.1, 5.6, 6.1, 6.8]}
FEATURE = {"name": "width", **SPREAD, "shift": 1.2}
ASSIGNED_ROW = {"row": 0, "component": 1, "confidence": 0.98, "outlier_score": 0.12}
PROGRESS = {"iteration": 8, "of": 8, "fraction": 1.0, "eta_seconds": None}
PROVENANCE = {
    "source": "trained",
    "job": JOB_ID,
    "dataset": DATASET_ID,
    "dataset_sha256": SHA256,
    "seed": 0,
    "code_version": "0.1.0+4653c0c",
}


def examples() -> dict[str, dict[str, Any]]:
    """An example of each schema that answers with JSON, by the schema's name."""
    config = TrainingConfig(components=2).model_dump()
    return {
        "Column": COLUMN,
        "Dataset": {
            "id": DATASET_ID,
            "object": "dataset",
            "created_at": CREATED_AT,
            "name": "measurements",
            "format": "csv",
            "bytes": 5120,
            "sha256": SHA256,
            "rows": 300,
            "shape": [2],
            "dtype": "float64",
            "columns": COLUMNS,
            "options": {"missing": "refuse", "categories": "refuse"},
            "dialect": {"header": True, "delimiter": ",", "decimal": ".", "encoding": "utf-8"},
            "warnings": [],
        },
        "PointRow": POINT,
        "Job": {
            "id": JOB_ID,
            "object": "job",
            "type": "train",
            "created_at": CREATED_AT,
            "started_at": STARTED_AT,
            "finished_at": FINISHED_AT,
            "name": "measurements",
            "dataset": DATASET_ID,
            "status": "succeeded",
            "attempt": 1,
            "config": config,
            "progress": PROGRESS,
            "error": None,
            "model": MODEL_ID,
        },
        "Checkpoint": {
            "id": f"{JOB_ID.replace('job', 'ckpt')}_8",
            "object": "job.checkpoint",
            "iteration": 8,
            "created_at": FINISHED_AT,
            "bytes": 524288,
            "sha256": SHA256,
            "kept": False,
        },
        "JobDelivery": {
            "id": "evt_01kagx5w2m8d4r7y1c6h9k3zbt",
            "object": "job.delivery",
            "created_at": FINISHED_AT,
            "type": "job.succeeded",
            "status": "pending",
            "attempts": 2,
            "last_status": 503,
            "failure": "answered 503",
            "next_attempt_at": "2026-03-01T09:30:52Z",
            "delivered_at": None,
        },
        "JobEvent": {
            "id": "17",
            "object": "job.event",
            "created_at": FINISHED_AT,
            "level": "info",
            "type": "metrics",
            "message": "iteration 8 of 8",
            "data": {
                "iteration": 8,
                "of": 8,
                "alpha": [0.4, 0.6],
                "changed": 0.0,
                "score": 0.04,
                "losses": [1.7, 1.9],
                "estimator_loss": 0.05,
                "log_likelihood": -2.9,
                "seconds": 1.4,
                "phase_seconds": {
                    "start": 0.0,
                    "generators": 0.9,
                    "estimator": 0.4,
                    "assignment": 0.02,
                    "scores": 0.08,
                },
            },
        },
        "Model": {
            "id": MODEL_ID,
            "object": "model",
            "created_at": FINISHED_AT,
            "name": "measurements",
            "aliases": ["default"],
            "components": 2,
            "shape": [2],
            "columns": COLUMNS,
            "alpha": [0.4, 0.6],
            "sizes": [120, 180],
            "rows": 300,
            "metrics": {"changed": 0.0, "losses": [1.7, 1.9]},
            "config": config,
            "provenance": PROVENANCE,
        },
        "Component": COMPONENT,
        "ComponentDetail": {
            **COMPONENT,
            "features": [FEATURE],
            "typical": [POINT],
            "samples": [{"width": 5.5, "height": 0.3}],
        },
        "Comparison": {
            "object": "model.comparison",
            "model": MODEL_ID,
            "other": "mdl_01kagy2d5r0w7j3c9fk4m8z6pt",
            "rows": 300,
            "contingency": [[118, 2], [1, 179]],
            "matching": [0, 1],
            "accuracy": 0.99,
            "ari": 0.96,
            "nmi": 0.92,
        },
        "Alias": {
            "id": "default",
            "object": "alias",
            "created_at": FINISHED_AT,
            "updated_at": FINISHED_AT,
            "model": MODEL_ID,
            "pinned": False,
        },
        "AssignedRow": ASSIGNED_ROW,
        "Assignment": {"object": "assignment", "model": MODEL_ID, "components": [1, 0]},
        "Sample": {
            "object": "sample",
            "model": MODEL_ID,
            "seed": 7,
            "components": [0, 1],
            "columns": ["width", "height"],
            "points": [[0.3, 2.1], [5.8, 0.4]],
        },
        "ServerMetadata": {
            "name": "kvae",
            "version": "0.1.0",
            "extensions": ["binary_tensor_data"],
        },
        "ServerLive": {"live": True},
        "ServerReady": {"ready": True},
        "ModelReady": {"name": "default", "ready": True},
        "ModelMetadata": {
            "name": "default",
            "versions": [MODEL_ID],
            "platform": "kvae",
            "inputs": [{"name": "points", "datatype": "FP64", "shape": [-1, 2]}],
            "outputs": [{"name": "component", "datatype": "INT64", "shape": [-1]}],
        },
        "InferResponse": {
            "model_name": "default",
            "model_version": MODEL_ID,
            "outputs": [{"name": "component", "datatype": "INT64", "shape": [2], "data": [1, 0]}],
        },
        "Health": {"status": "ok"},
        "Readiness": {
            "status": "ok",
            "checks": {"database": "ok", "storage": "ok", "worker": "ok", "broker": "ok"},
        },
    }
