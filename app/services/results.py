"""From stored submissions to rates and tables: the bridge into `analysis`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analysis.designs import Design, LonelyCluster, Sample, lay_out
from analysis.display import (
    SMALLEST_GROUP,
    GroupRate,
    GroupStatus,
    Shown,
    rate_of,
    rates_of,
    tables_of,
)
from analysis.frames import SubmissionRow, build_frame
from analysis.intervals import IntervalMethod
from analysis.published import Comparison, bundled, compare
from analysis.rates import UNRELIABLE, Group, Rate, Reliability, describe
from analysis.scoring.feed import Weighting
from analysis.tables import FrequencyTable
from analysis.weights import MarginError, Raked, rake
from app.errors import Problem, Sentence
from app.errors import say as _
from app.formats import channel_name
from app.models import Area, Channel, FreeText, Origin, Submission, SubmissionState, Survey
from app.services import designing
from app.services.areas import children_of, within
from app.services.collecting import load_questionnaire
from app.services.external import ExternalFigure, load_figures
from surveys.questionnaire import Measure, Questionnaire

TEXTS_ON_A_PAGE = 50

DOUBTS = {
    Reliability.FEW_PEOPLE: _("有效样本不到 30 人"),
    Reliability.WIDE_INTERVAL: _("区间宽于 30 个百分点"),
    Reliability.WIDE_FOR_ITS_SIZE: _("区间宽过比率本身的 1.3 倍"),
    Reliability.FEW_CLUSTERS: _("抽样单位太少，区间只供参考"),
    Reliability.NONE_OR_ALL: _("全部或无一，请核对"),
}
"""What speaks against relying on a rate, in words."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The valid submissions of one survey as a frame, with what is needed to read them.

    `towns` are the areas directly below the survey's own; a submission from a village counts in
    its town. `channels` counts the submissions by channel. `external` holds what other sources
    counted, which is never mixed with these submissions.
    """

    survey: Survey
    questionnaire: Questionnaire
    frame: pd.DataFrame
    design: Design
    towns: tuple[Area, ...]
    channels: dict[str, int]
    replayed: int
    external: tuple[ExternalFigure, ...]
    smallest: int = SMALLEST_GROUP
    design_note: Sentence = ""
    design_faults: tuple[Sentence, ...] = ()

    @property
    def weighting(self) -> Weighting:
        """Which weights the rates are computed with."""
        if self.design.sample is not Sample.DRAWN:
            return Weighting.RAW
        return Weighting.RAKED if self.design.margins else Weighting.DESIGN


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """One measure with what may be shown of it: its rate, or why there is none.

    Shares per option are many.
    """

    measure: Measure
    definition: str
    status: GroupStatus
    rates: tuple[Rate, ...]
    groups: tuple[GroupRate, ...]


def load_evidence(session: Session, survey: Survey) -> Evidence:
    """Read the valid submissions of a survey."""
    questionnaire = load_questionnaire(session, survey.questionnaire.digest)
    towns = tuple(children_of(session, survey.area))
    stored = session.execute(
        select(
            Submission.key,
            Area.path,
            Submission.channel,
            Submission.batch_id,
            Submission.answers,
            Submission.origin,
        )
        .join(Area, Area.id == Submission.area_id)
        .where(Submission.survey_id == survey.id, Submission.state == SubmissionState.VALID)
        .order_by(Submission.key)
    ).all()
    rows = [
        SubmissionRow(str(key), _town(path, survey.area, towns), channel.value, batch, answers)
        for key, path, channel, batch, answers, _origin in stored
    ]
    channels = Counter(row.channel for row in rows)
    laid = designing.lay_design(
        build_frame(questionnaire, rows),
        [_place(path) for _key, path, *_rest in stored],
        designing.load_design(session, survey),
        has_posters=channels[Channel.POSTER.value] > 0,
    )
    return Evidence(
        survey=survey,
        questionnaire=questionnaire,
        frame=laid.frame,
        design=laid.design,
        towns=towns,
        channels=dict(channels),
        replayed=sum(row.origin is Origin.REPLAYED for row in stored),
        external=load_figures(session, survey),
        smallest=laid.smallest,
        design_note=laid.note,
        design_faults=laid.faults,
    )


@dataclass(frozen=True, slots=True)
class WrittenText:
    """What somebody wrote to one question, and from which town where that tells nobody apart."""

    question: str
    text: str
    town: str | None


def count_texts(session: Session, survey: Survey) -> tuple[int, int]:
    """Count the free texts of a survey that are kept, and those that were erased."""
    query = (
        select(func.count(FreeText.text), func.count(FreeText.erased_at))
        .join(Submission, Submission.key == FreeText.submission_key)
        .where(Submission.survey_id == survey.id)
    )
    kept, erased = session.execute(query).one()
    return kept, erased


def load_texts(session: Session, survey: Survey, branch: Area, start: int) -> Sequence[WrittenText]:
    """Return a page of the valid free texts of a survey in this branch, from `start` on.

    In the order of their digests, which chance made: neither the order in which they came in nor
    which of them one person wrote can be seen. One more is returned than a page holds if there is.
    """
    questionnaire = load_questionnaire(session, survey.questionnaire.digest)
    towns = tuple(children_of(session, survey.area))
    named = _nameable(session, survey, towns)
    rows = session.execute(
        select(FreeText.question_id, FreeText.text, Area.path)
        .join(Submission, Submission.key == FreeText.submission_key)
        .join(Area, Area.id == Submission.area_id)
        .where(Submission.survey_id == survey.id, Submission.state == SubmissionState.VALID)
        .where(FreeText.text.is_not(None), within(branch))
        .order_by(FreeText.digest)
        .offset(start)
        .limit(TEXTS_ON_A_PAGE + 1)
    )
    return [
        WrittenText(
            questionnaire.question(question.partition(".")[0]).text,
            text or "",
            named.get(_town(path, survey.area, towns)),
        )
        for question, text, path in rows
    ]


def _nameable(session: Session, survey: Survey, towns: Sequence[Area]) -> dict[int, str]:
    """Return the towns, by id, that may stand beside a text: none has few answers.

    Nor may the towns left out have few together, or a text without a town would name them.
    """
    paths = session.execute(
        select(Area.path, func.count())
        .join(Submission, Submission.area_id == Area.id)
        .where(Submission.survey_id == survey.id, Submission.state == SubmissionState.VALID)
        .group_by(Area.path)
    )
    counts: Counter[int] = Counter()
    for path, count in paths:
        counts[_town(path, survey.area, towns)] += count
    smallest = designing.load_smallest(session, survey)
    named = {town.id: town.name for town in towns if counts[town.id] >= smallest}
    left_out = sum(count for town, count in counts.items() if town not in named)
    return {} if 0 < left_out < smallest else named


def measure_results(evidence: Evidence, by: str = "area") -> list[MeasureResult]:
    """Return every measure overall and by `area`, `channel` or a question with one choice.

    Raises `Problem` when `by` is none of these, or when the survey's design cannot be computed.
    """
    order = group_order(evidence, by)
    with _computable(evidence):
        shown = rates_of(
            evidence.frame,
            evidence.questionnaire,
            evidence.design,
            by,
            order,
            smallest=evidence.smallest,
        )
    return [measure_result(evidence, each) for each in shown]


_METHODS = {
    IntervalMethod.WILSON: _("Wilson 法"),
    IntervalMethod.WILSON_POOLED: _("Wilson 法，合并设计效应"),
    IntervalMethod.KORN_GRAUBARD: _("Korn–Graubard 法"),
    IntervalMethod.CENSUS: _("全部调查"),
}


def method_name(method: IntervalMethod) -> Sentence:
    """Return what the formula behind an interval is called."""
    return _METHODS.get(method, method.value)


def doubts(rate: Rate) -> list[Sentence]:
    """Return in words what speaks against relying on a rate; the first says what follows."""
    found = [DOUBTS[doubt] for doubt in rate.reliability]
    if UNRELIABLE & set(rate.reliability):
        return [_("不够可靠，不宜对外引用"), *found]
    return [_("请复核"), *found] if found else []


def measure_result(evidence: Evidence, shown: Shown) -> MeasureResult:
    """Return what may be shown of one measure with its definition in words."""
    definition = describe(shown.measure, evidence.questionnaire)
    return MeasureResult(shown.measure, definition, shown.status, shown.rates, shown.groups)


def group_order(evidence: Evidence, by: str) -> tuple[Group, ...]:
    """Return the groups of a breakdown in the order in which they are shown."""
    if by == "area":
        return tuple(town.id for town in evidence.towns)
    if by == "channel":
        return tuple(channel.value for channel in Channel if channel.value in evidence.channels)
    for question in evidence.questionnaire.questions:
        for part in question.parts:
            if part.id == by and part.is_chosen_once:
                return part.codes
    raise Problem(_("只能按 area、channel 或只选一个的题分组，没有“%(by)s”。", by=by))


def group_name(evidence: Evidence, by: str, group: Group) -> str:
    """Return what a group is called: the town's name, the option's text, or the channel."""
    if by == "area":
        return next(town.name for town in evidence.towns if town.id == group)
    if by == "channel":
        return channel_name(str(group))
    choices = evidence.questionnaire.question(by).choices
    return next(option.text for option in choices if option.code == group)


def frequency_tables(evidence: Evidence) -> Sequence[FrequencyTable]:
    """Return the survey's frequency tables in the layout that its questionnaire gives."""
    return tables_of(evidence.frame, evidence.questionnaire, evidence.smallest)


