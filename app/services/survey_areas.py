"""The areas of a survey: in draft the tree of today, from its opening on as it was then.

Where something is counted is asked of the survey's own tree, which no later change moves. Who may
see it is asked of the tree of today, because that says who is in charge there now
(docs/decisions/0024-areas-of-a-survey.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, insert, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.errors import NotFound, Problem
from app.errors import say as _
from app.models import Area, Survey, SurveyArea, SurveyState
from app.services.areas import STEP, load_branch, load_open, within


@dataclass(frozen=True, slots=True)
class Place:
    """An area as a survey knows it; `path` leads from the root of all areas down to it."""

    id: int
    path: str
    name: str
    population: int | None
    stratum: str | None

    @property
    def parent_id(self) -> int | None:
        """The area above; None for the root of all areas."""
        steps = self.path.split(STEP)
        return int(steps[-3]) if len(steps) > 2 else None


@dataclass(frozen=True, slots=True)
class Tree:
    """Every area of a survey by id, parents before children; `root` is the survey's own."""

    root: Place
    places: Mapping[int, Place]

    @property
    def towns(self) -> tuple[Place, ...]:
        """Return the areas directly below the survey's own, in order of id."""
        below = self.root.path.count(STEP) + 1
        return tuple(each for each in self.places.values() if each.path.count(STEP) == below)

    def town_of(self, area_id: int) -> int:
        """Return in which town an area lies; what lies in none counts for the survey's own area."""
        place = self.places.get(area_id)
        if place is None or place.id == self.root.id:
            return self.root.id
        return int(place.path.removeprefix(self.root.path).partition(STEP)[0])

    def is_below(self, area_id: int, above_id: int) -> bool:
        """Say whether an area is this other one or lies below it."""
        place, above = self.places.get(area_id), self.places.get(above_id)
        if place is None or above is None:
            return area_id == above_id
        return place.path.startswith(above.path)


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of a survey's tree and the area that it is today, in another place or otherwise."""

    place: Place
    today: Area
    is_moved: bool


def tree_of(session: Session, survey: Survey) -> Tree:
    """Return the areas of a survey: as they were when it was opened, and in draft as they are."""
    columns = SurveyArea.area_id, SurveyArea.path, SurveyArea.name
    counted = SurveyArea.population, SurveyArea.stratum
    rows = session.execute(select(*columns, *counted).where(SurveyArea.survey_id == survey.id))
    places = [Place(*row) for row in rows] or [
        _place(area)
        for area in load_branch(session, survey.area)
        if not area.is_closed or area.id == survey.area_id
    ]
    by_id = {place.id: place for place in sorted(places, key=_steps)}
    return Tree(by_id[survey.area_id], by_id)


def tree_of_today(session: Session, survey: Survey) -> Tree:
    """Return the areas of a survey where they lay, with the people and strata of today.

    For what is planned or weighted now: what is made from it keeps the figures that it was made
    with, so that no later count changes a rate.
    """
    tree = tree_of(session, survey)
    found = session.scalars(select(Area).where(Area.id.in_(tree.places)))
    today = {area.id: area for area in found}
    places = {
        each.id: replace(each, population=today[each.id].population, stratum=today[each.id].stratum)
        for each in tree.places.values()
    }
    return Tree(places[tree.root.id], places)


def freeze(session: Session, survey: Survey) -> None:
    """Write down the areas of a survey that is being opened; closed ones are left out."""
    root, columns = aliased(Area), ("area_id", "path", "name", "population", "stratum")
    # One statement, so that a move at the same moment is seen whole or not at all.
    found = (
        select(literal(survey.id), Area.id, Area.path, Area.name, Area.population, Area.stratum)
        .join(root, Area.path.startswith(root.path))
        .where(root.id == survey.area_id)
        .where(or_(Area.is_closed.is_(False), Area.id == survey.area_id))
    )
    session.execute(insert(SurveyArea).from_select(["survey_id", *columns], found))


