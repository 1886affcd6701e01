"""Data sets of a service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api_schemas.datasets import Dataset, DatasetOptions, PointRow
from client import media
from client.bodies import Body, body_of, check_options
from client.connection import Connection, path_of


class Datasets:
    """`kvae.datasets`"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(self, data: Any, *, name: str | None = None, **options: Any) -> Dataset:
        """Upload points; the same with the same options give the same data set.

        ``data`` is a path, an open binary file, a NumPy array (N, D), (N, H, W) or (N, C, H, W), or
        a table of pandas or pyarrow. ``options`` are the fields of
        `api_schemas.datasets.DatasetOptions`, as ``missing="median"``.

        Raises InvalidInput, TypeError or OSError.
        """
        check_options(options, DatasetOptions, "; options of training go into config")
        if name is None and isinstance(data, str | Path):
            name = Path(data).name
        query = {"name": name, **options}
        with body_of(data) as body:
            raw = Body(body.content, media.OCTETS)
            return self._connection.post("/datasets", Dataset, query, body=raw)

    def list(self, *, name: str | None = None) -> Iterator[Dataset]:
        """Data sets, newest first: all, or those of a name."""
        return self._connection.pages("/datasets", Dataset, name=name)

    def get(self, dataset: str) -> Dataset:
        """One data set: its shape, columns and warnings. Raises NotFound."""
        return self._connection.get(path_of("datasets", dataset), Dataset)

    def rows(self, dataset: str) -> Iterator[PointRow]:
        """Its points in the data's own columns and units, in order. Raises NotFound."""
        return self._connection.pages(path_of("datasets", dataset, "rows"), PointRow)

    def delete(self, dataset: str) -> None:
        """Delete it, unless a job needs it; models made from it stay. Raises NotFound, Conflict."""
        self._connection.delete(path_of("datasets", dataset))
