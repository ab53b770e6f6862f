"""Back-checks: some interviews are drawn by chance, and somebody else asks those people again.

Nothing here knows who was asked. An interview is named by its interviewer, area, day and hour, and
whoever interviewed knows the household. Of a card nobody knows who answered, and of an imported
sheet no number is kept, so neither can be checked in this way.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from analysis.intervals import Interval, wilson
from analysis.quality import draw_back_checks
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import (
    Area,
    BackCheck,
    BackCheckOutcome,
    BackCheckPlan,
    Channel,
    Origin,
    Staff,
    Submission,
    Survey,
)
from app.models.area import area_name
from app.services.inclusion import is_kept
from app.services.once import add_once
from app.services.survey_areas import in_reach
from surveys.questionnaire import Question, Questionnaire

CHANNELS = (Channel.INTERVIEWED, Channel.TELEPHONED)
FEWEST_PERCENT, MOST_PERCENT = 5, 10
MOST_QUESTIONS = 5


@dataclass(frozen=True, slots=True)
class DrawnCheck:
    """One interview that was drawn, with what its interviewer needs to find the household."""

    number: int
    key: uuid.UUID
    area: Area
    area_name: str
    channel: Channel
    interviewer: str
    received_hour: datetime
    outcome: BackCheckOutcome | None
    matches: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class MatchRate:
    """How many of `base` were the same when asked again, with Wilson's interval if any were."""

    matched: int
    base: int
    interval: Interval | None

    @property
    def value(self) -> Fraction | None:
        """The exact rate; None when nobody was asked again."""
        return Fraction(self.matched, self.base) if self.base else None


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of the checks of one interviewer, or of all.

    An interview is confirmed when every question that was asked again got the same answer; one
    that never took place is not. Who was not reached is in no base.
    """

    name: str
    drawn: int
    asked_again: int
    never_interviewed: int
    not_reached: int
    confirmed: MatchRate


def possible_questions(questionnaire: Questionnaire) -> list[Question]:
    """Return the questions that can be asked again: those with one option as the answer."""
    return [
        part
        for question in questionnaire.questions
        for part in question.parts
        if part.is_chosen_once
    ]


def plan_or_none(session: Session, survey: Survey) -> BackCheckPlan | None:
    """Return how a survey's interviews are drawn, once the first were."""
    return session.get(BackCheckPlan, survey.id)


def make_plan(
    session: Session,
    survey: Survey,
    questionnaire: Questionnaire,
    percent: int,
    questions: Sequence[str],
) -> BackCheckPlan:
    """Fix share, questions and a seed that chance gives, before anything is drawn.

    Raises `InvalidInput`, and `Problem` when there is a plan: one that could be changed could be
    tried until it draws what somebody likes.
    """
    possible = {part.id for part in possible_questions(questionnaire)}
    faults: dict[str, Sentence] = {}
    if not FEWEST_PERCENT <= percent <= MOST_PERCENT:
        faults["percent"] = _(
            "比例应在 %(least)s 到 %(most)s 之间。", least=FEWEST_PERCENT, most=MOST_PERCENT
        )
    if not 1 <= len(set(questions)) <= MOST_QUESTIONS or not possible.issuperset(questions):
        faults["questions"] = _("请选择 1 到 %(most)s 道题。", most=MOST_QUESTIONS)
    if faults:
        raise InvalidInput(faults)
    made = BackCheckPlan(
        survey_id=survey.id,
        seed=secrets.randbelow(2**31),
        percent=percent,
        questions=[part.id for part in possible_questions(questionnaire) if part.id in questions],
    )
    add_once(session, [made], _("回访办法已经定下，请刷新页面。"))
    return made


def draw(session: Session, survey: Survey, plan: BackCheckPlan) -> int:
    """Draw what the plan's share asks for by now; return how many interviews were added.

    Raises `Problem` when there is nothing to add, or when somebody else drew meanwhile.
    """
    stored = session.execute(
        select(Submission.key, Submission.interviewer_id).where(
            Submission.survey_id == survey.id,
            is_kept(),
            Submission.origin == Origin.COLLECTED,
            Submission.channel.in_(CHANNELS),
            Submission.interviewer_id.is_not(None),
        )
    )
    interviews = {str(key): interviewer or 0 for key, interviewer in stored}
    query = select(BackCheck.submission_key).where(BackCheck.survey_id == survey.id)
    before = [str(key) for key in session.scalars(query)]
    share = Fraction(plan.percent, 100)
    added = draw_back_checks(interviews, before, share, plan.seed)
    if not added:
        raise Problem(_("现在没有需要补抽的访谈。"))
    rows = [
        BackCheck(
            survey_id=survey.id,
            number=number,
            submission_key=uuid.UUID(key),
            outcome=None,
            matches={},
        )
        for number, key in enumerate(added, len(before) + 1)
    ]
    add_once(session, rows, _("刚才有人抽取过，请刷新页面。"))
    return len(added)


