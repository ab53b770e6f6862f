"""From stored submissions to rates and tables: the bridge into `analysis`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from analysis.archive import design_facts
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
from app.models import Area, Channel, FreeText, Origin, Submission, Survey, SurveyDesign
from app.services import designing
from app.services.collecting import load_questionnaire
from app.services.designing import Laid
from app.services.external import ExternalFigure, load_figures
from app.services.inclusion import (
    Inclusion,
    is_counted,
    is_kept,
    is_set_aside,
    load_inclusion,
)
from app.services.seals import Stand, load_stand
from app.services.survey_areas import Place, Tree, in_reach, tree_of
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
    """The submissions of one survey that count as a frame, with what is needed to read them.

    `towns` are the areas directly below the survey's own; a submission from a village counts in
    its town, as they lay when the survey was opened. `channels` counts the submissions by channel.
    `external` holds what other sources counted, which is never mixed with these submissions.
    `everything` has also what review keeps out by the rule `inclusion`, `without_aside` nothing
    that was set aside, kept out or not. `stand` says whether all this is sealed.
    """

    survey: Survey
    questionnaire: Questionnaire
    frame: pd.DataFrame
    design: Design
    towns: tuple[Place, ...]
    channels: dict[str, int]
    replayed: int
    external: tuple[ExternalFigure, ...]
    inclusion: Inclusion
    everything: Laid
    without_aside: Laid
    stand: Stand
    smallest: int = SMALLEST_GROUP
    design_note: Sentence = ""
    design_faults: tuple[Sentence, ...] = ()

    @property
    def excluded(self) -> int:
        """How many submissions the rule keeps out."""
        return len(self.everything.frame) - len(self.frame)

    @property
    def aside(self) -> int:
        """How many submissions were set aside, kept out or not."""
        return len(self.everything.frame) - len(self.without_aside.frame)

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
    """Read the submissions of a survey, and which of them count."""
    questionnaire = load_questionnaire(session, survey.questionnaire.digest)
    tree = tree_of(session, survey)
    rule = load_inclusion(session, survey.id)
    drawn = designing.load_design(session, survey)
    columns = is_counted(rule).label("counts"), is_set_aside().label("aside")
    stored = session.execute(_submissions(survey).add_columns(*columns).where(is_kept())).all()
    everything = build_frame(questionnaire, [_submission_row(each, tree) for each in stored])
    counted = _laid(everything, stored, drawn, [bool(row.counts) for row in stored])
    computed = {**design_facts(counted.design), "smallest": counted.smallest}
    return Evidence(
        survey=survey,
        questionnaire=questionnaire,
        frame=counted.frame,
        design=counted.design,
        towns=tree.towns,
        channels=dict(Counter(counted.frame["channel"])),
        replayed=sum(row.origin is Origin.REPLAYED and row.counts for row in stored),
        external=load_figures(session, survey),
        inclusion=rule,
        everything=_laid(everything, stored, drawn, [True for _row in stored]),
        without_aside=_laid(everything, stored, drawn, [not row.aside for row in stored]),
        stand=load_stand(session, survey, computed, rule),
        smallest=counted.smallest,
        design_note=counted.note,
        design_faults=counted.faults,
    )


def _laid(
    everything: pd.DataFrame,
    stored: Sequence[Row[Any]],
    drawn: SurveyDesign | None,
    chosen: Sequence[bool],
) -> Laid:
    """Lay the survey's design over some of its submissions."""
    frame = everything[pd.Series(chosen, dtype="bool")].reset_index(drop=True)
    villages = [row.area_id for row, is_chosen in zip(stored, chosen, strict=True) if is_chosen]
    has_posters = bool((frame["channel"] == Channel.POSTER.value).any())
    return designing.lay_design(frame, villages, drawn, has_posters=has_posters)


