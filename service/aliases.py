"""Aliases: movable names for models.

``default`` names the model that was trained last, until someone points it at one of their choice;
from then on it stays there. Dropped, it follows the newest again.

Names are everyone's own, admins' too: another's may be the same. Those of before there were keys
are all admins', unless one has the same name.
"""

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from api_schemas.common import Page
from api_schemas.models import Alias
from service.errors import NotFound
from service.ownership import caller_of
from service.paging import page_of
from service.tables import AliasRow


def pin(session: Session, name: str, model_id: str) -> bool:
    """Point a name at a model, for good; True when the name is new."""
    return _point(session, name, model_id, pinned=True)


def follow(session: Session, name: str, model_id: str) -> None:
    """Point a name at the newest model, unless someone has pinned it."""
    _point(session, name, model_id, AliasRow.pinned.is_(False), pinned=False)


def get(session: Session, name: str) -> AliasRow:
    """Raises NotFound."""
    alias = find(session, name)
    if alias is None:
        raise NotFound.of("alias", name)
    return alias


def find(session: Session, name: str) -> AliasRow | None:
    """What the caller means by a name, if anything."""
    return session.scalar(select(AliasRow).where(*_named(session, name)))


def drop(session: Session, name: str) -> None:
    """Raises NotFound."""
    gone = delete(AliasRow).where(*_named(session, name)).returning(AliasRow.name)
    if session.scalar(gone) is None:
        raise NotFound.of("alias", name)


def page(session: Session, after: str | None, limit: int) -> Page[Alias]:
    """Aliases by name."""
    query = select(AliasRow).where(_is_meant(session)).order_by(AliasRow.name).limit(limit + 1)
    if after is not None:
        query = query.where(AliasRow.name > after)
    rows = session.scalars(query).all()
    return page_of([view(row) for row in rows[:limit]], len(rows) > limit, lambda item: item.id)


def view(alias: AliasRow) -> Alias:
    """An alias as the API shows it."""
    return Alias(
        id=alias.name,
        created_at=alias.created_at,
        updated_at=alias.updated_at,
        model=alias.model_id,
        pinned=alias.pinned,
    )


def _point(
    session: Session, name: str, model_id: str, *conditions: ColumnElement[bool], pinned: bool
) -> bool:
    move = update(AliasRow).where(*_named(session, name), *conditions)
    move = move.values(model_id=model_id, pinned=pinned)
    if session.scalar(move.returning(AliasRow.name)):
        return False
    try:
        with session.begin_nested():
            session.add(AliasRow(name=name, model_id=model_id, pinned=pinned))
    except IntegrityError:  # pinned, or made by another transaction in this moment
        session.execute(move)
        return False
    return True


def _named(session: Session, name: str) -> tuple[ColumnElement[bool], ...]:
    return AliasRow.name == name, _is_meant(session)


def _is_meant(session: Session) -> ColumnElement[bool]:
    """Of several with one name, that of the first whose names the caller uses."""
    first, *others = caller_of(session).name_owners
    if not others:
        return AliasRow.owner == first
    same = aliased(AliasRow)
    own = select(same.name).where(same.owner == first, same.name == AliasRow.name)
    return (AliasRow.owner == first) | (AliasRow.owner.in_(others) & ~own.exists())
