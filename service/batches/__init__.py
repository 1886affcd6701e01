"""Points to assign, from the body of a request: a bounded piece at a time, whatever the format."""

from service.batches.batch import Batch, PointSpec
from service.batches.reader import TAKEN, open_batch

__all__ = ["TAKEN", "Batch", "PointSpec", "open_batch"]
