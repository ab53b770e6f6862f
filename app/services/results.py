"""From stored submissions to rates and tables: the bridge into `analysis`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from analysis.archive import design_facts
from analysis.designs import Design, Sample
from analysis.frames import SubmissionRow, build_frame
from analysis.published import Comparison, bundled, compare
from analysis.rates import (
    Group,
    GroupRate,
    NobodyAnswered,
    Rate,
    by_group,
    describe,
    estimate,
    estimate_options,
)
from analysis.tables import FrequencyTable, frequency_table
from app.errors import Problem
from app.errors import say as _
from app.formats import channel_name
from app.models import Area, Channel, FreeText, Origin, Submission, Survey
from app.services.collecting import load_questionnaire
from app.services.external import ExternalFigure, load_figures
from app.services.inclusion import (
    Inclusion,
    is_counted,
    is_kept,
    is_set_aside,
    load_inclusion,
)
from app.services.retention import SMALLEST_GROUP
from app.services.seals import Stand, load_stand
from app.services.survey_areas import Place, Tree, in_reach, tree_of
from surveys.questionnaire import Measure, Questionnaire

TEXTS_ON_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Evidence:
    """The submissions of one survey that count as a frame, with what is needed to read them.

    `towns` are the areas directly below the survey's own; a submission from a village counts in
    its town, as they lay when the survey was opened. `channels` counts the submissions by channel.
    `external` holds what other sources counted, which is never mixed with these submissions.
    `everything` has also what review keeps out by the rule `inclusion`; `aside` are the keys of
    what was set aside, kept out or not. `stand` says whether all this is sealed.
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
    everything: pd.DataFrame
    aside: frozenset[str]
    stand: Stand

    @property
    def excluded(self) -> int:
        """How many submissions the rule keeps out."""
        return len(self.everything) - len(self.frame)


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """One measure with its rate, or the fact that nobody answered; shares per option are many."""

    measure: Measure
    definition: str
    rates: tuple[Rate, ...]
    groups: tuple[GroupRate, ...]


def load_evidence(session: Session, survey: Survey) -> Evidence:
    """Read the submissions of a survey, and which of them count."""
    questionnaire = load_questionnaire(session, survey.questionnaire.digest)
    tree = tree_of(session, survey)
    rule = load_inclusion(session, survey.id)
    columns = is_counted(rule).label("counts"), is_set_aside().label("aside")
    stored = session.execute(_submissions(survey).add_columns(*columns).where(is_kept())).all()
    rows = [_submission_row(each, tree) for each in stored]
    everything = build_frame(questionnaire, rows)
    counts = pd.Series([row.counts for row in stored], dtype="bool")
    frame = everything[counts].reset_index(drop=True)
    channels = Counter(frame["channel"])
    design = _design(channels)
    return Evidence(
        survey=survey,
        questionnaire=questionnaire,
        frame=frame,
        design=design,
        towns=tree.towns,
        channels=dict(channels),
        replayed=sum(row.origin is Origin.REPLAYED and row.counts for row in stored),
        external=load_figures(session, survey),
        inclusion=rule,
        everything=everything,
        aside=frozenset(str(row.key) for row in stored if row.aside),
        stand=load_stand(session, survey, design_facts(design), rule),
    )


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
    named = {town.id: town.name for town in tree.towns if counts[town.id] >= SMALLEST_GROUP}
    left_out = sum(count for town, count in counts.items() if town not in named)
    return {} if 0 < left_out < SMALLEST_GROUP else named


def measure_results(evidence: Evidence, by: str = "area") -> list[MeasureResult]:
    """Return every measure overall and by `area`, `channel` or a question with one choice.

    Raises `Problem` when `by` is none of these.
    """
    order = group_order(evidence, by)
    measures = evidence.questionnaire.measures
    return [_measure_result(evidence, measure, by, order) for measure in measures]


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

    Each is None when nobody in it answered. The last two differ from the first only where
    something was set aside; the rule may let some of that count.
    """

    measure: Measure
    official: Rate | None
    with_all: Rate | None
    without_aside: Rate | None


def reviewed_rates(evidence: Evidence) -> list[ReviewedRate]:
    """Return every measure with and without what review set aside; overall, never by group.

    By group they would tell what the few answered who were set aside there.
    """
    kept = ~evidence.everything["key"].isin(evidence.aside)
    frames = (evidence.frame, evidence.everything, evidence.everything[kept].reset_index(drop=True))
    read = [replace(evidence, frame=frame) for frame in frames]
    return [
        ReviewedRate(measure, *(rate_or_none(each, measure) for each in read))
        for measure in evidence.questionnaire.measures
        if not measure.per_option
    ]


def frequency_tables(evidence: Evidence) -> list[FrequencyTable]:
    """Return the survey's frequency tables in the layout that its questionnaire gives."""
    return [
        frequency_table(evidence.frame, evidence.questionnaire, table)
        for table in evidence.questionnaire.tables
    ]


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


def rate_or_none(evidence: Evidence, measure: Measure) -> Rate | None:
    """Return the overall rate of a measure; None when nobody answered, which is not 0."""
    try:
        return estimate(evidence.frame, measure, evidence.design)
    except NobodyAnswered:
        return None


def _measure_result(
    evidence: Evidence, measure: Measure, by: str, order: Sequence[Group]
) -> MeasureResult:
    definition = describe(measure, evidence.questionnaire)
    if measure.per_option:
        return MeasureResult(measure, definition, _option_rates(evidence, measure), ())
    rate = rate_or_none(evidence, measure)
    groups = by_group(evidence.frame, measure, evidence.design, by, order) if rate else ()
    return MeasureResult(measure, definition, (rate,) if rate else (), groups)


def _option_rates(evidence: Evidence, measure: Measure) -> tuple[Rate, ...]:
    try:
        return estimate_options(evidence.frame, measure, evidence.design)
    except NobodyAnswered:
        return ()


def _design(channels: Counter[str]) -> Design:
    # Whoever sees a poster may answer: with such answers among them no sampling error can be
    # inferred (STATISTICS.md §2), and saying so beats an interval that misleads.
    self_selected = channels[Channel.POSTER.value] > 0
    return Design(Sample.SELF_SELECTED if self_selected else Sample.SIMPLE)
