"""From a questionnaire to a survey that takes answers."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import Area, Poster, QuestionnaireVersion, Survey, SurveyState
from app.services.areas import within
from surveys.questionnaire import Questionnaire
from surveys.reading import digest, dump_json

# A slip of the keyboard, such as the year 20266, must not reach the calendar's arithmetic.
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """What is needed to make a survey; the instants are aware."""

    title: str
    opens_at: datetime
    closes_at: datetime
    contact: str
    notice: str


def keep_questionnaire(session: Session, questionnaire: Questionnaire) -> QuestionnaireVersion:
    """Return the stored snapshot of this questionnaire, writing it the first time."""
    fingerprint = digest(questionnaire)
    query = select(QuestionnaireVersion).where(QuestionnaireVersion.digest == fingerprint)
    version = QuestionnaireVersion(
        code=questionnaire.id,
        title=questionnaire.title,
        digest=fingerprint,
        document=dump_json(questionnaire),
    )
    try:
        # Written first and looked for afterwards: of two at once, one writes and both find it.
        with session.begin_nested():
            session.add(version)
            session.flush()
    except IntegrityError:
        version = session.scalars(query).one()
    return version


def make_survey(
    session: Session, questionnaire: Questionnaire, area: Area, plan: SurveyPlan
) -> Survey:
    """Make a survey in draft, with a poster link for its area and for each area directly below.

    Raises `InvalidInput` with every fault of the plan.
    """
    _check_plan(plan)
    version = keep_questionnaire(session, questionnaire)
    survey = Survey(
        title=plan.title.strip(),
        questionnaire_id=version.id,
        area_id=area.id,
        state=SurveyState.DRAFT,
        opens_at=plan.opens_at,
        closes_at=plan.closes_at,
        contact=plan.contact.strip(),
        notice=plan.notice.strip(),
    )
    survey.questionnaire, survey.area = version, area
    session.add(survey)
    session.flush()
    below = session.scalars(select(Area).where(Area.parent_id == area.id).order_by(Area.id))
    session.add_all(
        Poster(slug=secrets.token_urlsafe(9), survey_id=survey.id, area_id=place.id)
        for place in (area, *below)
    )
    session.flush()
    return survey


# Closing is final: what is sealed and reported later rests on it.
_MOVES = {
    SurveyState.OPEN: {SurveyState.DRAFT, SurveyState.PAUSED},
    SurveyState.PAUSED: {SurveyState.OPEN},
    SurveyState.CLOSED: {SurveyState.OPEN, SurveyState.PAUSED},
}


def move_survey(session: Session, survey: Survey, to: SurveyState) -> None:
    """Open, pause or close a survey. Raises `Problem` when it cannot go there from its state."""
    before = survey.state
    moved = before in _MOVES.get(to, set()) and session.scalar(
        # The database has the last word: of "pause" and "close" at once, one finds the other's.
        update(Survey)
        .where(Survey.id == survey.id, Survey.state == before)
        .values(state=to)
        .returning(Survey.id)
    )
    if not moved:
        raise Problem(_("这次调查现在的状态不能这样变更，请刷新页面查看。"))


def find_survey(session: Session, survey_id: int, branch: Area | None = None) -> Survey:
    """Return one survey with its questionnaire and area, inside this branch if given.

    Raises `NotFound`.
    """
    query = _surveys().where(Survey.id == survey_id)
    survey = session.scalar(_inside(query, branch))
    if survey is None:
        raise NotFound
    return survey


def load_surveys(session: Session, branch: Area) -> Sequence[Survey]:
    """Return the surveys asked in this branch, the newest first."""
    return session.scalars(_inside(_surveys(), branch).order_by(Survey.id.desc())).all()


def load_all_surveys(session: Session) -> Sequence[Survey]:
    """Return every survey, in order of id: for commands, which no area bounds."""
    return session.scalars(_surveys().order_by(Survey.id)).all()


def load_surveys_reaching(session: Session, branch: Area) -> Sequence[Survey]:
    """Return the surveys whose area contains this branch or lies in it, the newest first."""
    return session.scalars(_reaching(branch).order_by(Survey.id.desc())).all()


def find_survey_reaching(session: Session, survey_id: int, branch: Area) -> Survey:
    """Return one survey whose area contains this branch or lies in it. Raises `NotFound`."""
    survey = session.scalar(_reaching(branch).where(Survey.id == survey_id))
    if survey is None:
        raise NotFound
    return survey


def load_posters(session: Session, survey: Survey) -> Sequence[Poster]:
    """Return the poster links of a survey, its own area first."""
    return session.scalars(
        select(Poster)
        .where(Poster.survey_id == survey.id)
        .options(joinedload(Poster.area))
        .order_by(Poster.id)
    ).all()


def _surveys() -> Select[Survey]:
    return (
        select(Survey)
        .join(Survey.area)
        .options(joinedload(Survey.area), joinedload(Survey.questionnaire))
    )


def _reaching(branch: Area) -> Select[Survey]:
    ancestors = [int(step) for step in branch.path.strip("/").split("/")]
    inside = within(branch)
    return _surveys().where(inside | Survey.area_id.in_(ancestors))


def _check_plan(plan: SurveyPlan) -> None:
    faults: dict[str, Sentence] = {}
    if not plan.title.strip():
        faults["title"] = _("请填写调查名称。")
    if len(plan.title) > 200:
        faults["title"] = _("最多 200 个字。")
    for field in ("opens_at", "closes_at"):
        if not FIRST_YEAR <= getattr(plan, field).year <= LAST_YEAR:
            faults[field] = _(
                "年份应在 %(first)s 到 %(last)s 之间。", first=FIRST_YEAR, last=LAST_YEAR
            )
    if plan.closes_at <= plan.opens_at:
        faults["closes_at"] = _("截止时间应晚于开始时间。")
    if not plan.contact.strip():
        faults["contact"] = _("请填写群众有疑问时找谁。")
    if len(plan.contact) > 200:
        faults["contact"] = _("最多 200 个字。")
    if not plan.notice.strip():
        faults["notice"] = _("请填写给群众看的说明（谁在调查、用途、保存多久）。")
    if faults:
        raise InvalidInput(faults)


def _inside(query: Select[Survey], branch: Area | None) -> Select[Survey]:
    if branch is None:
        return query
    return query.where(within(branch))
