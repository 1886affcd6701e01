"""Samples in the data's own units and columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api_schemas.inference import Sample
from service.batches import PointSpec
from service.pixels import restored
from trainer import Mixture


@dataclass(frozen=True)
class Drawn:
    """What was made, (n, ...), the component that made each, (n,), and the points that it is."""

    made: NDArray[Any]
    components: NDArray[np.int64]
    spec: PointSpec

    @cached_property
    def table(self) -> pa.Table | None:
        """The points as rows of a table, unless they are images."""
        return self.spec.encoding.decode(self.made) if self.spec.encoding else None

    @cached_property
    def points(self) -> NDArray[Any]:
        """The points as /assign takes them, (n, ...)."""
        if self.spec.encoding:
            return self.spec.encoding.encode(self.table)
        return restored(self.spec.pixels, self.made) if self.spec.pixels else self.made

    def as_table(self, with_components: bool) -> pa.Table:
        """The rows, and which component made them. Only for what is a table."""
        assert self.table is not None  # noqa: S101 - images are offered in other types
        if not with_components:
            return self.table
        name = "component"
        while name in self.table.column_names:
            name += "_"
        return self.table.append_column(name, pa.array(self.components))

    def as_json(self, model: str, seed: int) -> Sample:
        """Rows, or images as nested lists."""
        components = self.components.tolist()
        if self.table is None:
            points = self.points.tolist()
            return Sample(model=model, seed=seed, components=components, points=points)
        columns = [column.to_pylist() for column in self.table.columns]
        return Sample(
            model=model,
            seed=seed,
            components=components,
            columns=self.table.column_names,
            points=list(zip(*columns, strict=True)),
        )


def draw(
    mixture: Mixture,
    spec: PointSpec,
    n: int,
    component: int | None,
    seed: int,
    temperature: float,
) -> Drawn:
    """``n`` points from one component or, with none named, from the mixture."""
    return Drawn(*mixture.sample(n, component, seed, temperature), spec)
