"""Cross-tables: how the groups of a survey answered one question, without exposing anyone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from analysis.display import SMALLEST_GROUP, GroupStatus, groups_to_hide
from analysis.frames import option_column, option_counts
from analysis.rates import Group
from surveys.questionnaire import Option, Question, QuestionKind


@dataclass(frozen=True, slots=True)
class CrossCell:
    """How many of a group chose an option, and their exact share (0 to 1) of who answered."""

    count: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class CrossRow:
    """One group, or with `group` None everybody inside the filters.

    `n` of it answered the question. Unless it is shown there are no cells, and no `n`.
    """

    group: Group | None
    status: GroupStatus
    n: int | None
    cells: tuple[CrossCell, ...]


@dataclass(frozen=True, slots=True)
class CrossTable:
    """The answers to a question by group: a row for each group, a cell for each shown option.

    `hidden` are options that so few people chose that a cross-table about them would tell who.
    The shares of a select-all question are shares of people and may exceed 1 together.
    """

    question: Question
    by: str
    options: tuple[Option, ...]
    hidden: tuple[Option, ...]
    total: CrossRow
    rows: tuple[CrossRow, ...]


def can_cross(question: Question) -> bool:
    """Say whether a question's answers are options that can be counted."""
    return question.is_chosen_once or question.kind is QuestionKind.MULTIPLE


def cross_table(
    frame: pd.DataFrame,
    question: Question,
    by: str,
    order: Sequence[Group],
    *,
    inside: Mapping[str, Group] | None = None,
    smallest: int = SMALLEST_GROUP,
) -> CrossTable:
    """Count the answers to a question in every group of `by`.

    A group in which 1 to `smallest` - 1 people answered is suppressed, with more groups until
    those together hold `smallest` people, as in `analysis.rates.by_group`. Where `by` is a
    question, the two can also be crossed the other way round; so options of too few people are
    hidden in the same way, or that table's suppressed rows would stand here as columns.

    Parameters
        frame: as `build_frame` makes it.
        question: one that `can_cross` (a row of a matrix as its part).
        by: `area`, `channel`, or the id of another question with one choice.
        order: the groups to report, each once.
        inside: counts only people with these values, such as `{"area": 3}`. Tables of different
            filters can be taken from each other, therefore with filters there are groups only if
            under no values of these filters any group holds 1 to `smallest` - 1 people.

    Raises
        ValueError: the question is crossed with itself, or cannot be crossed.

    Source: SECURITY.md (anonymity); STATISTICS.md §5.

    Example: of 7 people in the first town 6 chose 知道, of 2 in the second 2: the second town is
    suppressed, and the first with it, since total minus first is second.
    """
    if question.id == by or not can_cross(question):
        raise ValueError(f"{question.id} cannot be crossed with {by}")
    filters = dict(inside or {})
    answered = frame[_answered(frame, question)]
    other_way = frame[frame[by].notna()] if by not in {"area", "channel"} else frame[:0]
    is_two_way = question.is_chosen_once and not other_way.empty
    hidden_options: frozenset[Group] = frozenset()
    if filters:
        sides = [(answered, by), *([(other_way, question.id)] if is_two_way else [])]
        are_shown = not any(_has_small(rows, [*filters, name], smallest) for rows, name in sides)
        hidden = frozenset[Group]() if are_shown else frozenset(order)
    else:
        hidden = _too_small(answered, by, order, smallest)
        if is_two_way:
            hidden_options = _too_small(other_way, question.id, question.codes, smallest)
    people = _matching(answered, filters)
    options = tuple(one for one in question.choices if one.code not in hidden_options)
    return CrossTable(
        question=question,
        by=by,
        options=options,
        hidden=tuple(one for one in question.choices if one.code in hidden_options),
        total=_row(
            people,
            None,
            question,
            options,
            is_hidden=bool(filters) and not _is_showable(answered, filters, smallest),
        ),
        rows=tuple(
            _row(people[people[by] == group], group, question, options, is_hidden=group in hidden)
            for group in order
        ),
    )


def _answered(frame: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    is_multiple = question.kind is QuestionKind.MULTIPLE
    name = option_column(question.id, question.codes[0]) if is_multiple else question.id
    return frame[name].notna()


def _matching(frame: pd.DataFrame, filters: Mapping[str, Group]) -> pd.DataFrame:
    for name, value in filters.items():
        frame = frame[frame[name] == value]
    return frame


def _too_small(
    frame: pd.DataFrame, column: str, order: Sequence[Group], smallest: int
) -> frozenset[Group]:
    """Return the values of a column that are not shown, so that none can be computed."""
    sizes = {group: int((frame[column] == group).sum()) for group in order}
    outside = len(frame) - sum(sizes.values())
    return groups_to_hide({group: n for group, n in sizes.items() if n}, [outside], smallest)


def _has_small(frame: pd.DataFrame, columns: Sequence[str], smallest: int) -> bool:
    """Say whether some combination of values is that of a few people; a blank is a value too."""
    sizes = frame.groupby([*columns], dropna=False, observed=True).size()
    return bool((sizes < smallest).any())


def _is_showable(frame: pd.DataFrame, filters: Mapping[str, Group], smallest: int) -> bool:
    if len(filters) > 1:
        return not _has_small(frame, [*filters], smallest)
    ((name, value),) = filters.items()
    return value not in _too_small(frame, name, list(frame[name].unique()), smallest)


def _row(
    people: pd.DataFrame,
    group: Group | None,
    question: Question,
    options: Sequence[Option],
    *,
    is_hidden: bool,
) -> CrossRow:
    n = len(people)
    if is_hidden:
        return CrossRow(group, GroupStatus.SUPPRESSED, None, ())
    if not n:
        return CrossRow(group, GroupStatus.NOBODY_ANSWERED, 0, ())
    counts = option_counts(people, question)
    cells = tuple(CrossCell(counts[one.code], Fraction(counts[one.code], n)) for one in options)
    return CrossRow(group, GroupStatus.SHOWN, n, cells)
