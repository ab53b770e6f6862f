"""One rubric applied to many objects: made, fed by surveys and entries, ranked, closed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from analysis.display import GroupStatus
from analysis.scoring import feed
from analysis.scoring.ranking import Ranking, Standing, rank
from analysis.scoring.rubric import (
    Indicator,
    Rubric,
    Scope,
    parse,
)
from analysis.scoring.rules import Bands, Deduct, Proportional
from analysis.scoring.score import ScoreSheet, score
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.formats import date_of
from app.models import (
    Area,
    Entry,
    EntryState,
    Evaluation,
    EvaluationObject,
    EvaluationState,
    ReportedScore,
    ScoreOrigin,
    Survey,
)
from app.services import rubrics
from app.services.areas import within
from app.services.collecting import load_questionnaire
from app.services.entries import Author, is_owner, load_newest
from app.services.evaluating import external_measurement, external_or_none, rate_measurement
from app.services.publishing import FIRST_YEAR, LAST_YEAR, LONGEST_KEPT_YEARS
from app.services.results import Evidence, MeasureResult, load_evidence, measure_results
from surveys.questionnaire import Measure, MeasureKind, Questionnaire

MOST_OBJECTS = 500
_LONGEST_OBJECT = 100
_LONGEST_POINTS = 10

K = TypeVar("K")

# ---------------------------------------------------------------------------------------------
# The rubric, as it was when the evaluation was made
# ---------------------------------------------------------------------------------------------


def offered_rubrics(session: Session, branch: Area) -> dict[str, str]:
    """Return the rubrics that can be applied to many objects, id to title."""
    offered = rubrics.offered(session, branch)
    return {key: one.title for key, one in offered.items() if one.scope is Scope.COMPLETE}


@lru_cache(maxsize=64)
def _parsed(document: str) -> Rubric:
    return parse(document, "")


def rubric_of(evaluation: Evaluation) -> Rubric:
    """Return the rubric that an evaluation keeps."""
    return _parsed(evaluation.rubric_document)


def indicator_of(evaluation: Evaluation, code: str) -> Indicator:
    """Return an indicator of the evaluation's rubric. Raises `NotFound`."""
    try:
        return rubric_of(evaluation).indicator(code)
    except KeyError:
        raise NotFound from None