def published_comparisons(evidence: Evidence) -> tuple[Comparison, ...]:
    """Return the figures that a report published from this questionnaire, beside these answers.

    Only the replay of a published table can be held against it: with other answers among them the
    figures may differ without anybody having erred, so there is no comparison then.
    """
    if not evidence.replayed or evidence.replayed != len(evidence.frame):
        return ()
    asked = evidence.questionnaire
    return tuple(
        comparison
        for published in bundled().values()
        if published.questionnaire == asked.id
        for comparison in compare(published, evidence.frame, asked, evidence.design)
    )


def shown_rate(evidence: Evidence, measure: Measure) -> Shown:
    """Return what may be shown of a measure, or of another definition over the same questions.

    Raises `Problem` when the survey's design cannot be computed.
    """
    asked, design = evidence.questionnaire, evidence.design
    with _computable(evidence):
        return rate_of(evidence.frame, asked, measure, design, evidence.smallest)


def raking(evidence: Evidence) -> Raked | None:
    """Return what raking to the survey's margins does to the weights; None where it is not done.

    Raises `Problem` when the margins cannot be met.
    """
    design = evidence.design
    if not design.margins or evidence.frame.empty or evidence.design_faults:
        return None
    with _computable(evidence):
        start = lay_out(evidence.frame, replace(design, margins={})).weights
        return rake(evidence.frame, start, design.margins)


@contextmanager
def _computable(evidence: Evidence) -> Iterator[None]:
    """Say in words what keeps a design from being computed."""
    for fault in evidence.design_faults:
        raise Problem(fault)
    try:
        yield
    except LonelyCluster as lonely:
        strata = "、".join(lonely.strata)
        raise Problem(
            _(
                "这些层只抽了一个单位，无法计算抽样误差：%(strata)s。请在“抽样设计”页选择怎样处理。",
                strata=strata,
            )
        ) from lonely
    except MarginError as fault:
        raise Problem(
            _("总体边际无法满足（%(fault)s），请在“抽样设计”页修改。", fault=str(fault))
        ) from fault


def _town(path: str, root: Area, towns: Sequence[Area]) -> int:
    return next((town.id for town in towns if path.startswith(town.path)), root.id)


def _place(path: str) -> int:
    return int(path.rstrip("/").rpartition("/")[2])
