"""Stopping a run between two steps, and going on there as if it had not stopped."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from trainer.state import TrainingState


Phase: TypeAlias = Literal["generators", "estimator", "polish"]


class Place(NamedTuple):
    """Between two steps of a phase."""

    steps: int  # that are done
    total: Tensor  # of their losses
    drawn: Tensor  # the random stream's state before it drew the batch, with others ahead
    now: Tensor  # and after the last step


@dataclass(frozen=True)
class Begun:
    """How far an iteration, or the polish, has come that was stopped."""

    phase: Phase
    place: Place
    losses: list[float]  # the generators', once they are trained


class StopTraining(Exception):
    """``on_step`` may raise it: `train` passes it through with the state to go on from, to the very
    same model, or none where the last iteration's is to be gone on from."""

    place: Place | None = None
    state: "TrainingState | None" = None
