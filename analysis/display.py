"""What may be shown: the one gate that every page, export, feed and command passes through.

Privacy comes first and has no exception: an answer of fewer than `smallest` people is withheld,
and so is whatever it could be computed back from. Reliability comes second and is a warning: a
page says in words what speaks against relying on a rate; an official table leaves it out.

Source: SECURITY.md (anonymity); STATISTICS.md §5; National Center for Health Statistics, series 2
no. 175 (2017).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd

from analysis.designs import Design
from analysis.frames import count_answered, option_counts
from analysis.rates import (
    UNRELIABLE,
    Group,
    GroupFigures,
    NobodyAnswered,
    Rate,
    estimate,
    estimate_options,
    figures_by_group,
    people_by_question,
)
from analysis.tables import FrequencyTable, frequency_table
from surveys.questionnaire import Measure, QuestionKind, Questionnaire

SMALLEST_GROUP = 5
"""Answers of fewer people are withheld, unless a survey asks for more."""

LARGEST_SMALLEST = 10
"""The most that a survey may ask for."""

_SURE = 1e-6


class GroupStatus(StrEnum):
    """What can be said of one group, or of all."""

    SHOWN = "shown"
    NOBODY_ANSWERED = "nobody_answered"
    SUPPRESSED = "suppressed"
    UNRELIABLE = "unreliable"


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One group's rate; None when nobody answered, or when it is withheld."""

    group: Group
    status: GroupStatus
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be shown of one measure: the rates of all (several per option), and by group."""

    measure: Measure
    status: GroupStatus
    rates: tuple[Rate, ...]
    groups: tuple[GroupRate, ...]


def thin_questions(
    frame: pd.DataFrame, questionnaire: Questionnaire, smallest: int = SMALLEST_GROUP
) -> frozenset[str]:
    """Return the questions of which nothing may be shown: too few people answered them.

    A question is thin if 1 to `smallest` - 1 people answered it, or are in the base of a measure
    over it. Everything made from it is withheld together: what one definition hides another one
    over the same answers would tell.
    """
    parts = [part for question in questionnaire.questions for part in question.parts]
    counted = [
        (part.id, count_answered(frame, part)) for part in parts if part.kind in _COUNTED
    ] + [
        pair
        for measure in questionnaire.measures
        for pair in people_by_question(frame, measure).items()
    ]
    return frozenset(question for question, people in counted if 0 < people < smallest)


_COUNTED = {
    QuestionKind.SINGLE,
    QuestionKind.SCALE,
    QuestionKind.NPS,
    QuestionKind.MULTIPLE,
    QuestionKind.NUMBER,
}


def rate_of(
    frame: pd.DataFrame,
    questionnaire: Questionnaire,
    measure: Measure,
    design: Design,
    smallest: int = SMALLEST_GROUP,
) -> Shown:
    """Return what may be shown of one measure over everybody.

    Parameters
        measure: one of the questionnaire's, or another definition over its questions.

    Raises
        LonelyCluster, MarginError, ValueError: as `analysis.rates.estimate` says.
    """
    asked = replace(questionnaire, measures=(*questionnaire.measures, measure))
    return _whole(frame, measure, design, thin_questions(frame, asked, smallest))


def rates_of(
    frame: pd.DataFrame,
    questionnaire: Questionnaire,
    design: Design,
    column: str,
    order: Sequence[Group],
    *,
    smallest: int = SMALLEST_GROUP,
) -> tuple[Shown, ...]:
    """Return what may be shown of every measure, over everybody and by the groups of a column.

    Measures that share a question hide the same groups: a group that one definition withholds
    could else be read off another one. By another question the same people stand in two
    breakdowns, this one and that question's measures by these; so there it is all groups or none,
    and none where few chose an option on either side.
    """
    thin = thin_questions(frame, questionnaire, smallest)
    shown = {measure.id: _whole(frame, measure, design, thin) for measure in questionnaire.measures}
    for linked in _linked(questionnaire.measures):
        counted = [one for one in linked if shown[one.id].status is GroupStatus.SHOWN]
        for measure, groups in _grouped(frame, counted, design, column, order, smallest):
            if column not in _BESIDE_QUESTIONS and (
                _has_few(frame, questionnaire, measure, smallest) or _hides(groups)
            ):
                groups = tuple(_without_rate(each) for each in groups)  # noqa: PLW2901 - the gate
            shown[measure.id] = replace(shown[measure.id], groups=groups)
    return tuple(shown.values())


_BESIDE_QUESTIONS = {"area", "channel"}


def _has_few(
    frame: pd.DataFrame, questionnaire: Questionnaire, measure: Measure, smallest: int
) -> bool:
    """Say whether few people chose some option of a question that a measure is made from."""
    parts = {part.id: part for question in questionnaire.questions for part in question.parts}
    return any(
        0 < count < smallest
        for item in measure.items
        for count in option_counts(frame, parts[item.question]).values()
    )


def _hides(groups: Sequence[GroupRate]) -> bool:
    return any(group.status is GroupStatus.SUPPRESSED for group in groups)


def _without_rate(group: GroupRate) -> GroupRate:
    if group.rate is None:
        return group
    return GroupRate(group.group, GroupStatus.SUPPRESSED, None)


def by_group(
    frame: pd.DataFrame,
    measure: Measure,
    design: Design,
    column: str,
    order: Sequence[Group],
    *,
    smallest: int = SMALLEST_GROUP,
) -> tuple[GroupRate, ...]:
    """Return the rate of every group of `column`, in the given order, without exposing anyone.

    A group with 1 to `smallest` - 1 people in the base (of any item) is suppressed. The total is
    public, so whatever is hidden can be computed, all together, as total minus shown groups.
    Therefore more groups are suppressed, the smallest first, until the hidden ones hold at least
    `smallest` people together, do not all say the same, and cannot be told apart by their weights:
    the raw and the weighted total are two equations. People whose group is missing or not in
    `order` are hidden too. With no further group to suppress all are.

    Parameters
        smallest: the smallest number of people that may be shown; at least 1.

    Raises
        ValueError: the measure is one share per option.

    Example: groups of 3, 8 and 20 people give suppressed, suppressed, shown.
    """
    ((_measure, groups),) = _grouped(frame, [measure], design, column, order, smallest)
    return groups


def groups_to_hide(
    sizes: Mapping[Group, int], unshown: Iterable[int], smallest: int = SMALLEST_GROUP
) -> frozenset[Group]:
    """Return the groups to suppress where nothing but counts is shown.

    Each with fewer than `smallest` people, and then the next smallest ones until what is hidden
    holds at least as many together: it can be computed as total minus shown groups. `unshown` are
    sizes of groups that are not shown anyway.
    """
    hidden = [group for group, size in sizes.items() if size < smallest]
    spare = sorted((group for group in sizes if group not in hidden), key=lambda one: sizes[one])
    concealed = [*unshown, *(sizes[group] for group in hidden)]
    # One hidden group is total minus shown; two hidden groups of one person each are as bare.
    while spare and 0 < sum(concealed) < smallest:
        hidden.append(spare.pop(0))
        concealed.append(sizes[hidden[-1]])
    return frozenset(hidden)


def tables_of(
    frame: pd.DataFrame, questionnaire: Questionnaire, smallest: int = SMALLEST_GROUP
) -> tuple[FrequencyTable, ...]:
    """Return the questionnaire's frequency tables; counts of thin questions are None."""
    thin = thin_questions(frame, questionnaire, smallest)
    return tuple(
        _without(frequency_table(frame, questionnaire, table), thin)
        for table in questionnaire.tables
    )


