"""From a questionnaire to a survey that takes answers."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.formats import date_of
from app.models import (
    Area,
    Notice,
    Poster,
    QuestionnaireVersion,
    Slip,
    SlipState,
    Survey,
    SurveyArea,
    SurveyState,
)
from app.services.areas import within
from app.services.retention import mix
from app.services.survey_areas import freeze, in_reach, tree_of
from surveys.questionnaire import Questionnaire
from surveys.reading import digest, dump_json

# A slip of the keyboard, such as the year 20266, must not reach the calendar's arithmetic.
FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST_KEPT_YEARS = 5
# The texts of a notice, and how long each may be.
NOTICE_TEXTS = {"organiser": 200, "purpose": 500, "collected": 500, "readers": 500, "contact": 200}


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """What residents must be told before the first question; none of it may be empty.

    `erase_at` is the day, in Beijing, on which what could tell who answered is erased.
    """

    organiser: str
    purpose: str
    collected: str
    readers: str
    contact: str
    erase_at: date


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """What is needed to make a survey; the instants are aware."""

    title: str
    opens_at: datetime
    closes_at: datetime
    notice: NoticePlan


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
        notice_number=1,
    )
    survey.questionnaire, survey.area = version, area
    session.add(survey)
    session.flush()
    _publish_notice(session, survey, plan.notice, 1)
    complete_posters(session, survey)
    return survey


def complete_posters(session: Session, survey: Survey) -> None:
    """Make the poster links that a survey lacks: its own area's and its towns'."""
    has = set(session.scalars(select(Poster.area_id).where(Poster.survey_id == survey.id)))
    tree = tree_of(session, survey)
    session.add_all(
        Poster(slug=secrets.token_urlsafe(9), survey_id=survey.id, area_id=place.id)
        for place in (tree.root, *tree.towns)
        if place.id not in has
    )
    session.flush()


def correct_notice(
    session: Session, survey: Survey, plan: NoticePlan, seen: int, reason: str, today: date
) -> Notice:
    """Publish another version of a survey's notice; the old ones stay. Return the new one.

    `seen` is the number of the version that was corrected, `today` the day in Beijing. The erase
    date may move to a later day only with a reason, and not once anything was erased. Raises
    `InvalidInput`, and `Problem` when somebody else corrected the notice meanwhile.
    """
    faults = _notice_faults(plan)
    if plan.erase_at != survey.notice.erase_at:
        faults |= _move_faults(session, survey, plan.erase_at, reason, today)
    if faults:
        raise InvalidInput(faults)
    query = update(Survey).where(Survey.id == survey.id, Survey.notice_number == seen)
    if session.scalar(query.values(notice_number=seen + 1).returning(Survey.id)) is None:
        raise Problem(_("说明刚被别人改过，请刷新页面，在新的一版上修改。"))
    return _publish_notice(session, survey, plan, seen + 1)


def is_same_notice(notice: Notice, plan: NoticePlan) -> bool:
    """Say whether this version tells residents exactly this."""
    return _plan_of(notice) == plan


def load_notices(session: Session, survey: Survey) -> Sequence[Notice]:
    """Return every version of a survey's notice, the newest first."""
    query = select(Notice).where(Notice.survey_id == survey.id)
    return session.scalars(query.order_by(Notice.number.desc())).all()


def _publish_notice(session: Session, survey: Survey, plan: NoticePlan, number: int) -> Notice:
    notice = Notice(
        survey_id=survey.id,
        number=number,
        erase_at=plan.erase_at,
        **{name: getattr(plan, name).strip() for name in NOTICE_TEXTS},
    )
    session.add(notice)
    session.flush()
    survey.notice = notice
    return notice


def _plan_of(notice: Notice) -> NoticePlan:
    texts = {name: getattr(notice, name) for name in NOTICE_TEXTS}
    return NoticePlan(**texts, erase_at=notice.erase_at)


# Closing is final: what is sealed and reported later rests on it.
_MOVES = {
    SurveyState.OPEN: {SurveyState.DRAFT, SurveyState.PAUSED},
    SurveyState.PAUSED: {SurveyState.OPEN},
    SurveyState.CLOSED: {SurveyState.OPEN, SurveyState.PAUSED},
}


def move_survey(session: Session, survey: Survey, to: SurveyState) -> None:
    """Open, pause or close a survey; from its opening on it keeps its areas as they are now.

    Raises `Problem` when it cannot go there from its state.
    """
    before = survey.state
    if to is SurveyState.OPEN and _notice_faults(_plan_of(survey.notice)):
        raise Problem(_("给群众看的说明还不完整，请先补全再开放。"))
    moved = before in _MOVES.get(to, set()) and session.scalar(
        # The database has the last word: of "pause" and "close" at once, one finds the other's.
        update(Survey)
        .where(Survey.id == survey.id, Survey.state == before)
        .values(state=to)
        .returning(Survey.id)
    )
    if not moved:
        raise Problem(_("这次调查现在的状态不能这样变更，请刷新页面查看。"))
    if before is SurveyState.DRAFT:
        freeze(session, survey)
        complete_posters(session, survey)
    if to is SurveyState.CLOSED:
        _refuse_unsettled(session, survey)
        mix(session, survey)


