"""Uploads become points: checked, and written as one NPY file that a worker can map."""

from service.ingest.reader import Points, read_points

__all__ = ["Points", "read_points"]
