"""The area tree from a table: every row checked before the first is stored."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import String, cast, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from app.errors import Sentence, TableRefused
from app.errors import say as _
from app.models import Area
from app.services.areas import (
    MOST_LEVELS,
    STEP,
    load_all,
    load_branch,
    lock_tree,
    name_fault,
    plain,
    read_population,
    stratum_fault,
    within,
)
from app.spreadsheets.reading import Column, Row, row_fault

PARENT, NAME, POPULATION, STRATUM = "上级片区", "片区", "人口", "分层"
COLUMNS = (
    Column(PARENT),
    Column(NAME),
    Column(POPULATION, is_required=False),
    Column(STRATUM, is_required=False),
)


@dataclass(slots=True)
class Place:
    """An area as the table has it; `area` is the stored one, if there is one.

    `names` lead from the root, or from the branch that the table is read for, down to it.
    """

    names: tuple[str, ...]
    depth: int
    parent: "Place | None" = None
    area: Area | None = None
    id: int | None = None
    row: int | None = None
    population: int | None = None
    stratum: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """What a table would do: areas to add, parents first; areas to change; how many stay."""

    added: tuple[Place, ...]
    changed: tuple[Place, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table with its plan, good as long as the tree is in this state."""

    rows: tuple[Row, ...]
    plan: Import
    state: tuple[int, ...]


@dataclass(slots=True)
class _Tree:
    """The places known so far, by name and below their parents."""

    by_name: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    below: dict[tuple[int | None, str], Place] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        self.by_name[place.names[-1]].append(place)
        self.below.setdefault((_id(place.parent), place.names[-1]), place)

    def named(self, reference: str) -> list[Place]:
        steps = _steps(reference)
        known = self.by_name.get(steps[-1], [])
        return [place for place in known if place.names[-len(steps) :] == steps]


def _id(place: Place | None) -> int | None:
    return None if place is None else id(place)


def _steps(reference: str) -> tuple[str, ...]:
    return tuple(plain(step) for step in reference.split(STEP))


def plan_import(session: Session, rows: Sequence[Row], branch: Area | None) -> Import:
    """Say what a table would add and change in a branch, or in the whole tree.

    An area is the same if its name and its parent are; then a population or stratum that the
    table gives replaces the stored one, and an empty cell leaves it. Rows come in any order.

    Raises `TableRefused` with every fault of every row.
    """
    tree = _known_tree(load_all(session) if branch is None else load_branch(session, branch))
    faults: dict[int, list[Sentence]] = defaultdict(list)
    placed = _place_rows(rows, tree, branch, faults)
    for row, place in placed:
        _read_facts(row, place, faults)
    if faults:
        raise TableRefused(sentence for row in rows for sentence in faults.get(row.number, ()))
    places = [place for _row, place in placed]
    return Import(
        added=tuple(place for place in places if place.area is None),
        changed=tuple(place for place in places if _is_change(place)),
        unchanged=sum(place.area is not None and not _is_change(place) for place in places),
    )


def prepare(session: Session, rows: Sequence[Row], branch: Area | None) -> Prepared:
    """Plan an import before the transaction that stores it: on SQLite all others wait in there.

    Raises `TableRefused` with every fault of every row.
    """
    state = _state(session, branch)
    return Prepared(tuple(rows), plan_import(session, rows, branch), state)


def import_areas(session: Session, prepared: Prepared, branch: Area | None) -> Import:
    """Add and change what a table says. Raises `TableRefused`; then nothing is stored.

    Whoever imports into the same tree at the same moment waits, and then finds these areas: the
    plan is made anew if the tree is not as it was.
    """
    lock_tree(session, branch)
    plan = prepared.plan
    if _state(session, branch) != prepared.state:
        plan = plan_import(session, prepared.rows, branch)
    if plan.changed:
        session.execute(update(Area), [_changed(place) for place in plan.changed])
    for depth in sorted({place.depth for place in plan.added}):
        _add_level(session, [place for place in plan.added if place.depth == depth])
    return plan


def by_root(session: Session, done: Import) -> list[tuple[Area, int, int]]:
    """Return each tree that an import reached, with how many areas it added and changed there."""
    added = Counter(_root(place) for place in done.added)
    changed = Counter(_root(place) for place in done.changed)
    roots = {**added, **changed}
    return [(session.get_one(Area, root), added[root], changed[root]) for root in roots]


def _root(place: Place) -> int:
    return _root(place.parent) if place.parent else _stored(place)


def _state(session: Session, branch: Area | None) -> tuple[int, ...]:
    """Return figures that differ after every change of these areas: none comes without one."""
    figures = func.count(), func.max(Area.id), func.sum(Area.id), func.sum(Area.version)
    query = select(*figures)
    if branch is not None:
        query = query.where(within(branch))
    return tuple(figure or 0 for figure in session.execute(query).one())


def _changed(place: Place) -> dict[str, object]:
    area = place.area
    assert area is not None  # noqa: S101 - for the type checker: what changes is stored
    return {
        "id": area.id,
        "population": area.population if place.population is None else place.population,
        "stratum": area.stratum if place.stratum is None else place.stratum,
        "version": area.version + 1,
    }


