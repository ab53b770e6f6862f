"""The area tree: added from the root down, changed one at a time, read by branch."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app.db import rows_hit
from app.errors import EditConflict, InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import Area, Staff, Survey, SurveyState

MOST_LEVELS = 8
MOST_PEOPLE = 2_000_000_000
LONGEST_NAME, LONGEST_STRATUM = 100, 50
# In a table "乡镇/村" names a village where the name of the village alone names several.
STEP = "/"


@dataclass(frozen=True, slots=True)
class AreaPlan:
    """What an area shall be called and counted as, as it was typed; empty where not known."""

    name: str
    population: str = ""
    stratum: str = ""


def within(branch: Area) -> ColumnElement[bool]:
    """Return the condition that an area lies in this branch: the bound of every scoped query."""
    return Area.path.startswith(branch.path)


# ---------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------


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
    return in_tree_order(session.scalars(select(Area).where(within(root))).all())


def load_open(session: Session, root: Area) -> Sequence[Area]:
    """Return what of a branch is not closed, parents before children."""
    query = select(Area).where(within(root), Area.is_closed.is_(False))
    return in_tree_order(session.scalars(query).all())


def load_all(session: Session) -> Sequence[Area]:
    """Return every area, parents before children."""
    return in_tree_order(session.scalars(select(Area)).all())


def in_tree_order(found: Sequence[Area]) -> Sequence[Area]:
    """Return areas in the order of the tree, parents before children."""
    # Not in the database: as text, "10/" stands before "9/", and collations differ.
    return sorted(found, key=lambda area: [int(step) for step in area.path.split("/")[:-1]])


def children_of(session: Session, area: Area) -> Sequence[Area]:
    """Return the areas directly below this one, in order of id."""
    return session.scalars(select(Area).where(Area.parent_id == area.id).order_by(Area.id)).all()


def load_above(session: Session, area: Area, branch: Area) -> Sequence[Area]:
    """Return the areas from the top of this branch down to the parent of this area."""
    steps = [int(step) for step in area.path.split(STEP)[:-2]]
    query = select(Area).where(Area.id.in_(steps), within(branch))
    return in_tree_order(session.scalars(query).all())


def names_from(branch: Sequence[Area]) -> dict[int, str]:
    """Return by id how to get to each area from the top of a branch, which comes first."""
    names: dict[int, str] = {}
    for area in branch:
        above = names.get(area.parent_id or 0)
        names[area.id] = area.name if above is None else f"{above} › {area.name}"
    return names


# ---------------------------------------------------------------------------------------------
# What may be typed
# ---------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Return a name as it is stored: with single blanks."""
    return " ".join(text.split())


def name_fault(name: str) -> Sentence | None:
    """Say what is wrong with an area's name, if something is."""
    if not name:
        return _("请填写片区名称。")
    if len(name) > LONGEST_NAME:
        return _("太长，最多 %(most)s 个字。", most=LONGEST_NAME)
    return _("名称里不能有“/”。") if STEP in name else None


def stratum_fault(stratum: str) -> Sentence | None:
    """Say what is wrong with the name of a stratum, if something is."""
    if len(stratum) > LONGEST_STRATUM:
        return _("太长，最多 %(most)s 个字。", most=LONGEST_STRATUM)
    return None


def read_population(typed: str) -> int | Sentence | None:
    """Return how many residents were typed, nothing for an empty field, or what is wrong."""
    count = unicodedata.normalize("NFKC", typed.strip()).replace(",", "")
    if not count:
        return None
    is_count = count.isascii() and count.isdigit() and len(count) <= 12
    if not is_count or int(count) > MOST_PEOPLE:
        return _("要填整数，单位是人，例如 12345。")
    return int(count)


# ---------------------------------------------------------------------------------------------
# Changing
# ---------------------------------------------------------------------------------------------


def lock_tree(session: Session, branch: Area | None) -> None:
    """Make others who change the tree of this branch, or any tree, wait; read areas after it."""
    roots = select(Area.id).where(Area.parent_id.is_(None)).order_by(Area.id)
    if branch is not None:
        roots = roots.where(Area.id == int(branch.path.partition("/")[0]))
    # Residents' answers refer to areas and must not wait: this lock leaves them alone.
    session.execute(roots.with_for_update(key_share=True)).all()


def find_area_to_change(session: Session, area_id: int, branch: Area) -> Area:
    """Return one area of this branch; others who change the tree wait. Raises `NotFound`."""
    lock_tree(session, branch)
    return find_area(session, area_id, branch)


def add_area(session: Session, name: str, parent: Area | None = None) -> Area:
    """Add one area below its parent, or a root."""
    # The path holds the area's own id, which the database only gives on insert.
    area = Area(name=name, parent_id=parent.id if parent else None, path=f"new/{name}")
    session.add(area)
    session.flush()
    area.path = f"{parent.path if parent else ''}{area.id}/"
    session.flush()
    return area


