"""What a mixture says about points: their components and whatever else was asked for."""

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api_schemas.inference import AssignField
from service.batches import Batch
from service.errors import InvalidInput
from service.inference import Inference
from trainer import InvalidPoints, Mixture
from trainer.points import Points, check_finite

COLUMNS = {"components": "component", "log_densities": "log_density"}  # their names in tables

Assigned = dict[str, NDArray[Any]]  # by name, (n,) or (n, K): "components", then the fields


def check_fields(mixture: Mixture, fields: Iterable[AssignField]) -> None:
    """Raise InvalidInput for what this mixture can't tell."""
    if "outlier_score" in fields and mixture.reference is None:
        kind = mixture.architecture.generator
        msg = f"this model, of kind {kind!r}, keeps no densities of its training points"
        raise InvalidInput.at("query", "include", msg=msg, code="no_outlier_score")


def assigned(
    inference: Inference, mixture: Mixture, batch: Batch, fields: list[AssignField]
) -> Iterator[Assigned]:
    """Each piece of a batch in turn, at least one.

    Raises InvalidPoints, which names the row in the whole batch, and what its pieces raise.
    """
    first_row = 0
    for points in batch.pieces:
        try:
            yield inference.run(partial(assign, mixture, points, fields))
        except InvalidPoints:
            check_finite(points, first_row)
            raise
        first_row += len(points)
    if not first_row:
        raise InvalidPoints("there are no points")


def as_table(found: Assigned) -> pa.Table:
    """A column for each value of a row: component, posterior_0, posterior_1, ..., confidence."""
    columns: dict[str, NDArray[Any]] = {}
    for field, values in found.items():
        name = COLUMNS.get(field, field)
        if values.ndim == 1:
            columns[name] = values
        else:
            columns |= {f"{name}_{j}": column for j, column in enumerate(values.T)}
    return pa.table(columns)


def assign(mixture: Mixture, points: Points, fields: Collection[AssignField]) -> Assigned:
    """Of points that are held at once, (n, *point_shape). Raises InvalidPoints."""
    if not fields:
        return {"components": mixture.assign(points)}
    components, log_densities, posterior = mixture.membership(points)
    found: Assigned = {"components": components}
    if "log_densities" in fields:
        found["log_densities"] = log_densities
    if "posterior" in fields:
        found["posterior"] = posterior
    if "confidence" in fields:
        found["confidence"] = posterior[np.arange(len(points)), components]
    if "outlier_score" in fields:
        found["outlier_score"] = mixture.outlier_score(points)
    return found
