"""What a model's components look like."""

from itertools import chain, repeat
from math import prod
from typing import Any, NamedTuple

from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.datasets import Column, PointRow
from api_schemas.models import Component, ComponentDetail, NamedFeature
from service import datasets, models
from service.errors import NotFound
from service.paging import page_of
from service.storage import Storage
from service.summaries import TYPICAL
from service.tables import ComponentRow, DatasetRow, ModelRow

SHOWN_VALUES = 1 << 18  # of points, at most: of large images only the first are shown


class Known(NamedTuple):
    """A component of a model and, while their data set is there, where the training points are."""

    model: ModelRow
    row: ComponentRow
    points_sha256: str | None


def page(session: Session, model: ModelRow, after: int, limit: int) -> Page[Component]:
    """Components after number ``after``, in order."""
    query = select(ComponentRow.number, ComponentRow.posterior)
    query = query.where(ComponentRow.model_id == model.id, ComponentRow.number > after)
    found = session.execute(query.order_by(ComponentRow.number).limit(limit + 1)).all()
    items = [Component(**_basics(model, *one)) for one in found[:limit]]
    return page_of(items, len(found) > limit, lambda item: item.component)


def known(session: Session, model: ModelRow, component: int) -> Known:
    """What the database has of a component. Raises NotFound."""
    k = len(model.alpha)
    if not 0 <= component < k:
        raise NotFound("component_not_found", models.no_component(model.id, k, component))
    live = DatasetRow.id == model.provenance["dataset"], datasets.LIVE
    points = session.scalar(select(DatasetRow.points_sha256).where(*live))
    row = session.get(ComponentRow, (model.id, component))
    if row is None:  # its model was deleted since it was looked up
        raise NotFound.of("model", model.id)
    return Known(model, row, points)


def detail(storage: Storage, known: Known, samples: NDArray[Any]) -> ComponentDetail:
    """One component, with points made by it, (n, *shape). Raises StorageUnavailable."""
    model, row, points = known
    return ComponentDetail(
        **_basics(model, row.number, row.posterior),
        features=sorted(_features(model, row), key=lambda feature: -abs(feature.shift)),
        typical=_members(storage, model, points, row.typical[: shown(model, TYPICAL)]),
        samples=datasets.values_of(model.columns, samples),
    )


def shown(model: ModelRow, points: int) -> int:
    """How many of so many points are shown."""
    return max(1, min(points, SHOWN_VALUES // prod(model.shape)))


def _basics(model: ModelRow, component: int, posterior: list[float]) -> dict[str, Any]:
    return {
        "component": component,
        "alpha": model.alpha[component],
        "size": model.sizes[component],
        "posterior": posterior,
    }


def _features(model: ModelRow, row: ComponentRow) -> list[NamedFeature]:
    if not row.features:
        return []
    whole = model.whole or repeat(None, len(row.features))
    return [
        NamedFeature(name=name, whole=spread, **values)
        for name, spread, values in zip(_feature_names(model), whole, row.features, strict=True)
    ]


def _feature_names(model: ModelRow) -> list[str]:
    """What each of a row's D numbers is, those of a category one by one."""
    columns = [Column(**column) for column in model.columns]
    parts = (
        [f"{column.name}={category}" for category in column.categories or ()] or [column.name]
        for column in columns
    )
    return list(chain.from_iterable(parts))


def _members(
    storage: Storage, model: ModelRow, points_sha256: str | None, rows: list[int]
) -> list[PointRow]:
    """Training points, for as long as their data set is there."""
    if points_sha256 is None or not rows:
        return []
    try:
        points = datasets.stored(storage, points_sha256)[rows]
    except FileNotFoundError:  # deleted since it was looked up
        return []
    members = zip(rows, datasets.values_of(model.columns, points), strict=True)
    return [PointRow(row=row, values=values) for row, values in members]