def add_below(session: Session, parent: Area, plan: AreaPlan) -> Area:
    """Add one area below this one, checked. Raises `InvalidInput`, or `Problem` if it is closed."""
    if parent.is_closed:
        raise Problem(_("这个片区已停用，请先恢复使用。"))
    if _depth(parent) >= MOST_LEVELS:
        raise Problem(_("层级太多，最多 %(most)s 级。", most=MOST_LEVELS))
    population, faults = _check(session, plan, parent.id, None)
    if faults:
        raise InvalidInput(faults)
    area = add_area(session, plain(plan.name), parent)
    area.population, area.stratum = population, plain(plan.stratum) or None
    session.flush()
    return area


def change_area(session: Session, area: Area, plan: AreaPlan, seen: int) -> None:
    """Give an area another name, population and stratum; `seen` is the version that was changed.

    Raises `EditConflict` when it has another version by now, and `InvalidInput`.
    """
    _ensure_seen(area, seen)
    population, faults = _check(session, plan, area.parent_id, area)
    if faults:
        raise InvalidInput(faults)
    area.name, area.population = plain(plan.name), population
    area.stratum = plain(plan.stratum) or None
    area.version += 1
    session.flush()


def move_area(session: Session, area: Area, parent: Area, seen: int) -> None:
    """Put an area with everything below it under another parent.

    Raises `EditConflict` when it has another version than `seen` by now, and `InvalidInput`.
    """
    _ensure_seen(area, seen)
    if fault := _move_fault(session, area, parent):
        raise InvalidInput({"parent": fault})
    below = update(Area).where(within(area), Area.id != area.id)
    path = f"{parent.path}{area.id}/"
    moved = below.values(path=path + func.substr(Area.path, len(area.path) + 1))
    session.execute(moved, execution_options={"synchronize_session": False})
    area.parent_id, area.path = parent.id, path
    area.version += 1
    session.flush()


def close_area(session: Session, area: Area) -> int:
    """Close an area and everything below it; return how many were closed.

    Nothing is deleted, and what runs there goes on. Raises `Problem` while accounts or surveys
    that are not over would be left without a place.
    """
    staff = select(func.count()).select_from(Staff).join(Staff.area)
    accounts = session.scalar(staff.where(within(area), Staff.is_closed.is_(False)))
    asked = select(func.count()).select_from(Survey).join(Survey.area)
    surveys = session.scalar(asked.where(within(area), Survey.state != SurveyState.CLOSED))
    if accounts or surveys:
        raise Problem(
            _(
                "这里还有 %(accounts)s 个在用的账号、%(surveys)s 次没有结束的调查，先处理再停用。",
                accounts=accounts,
                surveys=surveys,
            )
        )
    changing = update(Area).where(within(area), Area.is_closed.is_(False))
    closed = rows_hit(session, changing.values(is_closed=True, version=Area.version + 1))
    if not closed:
        raise Problem(_("这个片区已经停用了。"))
    return closed


def reopen_area(session: Session, area: Area) -> None:
    """Take a closed area into use again, without those below it.

    Raises `Problem` when it is open, or lies in one that is closed.
    """
    if not area.is_closed:
        raise Problem(_("这个片区没有停用。"))
    if area.parent_id is not None and session.get_one(Area, area.parent_id).is_closed:
        raise Problem(_("上级片区已停用，请先恢复上级片区。"))
    area.is_closed = False
    area.version += 1
    session.flush()


def _ensure_seen(area: Area, seen: int) -> None:
    if area.version != seen:
        raise EditConflict


def _check(
    session: Session, plan: AreaPlan, parent_id: int | None, area: Area | None
) -> tuple[int | None, dict[str, Sentence]]:
    """Return the population as a number, and what is wrong with a plan."""
    faults: dict[str, Sentence] = {}
    name = plain(plan.name)
    if fault := name_fault(name):
        faults["name"] = fault
    elif _has_twin(session, name, parent_id, area):
        faults["name"] = _("这个上级片区下面已经有同名的片区。")
    population = read_population(plan.population)
    if not (population is None or isinstance(population, int)):
        faults["population"], population = population, None
    if fault := stratum_fault(plain(plan.stratum)):
        faults["stratum"] = fault
    return population, faults


def _has_twin(session: Session, name: str, parent_id: int | None, area: Area | None) -> bool:
    query = select(Area.id).where(Area.parent_id == parent_id, Area.name == name)
    if area is not None:
        query = query.where(Area.id != area.id)
    return session.scalar(query.limit(1)) is not None


def _move_fault(session: Session, area: Area, parent: Area) -> Sentence | None:
    if parent.path.startswith(area.path):
        return _("不能移到自己或自己的下级下面。")
    if parent.id == area.parent_id:
        return _("已经在这个上级片区下面。")
    if parent.is_closed:
        return _("这个片区已停用，请先恢复使用。")
    if _has_twin(session, area.name, parent.id, area):
        return _("这个上级片区下面已经有同名的片区。")
    paths = session.scalars(select(Area.path).where(within(area))).all()
    height = max(path.count(STEP) for path in paths) - _depth(area) + 1
    if _depth(parent) + height > MOST_LEVELS:
        return _("层级太多，最多 %(most)s 级。", most=MOST_LEVELS)
    return None


def _depth(area: Area) -> int:
    return area.path.count(STEP)