def load_checks(session: Session, survey: Survey, branch: Area) -> Sequence[DrawnCheck]:
    """Return the interviews of a survey in this branch that were drawn, in order of number."""
    return _checks(session, _query(survey, branch))


def load_checks_for(
    session: Session, survey: Survey, branch: Area, checker: Staff
) -> Sequence[DrawnCheck]:
    """Return those that wait to be checked and that this person may check: none of their own."""
    mine = Submission.interviewer_id == checker.id
    return _checks(session, _query(survey, branch).where(BackCheck.outcome.is_(None), ~mine))


def find_check(
    session: Session, survey: Survey, branch: Area, checker: Staff, number: int
) -> DrawnCheck:
    """Return one interview that waits for this person's check. Raises `NotFound`."""
    for check in load_checks_for(session, survey, branch, checker):
        if check.number == number:
            return check
    raise NotFound


def record_check(
    session: Session,
    survey: Survey,
    check: DrawnCheck,
    outcome: BackCheckOutcome,
    again: Mapping[str, str],
    checker: Staff,
    now: datetime,
) -> None:
    """Store what came of asking again, once: only whether the answers were the same.

    `again` holds option codes by question; a question that was left blank either time is not
    compared. Raises `InvalidInput` when nothing could be compared, and `Problem` when the check
    was recorded before.
    """
    matches: dict[str, bool] = {}
    if outcome is BackCheckOutcome.ASKED_AGAIN:
        first = session.scalars(select(Submission.answers).where(Submission.key == check.key)).one()
        matches = {
            question: code == first[question]
            for question, code in again.items()
            if code and question in first
        }
        if not any(again.values()):
            raise InvalidInput({"outcome": _("请至少填写一道题的回答。")})
    claim = (
        update(BackCheck)
        .where(BackCheck.survey_id == survey.id, BackCheck.number == check.number)
        .where(BackCheck.outcome.is_(None))
        .values(
            outcome=outcome,
            matches=matches,
            staff_id=checker.id,
            checked_hour=now.replace(minute=0, second=0, microsecond=0),
        )
    )
    if rows_hit(session, claim) == 0:
        raise Problem(_("这一户的回访已经登记过。"))


def tally(checks: Sequence[DrawnCheck]) -> tuple[Tally, ...]:
    """Count what came of these checks by interviewer, in order of name."""
    names = sorted({check.interviewer for check in checks})
    return tuple(
        tally_of(name, [check for check in checks if check.interviewer == name]) for name in names
    )


def tally_of(name: str, checks: Sequence[DrawnCheck]) -> Tally:
    """Count what came of these checks together."""
    outcomes = [check.outcome for check in checks]
    compared = [check.matches for check in checks if check.matches]
    never = outcomes.count(BackCheckOutcome.NEVER_INTERVIEWED)
    return Tally(
        name,
        len(checks),
        outcomes.count(BackCheckOutcome.ASKED_AGAIN),
        never,
        outcomes.count(BackCheckOutcome.NOT_REACHED),
        _rate(sum(all(matches.values()) for matches in compared), len(compared) + never),
    )


def question_rates(checks: Sequence[DrawnCheck], questions: Sequence[str]) -> dict[str, MatchRate]:
    """Return for each question how often both answers were the same."""
    return {
        question: _rate(
            sum(check.matches.get(question, False) for check in checks),
            sum(question in check.matches for check in checks),
        )
        for question in questions
    }


def _rate(matched: int, base: int) -> MatchRate:
    return MatchRate(matched, base, wilson(matched, base) if base else None)


def _query(survey: Survey, branch: Area) -> Select[BackCheck, Submission, Area, str, str]:
    return (
        select(
            BackCheck,
            Submission,
            Area,
            area_name(Submission.survey_id, Submission.area_id),
            Staff.name,
        )
        .join(Submission, Submission.key == BackCheck.submission_key)
        .join(Area, Area.id == Submission.area_id)
        .join(Staff, Staff.id == Submission.interviewer_id)
        .where(BackCheck.survey_id == survey.id, in_reach(BackCheck.survey_id, branch))
        .order_by(BackCheck.number)
    )


def _checks(
    session: Session, query: Select[BackCheck, Submission, Area, str, str]
) -> Sequence[DrawnCheck]:
    return [
        DrawnCheck(
            check.number,
            submission.key,
            area,
            place,
            submission.channel,
            name,
            submission.received_hour,
            check.outcome,
            check.matches,
        )
        for check, submission, area, place, name in session.execute(query)
    ]