def load_withdrawn(session: Session, evidence: Evidence) -> list[SubmissionRow]:
    """Read the submissions of a survey that were withdrawn together with their import."""
    tree = tree_of(session, evidence.survey)
    stored = session.execute(_submissions(evidence.survey).where(~is_kept()))
    return [_submission_row(each, tree) for each in stored]


def _submissions(survey: Survey) -> Select[Any]:
    return (
        select(
            Submission.key,
            Submission.area_id,
            Submission.channel,
            Submission.batch_id,
            Submission.answers,
            Submission.origin,
        )
        .where(Submission.survey_id == survey.id)
        .order_by(Submission.key)
    )


def _submission_row(stored: Row[Any], tree: Tree) -> SubmissionRow:
    town = tree.town_of(stored.area_id)
    return SubmissionRow(
        str(stored.key), town, stored.channel.value, stored.batch_id, stored.answers
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
    tree = tree_of(session, survey)
    named = _nameable(session, survey, tree)
    rows = session.execute(
        select(FreeText.question_id, FreeText.text, Submission.area_id)
        .join(Submission, Submission.key == FreeText.submission_key)
        .join(Area, Area.id == Submission.area_id)
        .where(Submission.survey_id == survey.id, is_counted(load_inclusion(session, survey.id)))
        .where(FreeText.text.is_not(None), in_reach(Submission.survey_id, branch))
        .order_by(FreeText.digest)
        .offset(start)
        .limit(TEXTS_ON_A_PAGE + 1)
    )
    return [
        WrittenText(
            questionnaire.question(question.partition(".")[0]).text,
            text or "",
            named.get(tree.town_of(area_id)),
        )
        for question, text, area_id in rows
    ]


def _nameable(session: Session, survey: Survey, tree: Tree) -> dict[int, str]:
    """Return the towns, by id, that may stand beside a text: none has few answers.

    Nor may the towns left out have few together, or a text without a town would name them.
    """
    by_area = session.execute(
        select(Submission.area_id, func.count())
        .where(Submission.survey_id == survey.id, is_counted(load_inclusion(session, survey.id)))
        .group_by(Submission.area_id)
    )
    counts: Counter[int] = Counter()
    for area_id, count in by_area:
        counts[tree.town_of(area_id)] += count
    smallest = designing.load_smallest(session, survey)
    named = {town.id: town.name for town in tree.towns if counts[town.id] >= smallest}
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


@dataclass(frozen=True, slots=True)
class ReviewedRate:
    """One measure over what counts, over everything, and without all that was set aside.

    Each is None when nobody in it answered, or too few. The last two differ from the first only
    where something was set aside; the rule may let some of that count.
    """

    measure: Measure
    official: Rate | None
    with_all: Rate | None
    without_aside: Rate | None


def reviewed_rates(evidence: Evidence) -> list[ReviewedRate]:
    """Return every measure with and without what review set aside; overall, never by group.

    By group they would tell what the few answered who were set aside there. Whoever may see this
    where few were set aside is for the caller to say: see `tells_few_apart`.
    """
    read = [
        replace(evidence, frame=laid.frame, design=laid.design, design_faults=laid.faults)
        for laid in (evidence.everything, evidence.without_aside)
    ]
    return [
        ReviewedRate(measure, *(_overall(each, measure) for each in (evidence, *read)))
        for measure in evidence.questionnaire.measures
        if not measure.per_option
    ]


def tells_few_apart(evidence: Evidence) -> bool:
    """Say whether rates with and without what was set aside would tell what a few answered.

    One taken from the other gives the answers of those by whom they differ.
    """
    every, clean = len(evidence.everything.frame), len(evidence.without_aside.frame)
    official = len(evidence.frame)
    apart = every - official, every - clean, abs(official - clean)
    return any(0 < difference < evidence.smallest for difference in apart)


def _overall(evidence: Evidence, measure: Measure) -> Rate | None:
    return next(iter(shown_rate(evidence, measure).rates), None)


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
