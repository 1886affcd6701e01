"""The client itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from api_schemas.datasets import Dataset, FileOptions
from api_schemas.inference import AssignField, Assignment
from api_schemas.jobs import Job
from api_schemas.models import Model
from api_schemas.training import Components, PresetName
from client import media
from client.assigning import answer_type, assigned, to_assign
from client.bodies import check_options, file_body
from client.connection import Connection, parsed
from client.datasets import Datasets
from client.files import write_answer
from client.jobs import Jobs
from client.models import DEFAULT, Aliases, Models
from client.samples import Format, Samples, accepted, read_arrays, read_table

DATASET_PREFIX = "ds_"


class KVAE:
    """A kVAE service: train on points, assign new ones to components, sample from them.

    Calls are repeated over lost connections, restarts and limits for ``patience`` seconds; none
    does twice what it should do once. All raise KVAEError.
    """

    def __init__(
        self,
        address: str = "http://localhost:8000",
        key: str | None = None,
        *,
        timeout: float = 300.0,
        patience: float = 60.0,
    ) -> None:
        """``timeout``: seconds that the service may be silent. Raises ValueError."""
        self._connection = Connection(address, key, timeout, patience)
        self.datasets = Datasets(self._connection)
        self.jobs = Jobs(self._connection)
        self.models = Models(self._connection)
        self.aliases = Aliases(self._connection)
        self.upload = self.datasets.upload
        self.wait = self.jobs.wait

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def train(
        self,
        data: Any,
        components: Components,
        *,
        preset: PresetName = "default",
        seed: int = 0,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        ranks: int = 1,
        progress: bool = True,
        **options: Any,
    ) -> Model:
        """Train on points and wait for the model; its progress is shown on stderr.

        ``data`` is a data set or its id, or what `upload` takes, with its ``options``;
        ``components`` is K or "auto"; ``config`` changes options of the preset, the fields of
        `api_schemas.training.TrainingOptions`; ``ranks`` is how many processes share the training.

        Raises JobFailed, JobCancelled, InvalidInput or ValueError.
        """
        job = self.submit(
            data,
            components,
            preset=preset,
            seed=seed,
            name=name,
            config=config,
            ranks=ranks,
            **options,
        )
        done = self.wait(job.id, progress=progress)
        return self.models.get(str(done.model))

    def submit(
        self,
        data: Any,
        components: Components,
        *,
        preset: PresetName = "default",
        seed: int = 0,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        ranks: int = 1,
        webhook: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Job:
        """The job of a training, which is not waited for; ``webhook`` has the ``url`` to tell how
        it ends, and the ``secret`` to sign with. Raises InvalidInput."""
        request: dict[str, Any] = {
            "dataset": self._dataset_id(data, options),
            "components": components,
            "preset": preset,
            "seed": seed,
            "name": name,
            "config": dict(config or {}),
            "ranks": ranks,
            "webhook": webhook,
        }
        return self._connection.post("/jobs", Job, json=request)

    def _dataset_id(self, data: Any, options: dict[str, Any]) -> str:
        if isinstance(data, str) and data.startswith(DATASET_PREFIX) and not Path(data).exists():
            return data
        return data.id if isinstance(data, Dataset) else self.upload(data, **options).id

    @overload
    def assign(  # type: ignore[overload-overlap]  # no fields are fields as well
        self, points: NDArray[Any], *, include: tuple[()] = (), model: str = DEFAULT
    ) -> NDArray[np.int64]: ...

    @overload
    def assign(
        self, points: NDArray[Any], *, include: Sequence[AssignField], model: str = DEFAULT
    ) -> dict[str, NDArray[Any]]: ...

    @overload
    def assign(
        self,
        points: list[Any],
        *,
        include: Sequence[AssignField] = (),
        model: str = DEFAULT,
    ) -> Assignment: ...

    @overload
    def assign(
        self, points: Any, *, include: Sequence[AssignField] = (), model: str = DEFAULT
    ) -> Any: ...

    def assign(
        self, points: Any, *, include: Sequence[AssignField] = (), model: str = DEFAULT
    ) -> Any:
        """The component of each point. What comes in decides what comes out:

        - a NumPy array (N, ...): components (N,), or with ``include`` a dict of arrays, (N,) or
          (N, K), by name;
        - a DataFrame: one with the same index; ``component``, ``confidence``, ``posterior_0``, ...;
        - a pyarrow.Table or another table with Arrow's interface: a pyarrow.Table of those columns;
        - a list of rows, of records by column, or of nested lists: an `Assignment`.

        Raises NotFound, InvalidInput or TypeError.
        """
        query = {"model": model, "include": list(include)}
        if isinstance(points, list):
            answer = self._connection.request("POST", "/assign", query, json={"points": points})
            return parsed(Assignment, answer)
        headers = {"Accept": answer_type(points, include)}
        body = to_assign(points)
        answer = self._connection.request("POST", "/assign", query, headers=headers, body=body)
        return assigned(points, include, answer.content)

    def assign_file(
        self,
        source: str | Path | IO[bytes],
        target: str | Path | IO[bytes],
        *,
        include: Sequence[AssignField] = (),
        model: str = DEFAULT,
        media_type: str | None = None,
        **options: Any,
    ) -> None:
        """Assign the points of a file, row by row, into another, which is written whole or not at
        all. ``media_type`` says what to write where the target's name doesn't tell it; ``options``
        are the fields of `api_schemas.datasets.FileOptions`, as ``decimal=","``.

        Raises NotFound, InvalidInput, OSError, TypeError or ValueError.
        """
        check_options(options, FileOptions)
        headers = {"Accept": media_type or media.type_to_write(str(target))}
        query = {"model": model, "include": list(include), **options}
        with file_body(source) as body:
            write_answer(self._connection, target, "POST", "/assign", query, headers, body)

    def assign_dataset(
        self,
        dataset: str,
        *,
        include: Sequence[Literal["confidence", "outlier_score"]] = (),
        model: str = DEFAULT,
    ) -> Job:
        """The job that assigns a whole data set, however large; `jobs.wait` for it, then
        `jobs.assignments` has what it found. Raises NotFound or InvalidInput."""
        query = {"model": model, "dataset": dataset, "include": list(include)}
        return self._connection.post("/assign", Job, query)

    def sample(
        self,
        n: int = 16,
        *,
        component: int | None = None,
        seed: int | None = None,
        temperature: float = 1.0,
        model: str = DEFAULT,
        format: Format = "numpy",
    ) -> Samples[Any]:
        """Points from one component or, with none named, from the alpha-weighted mixture.

        As "numpy" they are as `assign` takes them, (n, ...); as "pandas" or "pyarrow", which only
        tables can be, in the data's own columns and units. Raises NotFound or InvalidInput.
        """
        query = _sample_query(n, component, seed, temperature, model)
        headers = {"Accept": accepted(format, media.NPZ)}
        answer = self._connection.request("GET", "/sample", query, headers=headers)
        seed, model = int(answer.headers["Kvae-Seed"]), answer.headers["Kvae-Model"]
        if format == "numpy":
            arrays = read_arrays(answer.content)
            return Samples(arrays["points"], arrays["components"], seed, model)
        table = read_table(answer.content)
        components = np.full(n, component)
        if component is None:  # then the last column says which
            components = table.column(-1).to_numpy()
            table = table.remove_column(table.num_columns - 1)
        return Samples(table.to_pandas() if format == "pandas" else table, components, seed, model)

    def sample_file(
        self,
        target: str | Path | IO[bytes],
        n: int = 16,
        *,
        component: int | None = None,
        seed: int | None = None,
        temperature: float = 1.0,
        model: str = DEFAULT,
        media_type: str | None = None,
    ) -> None:
        """The same into a file: as PNG a grid of images or a scatter plot, as CSV, Parquet and
        Arrow the data's own columns. Raises NotFound, InvalidInput, OSError or ValueError."""
        headers = {"Accept": media_type or media.type_to_write(str(target))}
        query = _sample_query(n, component, seed, temperature, model)
        write_answer(self._connection, target, "GET", "/sample", query, headers)


def _sample_query(
    n: int, component: int | None, seed: int | None, temperature: float, model: str
) -> dict[str, Any]:
    return {
        "n": n,
        "component": component,
        "seed": seed,
        "temperature": temperature,
        "model": model,
    }