def _add_level(session: Session, level: Sequence[Place]) -> None:
    # Not area by area: thousands of round trips would hold SQLite's one writer for seconds, and
    # residents' answers with it. The path holds the area's own id, which the insert gives.
    mark = f"new/{uuid.uuid4()}/"
    rows = [
        {
            "name": place.names[-1],
            "parent_id": _stored(place.parent) if place.parent else None,
            "path": f"{mark}{number}",
            "population": place.population,
            "stratum": place.stratum,
        }
        for number, place in enumerate(level)
    ]
    made = insert(Area).returning(Area.path, Area.id)
    ids = {path: number for path, number in session.execute(made, rows)}  # noqa: C416 - rows, not pairs
    for row, place in zip(rows, level, strict=True):
        place.id = ids[str(row["path"])]
    above = aliased(Area)
    upwards = select(above.path).where(above.id == Area.parent_id).scalar_subquery()
    path = func.coalesce(upwards, "") + cast(Area.id, String) + STEP
    done = update(Area).where(Area.path.startswith(mark)).values(path=path)
    session.execute(done, execution_options={"synchronize_session": False})


def _stored(place: Place) -> int:
    if place.id is None:
        raise LookupError(f"{place.names} is not stored yet")
    return place.id


def _known_tree(known: Sequence[Area]) -> _Tree:
    tree, by_id = _Tree(), dict[int, Place]()
    for area in known:
        parent = by_id.get(area.parent_id or 0)
        names = (*(parent.names if parent else ()), area.name)
        place = Place(names, area.path.count(STEP), parent, area, area.id)
        by_id[area.id] = place
        tree.add(place)
    return tree


def _place_rows(
    rows: Sequence[Row], tree: _Tree, branch: Area | None, faults: dict[int, list[Sentence]]
) -> list[tuple[Row, Place]]:
    """Find each row's place, level by level: a row waits while its parent may yet come."""
    placed: list[tuple[Row, Place]] = []
    waiting = [row for row in rows if _has_name(row, faults)]
    for _level in range(MOST_LEVELS):
        names = Counter(plain(row.cells[NAME]) for row in waiting)
        ready = [row for row in waiting if not _waits(row, names)]
        for row in ready:
            place = _place(row, tree, branch, faults)
            if place.row is not None:
                what = _("与第 %(row)s 行重复。", row=place.row)
                faults[row.number].append(row_fault(row.number, NAME, what))
                continue
            place.row = row.number
            placed.append((row, place))
        waiting = [row for row in waiting if _waits(row, names)]
    for row in waiting:
        what = _("上级片区互相绕成了圈，或超过 %(most)s 级。", most=MOST_LEVELS)
        faults[row.number].append(row_fault(row.number, PARENT, what))
    return placed


def _waits(row: Row, names: Counter[str]) -> bool:
    above = _steps(row.cells[PARENT])[-1]
    return names[above] > (above == plain(row.cells[NAME]))


def _has_name(row: Row, faults: dict[int, list[Sentence]]) -> bool:
    name = plain(row.cells[NAME])
    if what := name_fault(name):
        faults[row.number].append(row_fault(row.number, NAME, what))
    return bool(name)


def _place(row: Row, tree: _Tree, branch: Area | None, faults: dict[int, list[Sentence]]) -> Place:
    """Return the place that a row names, adding it to the tree if it is new."""
    name, reference = plain(row.cells[NAME]), plain(row.cells[PARENT])
    if not reference and branch is not None and name == branch.name:
        return next(place for place in tree.by_name[name] if place.parent is None)
    parent, what = None, None
    if reference:
        found = tree.named(reference)
        parent = found[0] if found else None
        what = _parent_fault(found, reference)
    elif branch is not None:
        what = _("请填写上级片区，它要在您管辖的片区里。")
    known = tree.below.get((_id(parent), name)) if what is None else None
    if known is not None:
        return known
    above = parent if what is None else None
    place = Place((*(above.names if above else ()), name), above.depth + 1 if above else 1, above)
    if place.depth > MOST_LEVELS:
        what = _("层级太多，最多 %(most)s 级。", most=MOST_LEVELS)
    if what is not None:
        faults[row.number].append(row_fault(row.number, PARENT, what))
    # Also a row with a fault is known from here on: the rows below it are not to blame.
    tree.add(place)
    return place


def _parent_fault(found: Sequence[Place], reference: str) -> Sentence | None:
    if not found:
        return _("您管辖的片区里和本表里都没有“%(name)s”。", name=reference)
    if len(found) > 1:
        some = "、".join(STEP.join(place.names) for place in found[:3])
        return _(
            "有 %(count)s 个，请写成“上级/片区”，例如：%(some)s。", count=len(found), some=some
        )
    if found[0].area is not None and found[0].area.is_closed:
        return _("“%(name)s”已停用，请先恢复使用。", name=reference)
    return None


def _read_facts(row: Row, place: Place, faults: dict[int, list[Sentence]]) -> None:
    """Put the row's population and stratum into its place, or say what is wrong with them."""
    people = read_population(row.cells.get(POPULATION, ""))
    stratum = plain(row.cells.get(STRATUM, ""))
    if people is None or isinstance(people, int):
        place.population = people
    else:
        faults[row.number].append(row_fault(row.number, POPULATION, people))
    if what := stratum_fault(stratum):
        faults[row.number].append(row_fault(row.number, STRATUM, what))
    else:
        place.stratum = stratum or None


def _is_change(place: Place) -> bool:
    if place.area is None:
        return False
    return place.population not in {None, place.area.population} or place.stratum not in {
        None,
        place.area.stratum,
    }