def load_new(session: Session, survey: Survey) -> list[Place]:
    """Return the areas that a survey does not know and could take in, parents before children.

    They are below its area today; their paths are those that they would have in its tree.
    """
    tree = tree_of(session, survey)
    paths = {place.id: place.path for place in tree.places.values()}
    found = []
    for area in load_open(session, survey.area):
        above = paths.get(area.parent_id or 0)
        if area.id not in paths and above is not None:
            paths[area.id] = f"{above}{area.id}{STEP}"
            found.append(Place(area.id, paths[area.id], area.name, area.population, area.stratum))
    return found


def take_in(session: Session, survey: Survey) -> Sequence[Place]:
    """Add to an open survey's tree the areas that came since; nothing that is in it changes.

    Raises `Problem` when the survey is in draft or ended, or there is nothing to add.
    """
    # Whoever ends the survey or does the same at this moment waits.
    session.refresh(survey, ["state"], with_for_update={"key_share": True})
    if survey.state not in {SurveyState.OPEN, SurveyState.PAUSED}:
        raise Problem(_("调查开放以后、结束以前才能更新片区名录。"))
    found = load_new(session, survey)
    if not found:
        raise Problem(_("没有新的片区，名录不用更新。"))
    rows = [
        {
            "survey_id": survey.id,
            "area_id": place.id,
            "path": place.path,
            "name": place.name,
            "population": place.population,
            "stratum": place.stratum,
        }
        for place in found
    ]
    session.execute(insert(SurveyArea), rows)
    return found


def load_differences(session: Session, survey: Survey) -> list[Difference]:
    """Return what became otherwise with the areas of a survey since it was opened."""
    tree = tree_of(session, survey)
    query = select(Area).join(SurveyArea, SurveyArea.area_id == Area.id)
    areas = session.scalars(query.where(SurveyArea.survey_id == survey.id))
    today = {area.id: area for area in areas}
    found = []
    for place in tree.places.values():
        area = today.get(place.id)
        if area is None:
            continue
        steps = place.path.split(STEP)
        is_moved = place.id != tree.root.id and str(area.parent_id) != steps[-3]
        if is_moved or area.is_closed or _facts(area) != _facts(place):
            found.append(Difference(place, area, is_moved))
    return found


# ---------------------------------------------------------------------------------------------
# Who may see what of a survey
# ---------------------------------------------------------------------------------------------


def in_reach(survey_id: InstrumentedAttribute[int], branch: Area) -> ColumnElement[bool]:
    """Return the condition that an area of a survey is a person's business, by today's tree.

    It lies in this branch, or the survey as a whole does: whoever holds a survey holds all of it,
    also what was moved away since it was opened.
    """
    whole, held = aliased(Area), aliased(Survey)
    surveys = select(held.id).join(whole, whole.id == held.area_id)
    return within(branch) | survey_id.in_(surveys.where(whole.path.startswith(branch.path)))


def load_places(session: Session, survey: Survey, branch: Area) -> list[Place]:
    """Return the areas of a survey that are the business of this branch, parents first."""
    tree = tree_of(session, survey)
    if survey.area.path.startswith(branch.path):
        return list(tree.places.values())
    mine = set(session.scalars(select(Area.id).where(within(branch))))
    return [place for place in tree.places.values() if place.id in mine]


def find_area_of(session: Session, survey: Survey, area_id: int, branch: Area) -> Area:
    """Return one area of a survey that is the business of this branch. Raises `NotFound`."""
    if all(place.id != area_id for place in load_places(session, survey, branch)):
        raise NotFound
    return session.get_one(Area, area_id)


def _place(area: Area) -> Place:
    return Place(area.id, area.path, area.name, area.population, area.stratum)


def _facts(one: Area | Place) -> tuple[str, int | None, str | None]:
    return one.name, one.population, one.stratum


def _steps(place: Place) -> list[int]:
    return [int(step) for step in place.path.split(STEP)[:-1]]
