"""Models of a service, and the names that they go by."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from api_schemas.models import Alias, Component, ComponentDetail, Model
from client import media
from client.assignments import read_assignments, write_assignments
from client.bodies import Body, file_body
from client.connection import Connection, parsed, path_of
from client.files import write_answer
from client.samples import Format

DEFAULT = "default"


class Models:
    """`kvae.models`; a model is named by its id or an alias."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, dataset: str | None = None, name: str | None = None) -> Iterator[Model]:
        """Models, newest first: all, or those that fit what is given."""
        return self._connection.pages("/models", Model, dataset=dataset, name=name)

    def get(self, model: str = DEFAULT) -> Model:
        """One model: alpha, sizes, metrics, configuration, provenance. Raises NotFound."""
        return self._connection.get(path_of("models", model), Model)

    def delete(self, model: str) -> None:
        """Delete it. Raises NotFound, or Conflict while an alias or a job needs it."""
        self._connection.delete(path_of("models", model))

    def components(self, model: str = DEFAULT) -> Iterator[Component]:
        """Its components, in order. Raises NotFound."""
        return self._connection.pages(path_of("models", model, "components"), Component)

    def component(self, component: int, model: str = DEFAULT) -> ComponentDetail:
        """One component: how its features differ, typical training points, samples."""
        path = path_of("models", model, "components", component)
        return self._connection.get(path, ComponentDetail)

    def assignments(
        self, model: str = DEFAULT, component: int | None = None, *, format: Format = "numpy"
    ) -> Any:
        """The components of the training points: records of row, component and confidence, as a
        structured array, DataFrame or pyarrow.Table. Raises NotFound."""
        return read_assignments(self._connection, ("models", model), component, format)

    def assignments_file(
        self,
        target: str | Path | IO[bytes],
        model: str = DEFAULT,
        component: int | None = None,
        *,
        media_type: str | None = None,
    ) -> None:
        """The same into a file: CSV, Parquet, Arrow or NPY. Raises NotFound or OSError."""
        write_assignments(self._connection, target, ("models", model), component, media_type)

    def export(self, target: str | Path | IO[bytes], model: str = DEFAULT) -> None:
        """Write it as one archive that loads without the service. Raises NotFound or OSError."""
        write_answer(self._connection, target, "GET", path_of("models", model, "export"))

    def load(self, archive: str | Path | IO[bytes]) -> Model:
        """Import an exported archive; the same again gives the same model. Raises InvalidInput."""
        with file_body(archive) as body:
            zipped = Body(body.content, media.ZIP)
            return self._connection.post("/models", Model, body=zipped)


class Aliases:
    """`kvae.aliases`: movable names of models."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Alias]:
        """All aliases, by name."""
        return self._connection.pages("/aliases", Alias)

    def get(self, name: str) -> Alias:
        """Which model a name stands for. Raises NotFound."""
        return self._connection.get(path_of("aliases", name), Alias)

    def move(self, name: str, model: str) -> Alias:
        """Point a name, new or in use, at a model. Raises NotFound or InvalidInput."""
        body = {"model": model}
        return parsed(Alias, self._connection.request("PUT", path_of("aliases", name), json=body))

    def delete(self, name: str) -> None:
        """Drop a name; its model stays. Raises NotFound."""
        self._connection.delete(path_of("aliases", name))
