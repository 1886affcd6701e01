"""The kVAE algorithm on torch: it knows arrays, networks and files, no HTTP, queue or database."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from api_schemas.training import TrainingConfig
from trainer.checkpoint import checkpoint_bytes, restore
from trainer.errors import DamagedState, Diverged, InvalidConfig, InvalidPoints, TrainerError
from trainer.mixture import Mixture, Samples
from trainer.state import TrainingState
from trainer.stopping import StopTraining

if TYPE_CHECKING:
    from trainer.kvae import KVAE
    from trainer.loop import Fit, Report, train

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
    "StopTraining",
    "TrainerError",
    "TrainingConfig",
    "TrainingState",
    "checkpoint_bytes",
    "restore",
    "train",
]

WHEN_ASKED_FOR = {  # they need scikit-learn: a second and 150 MiB, which serving a model spares
    "KVAE": "trainer.kvae",
    "Fit": "trainer.loop",
    "Report": "trainer.loop",
    "train": "trainer.loop",
}


def __getattr__(name: str) -> Any:
    if name not in WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(WHEN_ASKED_FOR[name]), name)