def official(shown: Shown) -> Shown:
    """Return what an official table shows: no rate that is not reliable."""
    is_unreliable = any(UNRELIABLE & set(rate.reliability) for rate in shown.rates)
    return replace(
        shown,
        status=GroupStatus.UNRELIABLE if is_unreliable else shown.status,
        rates=() if is_unreliable else shown.rates,
        groups=tuple(_official(group) for group in shown.groups),
    )


def _official(group: GroupRate) -> GroupRate:
    if group.rate is None or not UNRELIABLE & set(group.rate.reliability):
        return group
    return GroupRate(group.group, GroupStatus.UNRELIABLE, None)


def _whole(frame: pd.DataFrame, measure: Measure, design: Design, thin: frozenset[str]) -> Shown:
    if thin & {item.question for item in measure.items}:
        return Shown(measure, GroupStatus.SUPPRESSED, (), ())
    try:
        if measure.per_option:
            rates = estimate_options(frame, measure, design)
        else:
            rates = (estimate(frame, measure, design),)
    except NobodyAnswered:
        return Shown(measure, GroupStatus.NOBODY_ANSWERED, (), ())
    return Shown(measure, GroupStatus.SHOWN, rates, ())


def _linked(measures: Iterable[Measure]) -> list[list[Measure]]:
    """Put measures together that share a question, directly or through others."""
    linked: list[list[Measure]] = []
    for measure in measures:
        if measure.per_option:
            continue
        asked = _questions([measure])
        touched = [each for each in linked if asked & _questions(each)]
        linked = [each for each in linked if each not in touched]
        linked.append([*(one for each in touched for one in each), measure])
    return linked


