"""Two models' partitions of the data set that both were trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api_schemas.models import Comparison
from service import assignments
from service.errors import InvalidInput
from service.tables import ModelRow


def compare(session: Session, model: ModelRow, other: ModelRow) -> Comparison:
    """Raises NotFound where one was imported, InvalidInput where they are of different data."""
    # scikit-learn's second and 150 MiB are for those who ask
    from trainer.evaluation.clustering import agreement_of, matching

    sources = [assignments.of_model(one) for one in (model, other)]
    if model.provenance["dataset"] != other.provenance["dataset"]:
        msg = f"{other.id} was trained on another data set than {model.id}"
        raise InvalidInput.at("query", "other", msg=msg, code="other_dataset")
    shape = len(model.alpha), len(other.alpha)
    table = np.zeros(shape, np.int64)
    for pieces in zip(*(assignments.pieces(session, one, None) for one in sources), strict=True):
        both = [piece["component"].astype(np.int64) for piece in pieces]
        pairs = np.ravel_multi_index(both, shape)
        table += np.bincount(pairs, minlength=table.size).reshape(shape)
    return Comparison(
        model=model.id,
        other=other.id,
        rows=int(table.sum()),
        contingency=table.tolist(),
        matching=_every_row(matching(table), len(table)),
        **agreement_of(table)._asdict(),
    )


def _every_row(matched: tuple[NDArray[Any], ...], rows: int) -> list[int | None]:
    found: list[int | None] = [None] * rows
    for row, column in zip(*matched, strict=True):
        found[row] = int(column)
    return found
