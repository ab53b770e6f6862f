"""The area tree: added from the root down, read by branch."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import Area


def within(branch: Area) -> ColumnElement[bool]:
    """Return the condition that an area lies in this branch: the bound of every scoped query."""
    return Area.path.startswith(branch.path)


def add_area(session: Session, name: str, parent: Area | None = None) -> Area:
    """Add one area below its parent, or a root."""
    # The path holds the area's own id, which the database only gives on insert.
    area = Area(name=name, parent_id=parent.id if parent else None, path=f"new/{name}")
    session.add(area)
    session.flush()
    area.path = f"{parent.path if parent else ''}{area.id}/"
    session.flush()
    return area


def find_area(session: Session, area_id: int, branch: Area | None = None) -> Area:
    """Return one area, inside this branch if given. Raises `NotFound`."""
    query = select(Area).where(Area.id == area_id)
    if branch is not None:
        query = query.where(within(branch))
    area = session.scalar(query)
    if area is None:
        raise NotFound
    return area


def find_area_by_name(session: Session, name: str) -> Area:
    """Return the area with exactly this name. Raises `NotFound` when it is not exactly one."""
    found = session.scalars(select(Area).where(Area.name == name)).all()
    if len(found) != 1:
        raise NotFound
    return found[0]


def load_branch(session: Session, root: Area) -> Sequence[Area]:
    """Return an area and everything below it, parents before children."""
    return _in_tree_order(session.scalars(select(Area).where(within(root))).all())


def load_common(session: Session, one: Area, other: Area) -> Sequence[Area]:
    """Return the areas that lie in both branches, parents before children."""
    query = select(Area).where(within(one), within(other))
    return _in_tree_order(session.scalars(query).all())


def load_all(session: Session) -> Sequence[Area]:
    """Return every area, parents before children."""
    return _in_tree_order(session.scalars(select(Area)).all())


def _in_tree_order(found: Sequence[Area]) -> Sequence[Area]:
    # Not in the database: as text, "10/" stands before "9/", and collations differ.
    return sorted(found, key=lambda area: [int(step) for step in area.path.split("/")[:-1]])


def children_of(session: Session, area: Area) -> Sequence[Area]:
    """Return the areas directly below this one, in order of id."""
    return session.scalars(select(Area).where(Area.parent_id == area.id).order_by(Area.id)).all()