# ---------------------------------------------------------------------------------------------
# Made, found, moved
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is needed to make an evaluation.

    `document` is the text of the rubric (TOML), which the evaluation keeps. `places` are areas to
    be scored; `others` names what else is (departments, projects).
    """

    name: str
    year: int
    rubric_id: str
    document: str
    places: Sequence[Area]
    others: Sequence[str]
    survey: Survey | None
    previous: Evaluation | None
    deadline: datetime
    erase_at: date


def make_evaluation(
    session: Session, area: Area, plan: EvaluationPlan, now: datetime
) -> Evaluation:
    """Make an evaluation with its objects. Raises `InvalidInput` with every fault of the plan."""
    document = plan.document
    names = [place.name for place in plan.places] + [name.strip() for name in plan.others]
    faults = _faults(plan, names, now)
    if faults:
        raise InvalidInput(faults)
    made = Evaluation(
        name=plan.name.strip(),
        year=plan.year,
        rubric_id=plan.rubric_id,
        rubric_digest=hashlib.sha256(document.encode()).hexdigest(),
        rubric_document=document,
        area_id=area.id,
        survey_id=plan.survey.id if plan.survey else None,
        measures=_measures(session, _parsed(document), plan.survey),
        previous_id=plan.previous.id if plan.previous else None,
        deadline=plan.deadline,
        erase_at=plan.erase_at,
        state=EvaluationState.OPEN,
    )
    made.area, made.survey = area, plan.survey
    session.add(made)
    session.flush()
    places = [place.id for place in plan.places] + [area.id] * len(plan.others)
    session.add_all(
        EvaluationObject(evaluation_id=made.id, area_id=place, name=name)
        for place, name in zip(places, names, strict=True)
    )
    session.flush()
    return made


def _faults(plan: EvaluationPlan, names: Sequence[str], now: datetime) -> dict[str, Sentence]:
    checks = (
        (not plan.name.strip(), "name", _("请填写评价名称。")),
        (
            not FIRST_YEAR <= plan.year <= LAST_YEAR,
            "year",
            _("年份应在 %(first)s 到 %(last)s 之间。", first=FIRST_YEAR, last=LAST_YEAR),
        ),
        (not names, "places", _("请至少选一个评价对象。")),
        (
            len(names) > MOST_OBJECTS,
            "others",
            _("评价对象最多 %(most)s 个。", most=MOST_OBJECTS),
        ),
        (len(set(names)) < len(names), "others", _("评价对象有重名，请加以区别。")),
        (
            any(len(name) > _LONGEST_OBJECT for name in names),
            "others",
            _("评价对象的名称太长。"),
        ),
        (plan.deadline <= now, "deadline", _("截止时间应晚于现在。")),
        (
            plan.erase_at <= date_of(plan.deadline),
            "erase_at",
            _("删除日期应晚于填报截止时间。"),
        ),
        (
            plan.erase_at.year > plan.deadline.year + LONGEST_KEPT_YEARS,
            "erase_at",
            _("佐证材料最多保存 %(years)s 年。", years=LONGEST_KEPT_YEARS),
        ),
        (
            plan.previous is not None and plan.previous.rubric_id != plan.rubric_id,
            "previous",
            _("上一年的评价用的是另一个指标体系，不能比较。"),
        ),
    )
    return {field: sentence for applies, field, sentence in checks if applies}


def measurable(indicator: Indicator) -> bool:
    """Say whether a rate of a survey can measure this indicator."""
    rule = indicator.rule
    return isinstance(rule, Proportional | Deduct) or (isinstance(rule, Bands) and not rule.unit)


def usable_measures(asked: Questionnaire) -> dict[str, Measure]:
    """Return the measures of a questionnaire that are one rate, by id."""
    return {
        one.id: one
        for one in asked.measures
        if not one.per_option and one.kind is not MeasureKind.NPS
    }


def _measures(session: Session, rubric: Rubric, survey: Survey | None) -> dict[str, str]:
    if survey is None:
        return {}
    usable = usable_measures(load_questionnaire(session, survey.questionnaire.digest))
    return {
        indicator.code: indicator.measure
        for indicator in rubric.indicators
        if indicator.measure in usable and measurable(indicator)
    }


def set_measures(session: Session, evaluation: Evaluation, chosen: Mapping[str, str]) -> None:
    """Say which measure of the survey feeds which indicator, by code.

    Raises `Problem` when the evaluation has no survey or is closed; `InvalidInput` by code.
    """
    if evaluation.survey is None or evaluation.state is EvaluationState.CLOSED:
        raise Problem(_("这次评价没有选调查，或已经结束，不能改数据来源。"))
    usable = usable_measures(load_questionnaire(session, evaluation.survey.questionnaire.digest))
    rubric = rubric_of(evaluation)
    known = {one.code for one in rubric.indicators if measurable(one)}
    faults: dict[str, Sentence] = {
        code: _("请选择一个测量项。")
        for code, measure in chosen.items()
        if code not in known or measure not in usable
    }
    if faults:
        raise InvalidInput(faults)
    evaluation.measures = {**chosen}
    session.flush()


def find_evaluation(session: Session, evaluation_id: int, branch: Area | None) -> Evaluation:
    """Return one evaluation with its rubric, of this branch if given. Raises `NotFound`."""
    query = _evaluations(branch).where(Evaluation.id == evaluation_id)
    found = session.scalar(query.options(undefer(Evaluation.rubric_document)))
    if found is None:
        raise NotFound
    return found


def load_evaluations(session: Session, branch: Area) -> Sequence[tuple[Evaluation, int]]:
    """Return the evaluations of this branch with the number of their objects, newest first."""
    counts = (
        select(func.count())
        .where(EvaluationObject.evaluation_id == Evaluation.id)
        .scalar_subquery()
    )
    query = _evaluations(branch).add_columns(counts).order_by(Evaluation.id.desc())
    return [(found, count) for found, count in session.execute(query)]


def _evaluations(branch: Area | None) -> Select[Evaluation]:
    query = (
        select(Evaluation)
        .join(Area, Area.id == Evaluation.area_id)
        .options(
            joinedload(Evaluation.area),
            joinedload(Evaluation.survey).options(
                joinedload(Survey.questionnaire), joinedload(Survey.area)
            ),
            joinedload(Evaluation.previous),
        )
    )
    return query if branch is None else query.where(within(branch))


def find_object(session: Session, object_id: int, branch: Area) -> EvaluationObject:
    """Return one object of this branch, whoever evaluates it. Raises `NotFound`."""
    found = session.scalar(_objects(branch).where(EvaluationObject.id == object_id))
    if found is None:
        raise NotFound
    return found


def find_judged_object(session: Session, object_id: int, branch: Area) -> EvaluationObject:
    """Return one object of an evaluation of this branch. Raises `NotFound`."""
    found = find_object(session, object_id, branch)
    if not found.evaluation.area.path.startswith(branch.path):
        raise NotFound
    return found


def load_objects_of_branch(session: Session, branch: Area) -> Sequence[EvaluationObject]:
    """Return every object that lies in this branch, of the newest evaluation first."""
    query = _objects(branch).order_by(EvaluationObject.evaluation_id.desc(), EvaluationObject.id)
    return session.scalars(query).all()


def load_objects(session: Session, evaluation: Evaluation) -> Sequence[EvaluationObject]:
    """Return the objects of an evaluation, in the order in which they were named."""
    query = (
        select(EvaluationObject)
        .where(EvaluationObject.evaluation_id == evaluation.id)
        .options(joinedload(EvaluationObject.area), undefer(EvaluationObject.feed))
        .order_by(EvaluationObject.id)
    )
    return session.scalars(query).all()


def _objects(branch: Area) -> Select[EvaluationObject]:
    # Apart, so that the text of a rubric comes once and not with each of its objects.
    owning = selectinload(EvaluationObject.evaluation)
    return (
        select(EvaluationObject)
        .join(Area, Area.id == EvaluationObject.area_id)
        .where(within(branch))
        .options(
            joinedload(EvaluationObject.area),
            owning.undefer(Evaluation.rubric_document),
            owning.joinedload(Evaluation.area),
        )
    )


def move_deadline(
    session: Session,
    evaluation: Evaluation,
    deadline: datetime | None,
    seen: datetime | None,
    reason: str,
    now: datetime,
) -> None:
    """Move the instant until which objects' own staff may enter.

    Raises `InvalidInput`, and `Problem` when somebody else moved or closed it meanwhile.
    """
    faults: dict[str, Sentence] = {}
    if deadline is None or deadline <= now:
        faults["deadline"] = _("截止时间应晚于现在。")
    elif date_of(deadline) >= evaluation.erase_at:
        faults["deadline"] = _("截止时间应早于佐证材料的删除日期。")
    if not reason.strip():
        faults["reason"] = _("请写明为什么改截止时间。")
    if faults:
        raise InvalidInput(faults)
    claim = update(Evaluation).where(
        Evaluation.id == evaluation.id,
        Evaluation.state == EvaluationState.OPEN,
        Evaluation.deadline == seen,
    )
    if seen is None or rows_hit(session, claim.values(deadline=deadline)) == 0:
        raise Problem(_("截止时间刚被别人改过，或评价已经结束。请刷新页面查看。"))


def close_evaluation(session: Session, evaluation: Evaluation, now: datetime) -> None:
    """Take no more measurements, and keep for good what the scores stand on. Raises `Problem`."""
    claim = update(Evaluation).where(
        Evaluation.id == evaluation.id, Evaluation.state == EvaluationState.OPEN
    )
    if rows_hit(session, claim.values(state=EvaluationState.CLOSED)) == 0:
        raise Problem(_("这次评价已经结束了。"))
    for each in load_assessed(session, evaluation, now):
        each.scored.feed = feed.dump(each.feed)
    evaluation.state = EvaluationState.CLOSED
    session.flush()


# ---------------------------------------------------------------------------------------------
# From rates and entries to score sheets beside each other
# ---------------------------------------------------------------------------------------------


class Gap(StrEnum):
    """Why an indicator of an object has no measurement; none of these is 0 points."""

    NOT_ENTERED = "not_entered"
    RETURNED = "returned"
    NOBODY_ANSWERED = "nobody_answered"
    SUPPRESSED = "suppressed"
    NOT_IN_SURVEY = "not_in_survey"


@dataclass(frozen=True, slots=True)
class Assessed:
    """One object with what measures it; `gaps` says by indicator why there is nothing.

    `waiting` are indicators that were entered and that nobody has looked at yet.
    """

    scored: EvaluationObject
    feed: feed.Feed
    sheet: ScoreSheet
    entries: Mapping[str, Entry]
    gaps: Mapping[str, Gap]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """An object's place, with its self-evaluation and the year before; None where not known."""

    assessed: Assessed
    standing: Standing
    self_total: Decimal | None
    self_scores: Mapping[str, Decimal]
    year_before: Decimal | None

    def ahead_of(self, other: Decimal | None) -> Decimal | None:
        """Return the certain points less another score; None where either is not whole."""
        is_whole = self.standing.place is not None
        return self.standing.total.points.low - other if is_whole and other is not None else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An evaluation with everybody's score sheet, the ranked ones first."""

    evaluation: Evaluation
    rubric: Rubric
    ranking: Ranking
    compared: tuple[Compared, ...]