def _refuse_unsettled(session: Session, survey: Survey) -> None:
    # Counted after the state was changed: whoever keys holds the survey's row, and was waited for.
    unsettled = Slip.state.in_((SlipState.AWAITING, SlipState.DIFFERING))
    count = session.scalar(
        select(func.count()).select_from(Slip).where(Slip.survey_id == survey.id, unsettled)
    )
    if count:
        raise Problem(
            _("还有 %(count)s 份纸质问卷等第二遍录入或核对，请先办完或撤回，再结束。", count=count)
        )


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


def load_posters_in(session: Session, survey: Survey, branch: Area) -> Sequence[Poster]:
    """Return the poster links of a survey for areas of this branch."""
    return session.scalars(_posters_in(branch).where(Poster.survey_id == survey.id)).all()


def find_poster_in(session: Session, survey: Survey, poster_id: int, branch: Area) -> Poster:
    """Return one poster link of a survey, for an area of this branch. Raises `NotFound`."""
    poster = session.scalar(
        _posters_in(branch).where(Poster.survey_id == survey.id, Poster.id == poster_id)
    )
    if poster is None:
        raise NotFound
    return poster


def _posters_in(branch: Area) -> Select[Poster]:
    query = (
        select(Poster)
        .join(Poster.area)
        .where(in_reach(Poster.survey_id, branch))
        .order_by(Poster.id)
    )
    return query.options(joinedload(Poster.area))


def _surveys() -> Select[Survey]:
    return (
        select(Survey)
        .join(Survey.area)
        .options(
            joinedload(Survey.area), joinedload(Survey.questionnaire), joinedload(Survey.notice)
        )
    )


def _reaching(branch: Area) -> Select[Survey]:
    ancestors = [int(step) for step in branch.path.strip("/").split("/")]
    inside = within(branch)
    # Whoever was moved out of a survey's area since still looks after the cards there.
    known = select(SurveyArea.survey_id).where(SurveyArea.area_id == branch.id)
    return _surveys().where(inside | Survey.area_id.in_(ancestors) | Survey.id.in_(known))


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
    faults |= _notice_faults(plan.notice)
    if fault := _erase_fault(plan.notice.erase_at, plan.closes_at, has_closed=False):
        faults["erase_at"] = fault
    if faults:
        raise InvalidInput(faults)


def _inside(query: Select[Survey], branch: Area | None) -> Select[Survey]:
    if branch is None:
        return query
    return query.where(within(branch))


_ASKED_FOR = {
    "organiser": _("请填写谁在调查。"),
    "purpose": _("请填写调查用途。"),
    "collected": _("请填写收集哪些内容。"),
    "readers": _("请填写谁能看到答卷。"),
    "contact": _("请填写群众有疑问时找谁。"),
}


def _notice_faults(plan: NoticePlan) -> dict[str, Sentence]:
    faults: dict[str, Sentence] = {}
    for name, most in NOTICE_TEXTS.items():
        if not getattr(plan, name).strip():
            faults[name] = _ASKED_FOR[name]
        if len(getattr(plan, name)) > most:
            faults[name] = _("最多 %(most)s 个字。", most=most)
    return faults


def _erase_fault(erase_at: date, closes_at: datetime, *, has_closed: bool) -> Sentence | None:
    closing = date_of(closes_at)
    if erase_at <= closing and not has_closed:
        return _("删除日期应晚于截止时间。")
    latest = (closing.year + LONGEST_KEPT_YEARS, closing.month, closing.day)
    if (erase_at.year, erase_at.month, erase_at.day) > latest:
        return _("删除日期最晚为截止后 %(years)s 年。", years=LONGEST_KEPT_YEARS)
    return None


def _move_faults(
    session: Session, survey: Survey, to: date, reason: str, today: date
) -> dict[str, Sentence]:
    has_closed = survey.state is SurveyState.CLOSED
    if fault := _erase_fault(to, survey.closes_at, has_closed=has_closed):
        return {"erase_at": fault}
    if to < today:
        return {"erase_at": _("删除日期不能早于今天。")}
    if any(notice.erased_at for notice in load_notices(session, survey)):
        return {"erase_at": _("已经删除过内容，删除日期不能再改。")}
    if to > survey.notice.erase_at and not reason.strip():
        return {"reason": _("推迟删除要写明理由。")}
    return {}
