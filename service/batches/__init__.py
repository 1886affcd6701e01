"""Points to assign, of a request's body or of a data set: a bounded piece at a time, whatever the
format."""

from service.batches.batch import Batch, PointSpec
from service.batches.reader import open_batch
from service.batches.stored import Conversion

__all__ = ["Batch", "Conversion", "PointSpec", "open_batch"]