def _questions(measures: Iterable[Measure]) -> set[str]:
    return {item.question for measure in measures for item in measure.items}


def _grouped(
    frame: pd.DataFrame,
    measures: Sequence[Measure],
    design: Design,
    column: str,
    order: Sequence[Group],
    smallest: int,
) -> Iterator[tuple[Measure, tuple[GroupRate, ...]]]:
    figures = [figures_by_group(frame, one, design, column, order) for one in measures]
    hidden = _groups_to_hide(figures, smallest)
    for measure, groups in zip(measures, figures, strict=True):
        yield (
            measure,
            tuple(
                _group_rate(each.group, each.rate, hidden)
                for each in groups
                if each.group is not None
            ),
        )


def _group_rate(group: Group, rate: Rate | None, hidden: frozenset[Group]) -> GroupRate:
    if group in hidden:
        return GroupRate(group, GroupStatus.SUPPRESSED, None)
    if rate is None:
        return GroupRate(group, GroupStatus.NOBODY_ANSWERED, None)
    return GroupRate(group, GroupStatus.SHOWN, rate)


def _groups_to_hide(figures: Sequence[Sequence[GroupFigures]], smallest: int) -> frozenset[Group]:
    """Choose the groups that all of these measures hide."""
    sizes: dict[Group, int] = {}
    for each in (one for groups in figures for one in groups):
        if each.group is not None and each.rate is not None:
            sizes[each.group] = min(each.people, sizes.get(each.group, each.people))
    hidden = {group for group, people in sizes.items() if people < smallest}
    spare = sorted((group for group in sizes if group not in hidden), key=lambda one: sizes[one])
    while spare and not all(_is_protected(groups, hidden, smallest) for groups in figures):
        hidden.add(spare.pop(0))
    return frozenset(hidden)


def _is_protected(groups: Sequence[GroupFigures], hidden: set[Group], smallest: int) -> bool:
    """Whether total minus shown groups tells nothing of a group that is too small."""
    concealed = [
        one
        for one in groups
        if one.people and (one.group is None or one.rate is None or one.group in hidden)
    ]
    if not any(one.people < smallest for one in concealed):
        return True
    if sum(one.people for one in concealed) < smallest:
        return False
    total = sum(one.positive for one in groups), sum(one.answers for one in groups)
    if total[0] in {0, total[1]}:
        return True  # everybody says the same: the total alone tells, and hiding more is no help
    return not any(
        _is_known(one, [other for other in concealed if other is not one])
        for one in concealed
        if one.people < smallest
    )


def _is_known(one: GroupFigures, others: Sequence[GroupFigures]) -> bool:
    """Whether the totals over some hidden groups fix what one of them says.

    Two totals are public, the raw and, where weights differ, the weighted one; and no group has
    fewer than 0 positive answers or more than it has answers.
    """
    pool = [one, *others]
    rows = [np.ones(len(pool))]
    if len(frozenset().union(*(each.weights for each in pool))) > 1:
        rows.append(np.array([sum(each.weights) / len(each.weights) for each in pool]))
    elif others:
        return sum(each.positive for each in pool) in {0, sum(each.answers for each in pool)}
    lowest, highest = _range(np.array(rows), pool)
    return highest - lowest < 1 - _SURE


def _range(
    rows: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", pool: Sequence[GroupFigures]
) -> tuple[float, float]:
    """Return how few and how many positive answers the first of these groups may have."""
    from scipy.optimize import linprog  # noqa: PLC0415 - see analysis.intervals

    positive = np.array([each.positive for each in pool], dtype=float)
    bounds = [(0, each.answers) for each in pool]
    first = np.eye(len(pool))[0]
    scale = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / scale
    ends = [
        linprog(sign * first, A_eq=scaled, b_eq=scaled @ positive, bounds=bounds)
        for sign in (1, -1)
    ]
    if not all(end.success for end in ends):
        return positive[0], positive[0]
    return float(ends[0].fun), float(-ends[1].fun)


def _without(table: FrequencyTable, thin: frozenset[str]) -> FrequencyTable:
    """Return a table without the figures of these questions."""
    return replace(
        table,
        blocks=tuple(
            replace(block, rows=tuple(replace(row, count=None, share=None) for row in block.rows))
            if block.question in thin
            else block
            for block in table.blocks
        ),
        summaries=tuple(
            replace(each, mean=None, median=None, lowest=None, highest=None)
            if each.question in thin
            else each
            for each in table.summaries
        ),
    )