def load_outcome(session: Session, evaluation: Evaluation, now: datetime) -> Outcome:
    """Score every object and rank them."""
    assessed = load_assessed(session, evaluation, now)
    ranking = rank(rubric_of(evaluation), [(_about(each.scored), each.sheet) for each in assessed])
    by_id = {str(each.scored.id): each for each in assessed}
    reported = load_reported(session, [each.scored.id for each in assessed])
    before = _year_before(session, evaluation, now)
    compared = []
    for standing in ranking.standings:
        each = by_id[standing.about.id]
        own = reported.get((each.scored.id, ScoreOrigin.SELF), {})
        typed = reported.get((each.scored.id, ScoreOrigin.YEAR_BEFORE), {})
        compared.append(
            Compared(
                assessed=each,
                standing=standing,
                self_total=own.get(""),
                self_scores={code: points for code, points in own.items() if code},
                year_before=typed.get("", before.get((each.scored.area_id, each.scored.name))),
            )
        )
    return Outcome(evaluation, rubric_of(evaluation), ranking, tuple(compared))


def _year_before(
    session: Session, evaluation: Evaluation, now: datetime
) -> dict[tuple[int, str], Decimal]:
    """Return the totals of the evaluation before, by area and name, of those that are whole."""
    if evaluation.previous_id is None:
        return {}
    previous = find_evaluation(session, evaluation.previous_id, None)
    assessed = load_assessed(session, previous, now)
    ranking = rank(rubric_of(previous), [(_about(each.scored), each.sheet) for each in assessed])
    totals = {each.about.id: each.total.points.low for each in ranking.ranked}
    return {
        (each.scored.area_id, each.scored.name): totals[str(each.scored.id)]
        for each in assessed
        if str(each.scored.id) in totals
    }


