"""The kVAE algorithm on torch: it knows arrays, networks and files, no HTTP, queue or database."""

from api_schemas.training import TrainingConfig
from trainer.checkpoint import checkpoint_bytes, restore
from trainer.errors import DamagedState, Diverged, InvalidConfig, InvalidPoints, TrainerError
from trainer.kvae import KVAE
from trainer.loop import Fit, Report, train
from trainer.mixture import Mixture, Samples
from trainer.state import TrainingState

__all__ = [
    "KVAE",
    "DamagedState",
    "Diverged",
    "Fit",
    "InvalidConfig",
    "InvalidPoints",
    "Mixture",
    "Report",
    "Samples",
    "TrainerError",
    "TrainingConfig",
    "TrainingState",
    "checkpoint_bytes",
    "restore",
    "train",
]
