"""Uploads become points: checked, and written as one NPY file that a worker can map."""

from service.ingest.formats import check_declared
from service.ingest.reader import Points, read_points

__all__ = ["Points", "check_declared", "read_points"]
