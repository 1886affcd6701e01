"""What the trainer refuses."""


class TrainerError(Exception):
    """Base of the trainer's own errors; the message is one line for the person who asked."""


class InvalidPoints(TrainerError, ValueError):
    """The points can't be trained on or assigned: wrong shape, type or values."""


class InvalidConfig(TrainerError, ValueError):
    """The configuration does not fit the points; ``param`` is the field that is wrong."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class DamagedState(TrainerError):
    """A saved model or checkpoint is incomplete or of another kind."""


class Diverged(TrainerError):
    """A loss is no longer finite."""


class RankLost(TrainerError):
    """Another of the processes that share a run has ended."""
