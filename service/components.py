"""What a model's components look like."""

from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.models import Component, ComponentDetail, Member, NamedFeature
from service.paging import page_of
from service.storage import Storage
from service.tables import ComponentRow, DatasetRow, ModelRow


def page(model: ModelRow, after: int, limit: int) -> Page[Component]:
    """Components after number ``after``, in order."""
    numbers = range(len(model.alpha))[after + 1 :]
    items = [Component(**_basics(model, j)) for j in numbers[:limit]]
    return page_of(items, len(numbers) > limit, lambda item: item.component)


def detail(
    session: Session, storage: Storage, model: ModelRow, component: int, samples: list[Any]
) -> ComponentDetail:
    """One component, with points made by it."""
    row = session.get_one(ComponentRow, (model.id, component))
    named = zip(model.columns, row.features, strict=True) if row.features else ()
    features = [NamedFeature(name=name, **values) for name, values in named]
    return ComponentDetail(
        **_basics(model, component),
        features=sorted(features, key=lambda feature: -abs(feature.shift)),
        typical=_members(session, storage, model, row.typical),
        samples=samples,
    )


def _basics(model: ModelRow, component: int) -> dict[str, Any]:
    return {
        "component": component,
        "alpha": model.alpha[component],
        "size": model.sizes[component],
    }


def _members(session: Session, storage: Storage, model: ModelRow, rows: list[int]) -> list[Member]:
    """Training points, for as long as their data set is there."""
    dataset = session.get(DatasetRow, model.provenance["dataset"]) if rows else None
    if dataset is None:
        return [Member(row=row, point=None) for row in rows]
    points = np.load(storage.path(dataset.points_sha256), mmap_mode="r")
    return [Member(row=row, point=points[row].tolist()) for row in rows]