def load_assessed(session: Session, evaluation: Evaluation, now: datetime) -> Sequence[Assessed]:
    """Return every object of an evaluation with its feed and its score sheet.

    Of a closed one from the feeds that were kept, whatever became of the survey since.
    """
    objects = load_objects(session, evaluation)
    entries: dict[int, dict[str, Entry]] = {each.id: {} for each in objects}
    for (owner, code), entry in load_newest(session, [*entries]).items():
        entries[owner][code] = entry
    rates = _rates(session, evaluation)
    return [_assess(evaluation, each, entries[each.id], rates, now) for each in objects]


_Rates = Mapping[tuple[str, int], "feed.Measurement | Gap"]


def _assess(
    evaluation: Evaluation,
    scored: EvaluationObject,
    entries: Mapping[str, Entry],
    rates: _Rates,
    now: datetime,
) -> Assessed:
    rubric = rubric_of(evaluation)
    found = {
        indicator.code: _measurement(evaluation, scored, indicator, entries, rates)
        for indicator in rubric.indicators
        if not indicator.is_lost
    }
    made = _feed(evaluation, scored, found, now) if scored.feed is None else feed.parse(scored.feed)
    measured = {each.indicator for each in made.measurements}
    gaps = {
        code: gap for code, gap in found.items() if isinstance(gap, Gap) and code not in measured
    }
    waiting = [
        code for code in found if code in entries and entries[code].state is EntryState.ENTERED
    ]
    sheet = score(rubric, made.measurements)
    return Assessed(scored, made, sheet, entries, gaps, tuple(waiting))


