"""Lists: pages of at most 100, continued with ``after``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_schemas.common import PAGE_LIMIT, Page
from service import ids

Item = TypeVar("Item", bound=BaseModel)

AfterRow = Annotated[int, Query(ge=-1, lt=2**62, description="last_id of the page before")]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT)]


def after_id(prefix: str) -> Any:
    """The query parameter that continues a list of objects with such ids. The object it names may
    be gone by then: it is a place in time."""
    text = "last_id of the page before, which may have been deleted since"
    return Query(pattern=ids.pattern(prefix), description=text)


def newest_first(
    session: Session,
    query: Select[Any],
    key: InstrumentedAttribute[str],
    after: str | None,
    limit: int,
    view: Callable[[Any], Item],
) -> Page[Item]:
    """A page of rows, newest first; ids are time-ordered."""
    if after is not None:
        query = query.where(key < after)
    rows = session.scalars(query.order_by(key.desc()).limit(limit + 1)).all()
    return page_of([view(row) for row in rows[:limit]], len(rows) > limit, lambda item: item.id)


def matching(query: Select[Any], wanted: Mapping[InstrumentedAttribute[Any], Any]) -> Select[Any]:
    """The rows whose columns have these values; None stands for any."""
    given = ((column, value) for column, value in wanted.items() if value is not None)
    return query.where(*(column == value for column, value in given))


def page_of(items: Sequence[Item], has_more: bool, id_of: Callable[[Any], object]) -> Page[Item]:
    """The items as one page."""
    return Page(
        data=list(items),
        first_id=str(id_of(items[0])) if items else None,
        last_id=str(id_of(items[-1])) if items else None,
        has_more=has_more,
    )
