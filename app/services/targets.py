"""How many answer sheets are wanted from where, and how far it has come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from app.errors import InvalidInput, Sentence
from app.errors import say as _
from app.formats import BEIJING, date_of
from app.models import Area, Channel, Origin, Submission, Survey, Target
from app.services.inclusion import is_counted, load_inclusion
from app.services.survey_areas import Tree, in_reach, tree_of

LARGEST_TARGET = 1_000_000
_INSERT: dict[str, Callable[..., sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """One target, and how far it has come; `today` is its share of this day.

    The share is what was missing this morning, spread evenly over the days until the end.
    """

    target: Target
    done: int
    done_today: int
    today: int


@dataclass(frozen=True, slots=True)
class _Count:
    """How many answer sheets came from one area by one channel, and how many of them today."""

    area_id: int
    channel: Channel
    done: int
    today: int


def set_target(
    session: Session, survey: Survey, area: Area, channel: Channel, number: int
) -> int | None:
    """Set how many answer sheets are wanted; 0 takes the target away. Return the one before.

    Raises `InvalidInput`.
    """
    faults: dict[str, Sentence] = {}
    if not 0 <= number <= LARGEST_TARGET:
        faults["number"] = _("目标应在 0 到 %(most)s 之间。", most=LARGEST_TARGET)
    if area.id not in tree_of(session, survey).places:
        faults["area"] = _("这个片区不在本次调查的范围内。")
    if faults:
        raise InvalidInput(faults)
    key = {"survey_id": survey.id, "area_id": area.id, "channel": channel}
    before = session.scalar(select(Target.number).filter_by(**key))
    if number == 0:
        session.execute(delete(Target).filter_by(**key))
        return before
    insert = _INSERT[session.get_bind().dialect.name](Target).values(number=number, **key)
    session.execute(insert.on_conflict_do_update(index_elements=list(key), set_={"number": number}))
    return before


def load_progress(
    session: Session, survey: Survey, branch: Area, now: datetime
) -> Sequence[Progress]:
    """Return every target of a survey in this branch, and how far it has come."""
    targets = session.scalars(
        select(Target)
        .join(Target.area)
        .where(Target.survey_id == survey.id, in_reach(Target.survey_id, branch))
        .options(joinedload(Target.area))
        .order_by(Target.area_id, Target.channel)
    ).all()
    if not targets:
        return []
    today = date_of(now)
    tree, counts = tree_of(session, survey), _counts(session, survey, today)
    place_of = {area_id: number for number, area_id in enumerate(tree.places)}
    in_order = sorted(targets, key=lambda target: place_of.get(target.area_id, len(place_of)))
    return [_progress(survey, target, tree, counts, today) for target in in_order]


def _counts(session: Session, survey: Survey, today: date) -> Sequence[_Count]:
    """Count what came in, by area and channel, in all and since this morning."""
    this_morning = datetime.combine(today, time(), BEIJING)
    is_today = case((Submission.received_hour >= this_morning, 1), else_=0)
    query = (
        select(Submission.area_id, Submission.channel, func.count(), func.sum(is_today))
        .where(
            Submission.survey_id == survey.id,
            is_counted(load_inclusion(session, survey.id)),
            Submission.origin == Origin.COLLECTED,
        )
        .group_by(Submission.area_id, Submission.channel)
    )
    return [_Count(*row) for row in session.execute(query)]


def _progress(
    survey: Survey, target: Target, tree: Tree, counts: Sequence[_Count], today: date
) -> Progress:
    mine = [
        count
        for count in counts
        if count.channel is target.channel and tree.is_below(count.area_id, target.area_id)
    ]
    done, done_today = sum(one.done for one in mine), sum(one.today for one in mine)
    days = max((date_of(survey.closes_at) - today).days + 1, 1)
    missing = max(target.number - (done - done_today), 0)
    return Progress(target, done, done_today, -(-missing // days))