def _measurement(
    evaluation: Evaluation,
    scored: EvaluationObject,
    indicator: Indicator,
    entries: Mapping[str, Entry],
    rates: _Rates,
) -> feed.Measurement | Gap:
    code = indicator.code
    if code in evaluation.measures:
        return rates.get((code, scored.area_id), Gap.NOT_IN_SURVEY)
    entry = entries.get(code)
    if entry is None:
        return Gap.NOT_ENTERED
    if entry.state is EntryState.RETURNED:
        return Gap.RETURNED
    source = _("填报：%(note)s", note=entry.note) if entry.note else _("填报")
    return replace(feed.parse_measurement(entry.document), source=str(source))


def _feed(
    evaluation: Evaluation,
    scored: EvaluationObject,
    found: Mapping[str, feed.Measurement | Gap],
    now: datetime,
) -> feed.Feed:
    survey = evaluation.survey
    reference = None
    if survey is not None:
        code = survey.questionnaire.code
        reference = feed.SurveyRef(id=str(survey.id), title=survey.title, questionnaire=code)
    return feed.Feed(
        survey=reference,
        measurements=tuple(each for each in found.values() if isinstance(each, feed.Measurement)),
        made_at=now.isoformat(timespec="seconds"),
        about=_about(scored),
    )


def _about(scored: EvaluationObject) -> feed.ObjectRef:
    return feed.ObjectRef(str(scored.id), scored.name)


def _rates(session: Session, evaluation: Evaluation) -> _Rates:
    """Return what the survey measured, by indicator and area, or why nothing can be said."""
    if evaluation.survey is None or not evaluation.measures:
        return {}
    evidence = load_evidence(session, evaluation.survey)
    shown = {each.measure.id: each for each in measure_results(evidence)}
    return {
        (code, area): found
        for code, measure in evaluation.measures.items()
        for area, found in _rates_of(evidence, code, shown[measure])
    }


