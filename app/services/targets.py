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
from app.services.areas import within
from app.services.inclusion import is_counted, load_inclusion

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


def set_target(
    session: Session, survey: Survey, area: Area, channel: Channel, number: int
) -> int | None:
    """Set how many answer sheets are wanted; 0 takes the target away. Return the one before.

    Raises `InvalidInput`.
    """
    faults: dict[str, Sentence] = {}
    if not 0 <= number <= LARGEST_TARGET:
        faults["number"] = _("目标应在 0 到 %(most)s 之间。", most=LARGEST_TARGET)
    if not area.path.startswith(survey.area.path):
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
        .where(Target.survey_id == survey.id, within(branch))
        .options(joinedload(Target.area))
        .order_by(Area.path, Target.channel)
    ).all()
    today = date_of(now)
    return [_progress(session, survey, target, today) for target in targets]


def _progress(session: Session, survey: Survey, target: Target, today: date) -> Progress:
    this_morning = datetime.combine(today, time(), BEIJING)
    is_today = case((Submission.received_hour >= this_morning, 1), else_=0)
    query = (
        select(func.count(), func.coalesce(func.sum(is_today), 0))
        .select_from(Submission)
        .join(Area, Area.id == Submission.area_id)
        .where(
            Submission.survey_id == survey.id,
            is_counted(load_inclusion(session, survey.id)),
            Submission.origin == Origin.COLLECTED,
            Submission.channel == target.channel,
            within(target.area),
        )
    )
    done, done_today = session.execute(query).one()
    days = max((date_of(survey.closes_at) - today).days + 1, 1)
    missing = max(target.number - (done - done_today), 0)
    return Progress(target, done, done_today, -(-missing // days))