def _rates_of(
    evidence: Evidence, code: str, result: MeasureResult
) -> Sequence[tuple[int, feed.Measurement | Gap]]:
    measure, places = result.measure, [evidence.survey.area_id, *(one.id for one in evidence.towns)]
    if result.status is GroupStatus.SUPPRESSED:
        return [(place, Gap.SUPPRESSED) for place in places]
    if not result.rates:
        return [(place, _external(evidence, code, measure, place)) for place in places]
    whole = rate_measurement(evidence, code, measure, result.rates[0])
    rates: list[tuple[int, feed.Measurement | Gap]] = [(evidence.survey.area_id, whole)]
    for town, group in zip(evidence.towns, result.groups, strict=True):
        if group.rate is not None:
            rates.append((town.id, rate_measurement(evidence, code, measure, group.rate)))
        elif group.status is GroupStatus.SUPPRESSED:
            rates.append((town.id, Gap.SUPPRESSED))
        else:
            rates.append((town.id, _external(evidence, code, measure, town.id)))
    return rates


def _external(evidence: Evidence, code: str, measure: Measure, area: int) -> feed.Measurement | Gap:
    figure = external_or_none(evidence, measure, area)
    if figure is None:
        return Gap.NOBODY_ANSWERED
    return external_measurement(evidence, code, measure, figure)


# ---------------------------------------------------------------------------------------------
# Scores from elsewhere: the self-evaluation, and the year before
# ---------------------------------------------------------------------------------------------

_Reported = dict[tuple[int, ScoreOrigin], dict[str, Decimal]]


def load_reported(session: Session, objects: Sequence[int]) -> _Reported:
    """Return the scores that were typed in for these objects, by indicator; "" is the total."""
    found: _Reported = {}
    query = select(ReportedScore).where(ReportedScore.object_id.in_(objects))
    for each in session.scalars(query.order_by(ReportedScore.version)):
        scores = found.setdefault((each.object_id, each.origin), {})
        if each.points:
            scores[each.indicator] = Decimal(each.points)
        else:
            scores.pop(each.indicator, None)
    return found


def ensure_self_scored(evaluation: Evaluation, author: Author) -> None:
    """Raise `Problem` when an object's own scores are not taken from this person now."""
    if evaluation.state is EvaluationState.CLOSED:
        raise Problem(_("这次评价已经结束，不能再改。"))
    if author.at > evaluation.deadline and not is_owner(author.staff, evaluation):
        raise Problem(_("填报已经截止。要补报，请联系评价人员延期。"))


def score_faults(typed: Mapping[K, str]) -> dict[K, Sentence]:
    """Return what is wrong with scores that were typed in, by their keys; blank is none."""
    return {
        key: _("请填写数字，如 87.5。")
        for key, text in typed.items()
        if text and not (feed.DECIMAL.fullmatch(text) and len(text) <= _LONGEST_POINTS)
    }


def report_scores(
    session: Session,
    scored: EvaluationObject,
    origin: ScoreOrigin,
    typed: Mapping[str, str],
    author: Author,
) -> dict[str, str]:
    """Keep scores of an object, by indicator ("" is the total); blank takes one back.

    Returns those that changed. Raises `InvalidInput` by indicator, and `Problem` when somebody
    else reports the same at this moment.
    """
    faults = score_faults(typed)
    if faults:
        raise InvalidInput(faults)
    before = load_reported(session, [scored.id]).get((scored.id, origin), {})
    shown = {code: str(points) for code, points in before.items()}
    changed = {code: text for code, text in typed.items() if text != shown.get(code, "")}
    counted = (
        select(ReportedScore.indicator, func.max(ReportedScore.version))
        .where(ReportedScore.object_id == scored.id, ReportedScore.origin == origin)
        .group_by(ReportedScore.indicator)
    )
    versions = {code: newest for code, newest in session.execute(counted)}  # noqa: C416 - rows
    made = [
        ReportedScore(
            object_id=scored.id,
            origin=origin,
            indicator=code,
            version=versions.get(code, 0) + 1,
            points=text,
            staff_id=author.staff.id,
            at=author.at,
        )
        for code, text in changed.items()
    ]
    try:
        with session.begin_nested():
            session.add_all(made)
            session.flush()
    except IntegrityError:
        raise Problem(_("这些得分刚被别人改过，请刷新页面查看。")) from None
    return changed
