"""Rates: who counts as positive, out of whom, and how sure we are (STATISTICS.md §1, §2, §5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frames import option_column, were_asked
from analysis.intervals import Interval, wilson
from surveys.questionnaire import (
    Base,
    Composite,
    DontKnow,
    Item,
    Measure,
    MeasureKind,
    Questionnaire,
)

SMALLEST_GROUP = 5
"""Groups of fewer people are not broken down (the promise to residents, SECURITY.md)."""

SELF_SELECTED_NOTE = "自愿参与样本，不能推断抽样误差"

Group = int | str
_Flags = npt.NDArray[np.bool_]


class NobodyAnswered(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """Nobody is in the base: the rate does not exist, and it is not 0."""

    def __init__(self, measure: str) -> None:
        self.measure = measure
        super().__init__(f"{measure}: nobody is in the base")


class Sample(StrEnum):
    """How people came into the sample, which decides whether there is a sampling error."""

    SIMPLE = "simple"
    SELF_SELECTED = "self_selected"


@dataclass(frozen=True, slots=True)
class Design:
    """How the sample was drawn, and the confidence (0 to 1) of its intervals."""

    sample: Sample
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Item answers that are not in the base, by reason; whoever was not asked left nothing out.

    `unsure` are 不清楚 and 不适用 together: the measure's `unsure` codes do not tell them apart.
    """

    blank: int
    unsure: int

    @property
    def total(self) -> int:
        """Everything that is not in the base."""
        return self.blank + self.unsure


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with the two counts behind it, and what was left out.

    `value` is exact, 0 to 1. For one question it is `numerator / base`. A composite counts item
    answers, several per person: `numerator` and `base` are sums over its items, and with the rule
    `mean` its value is the mean of the item rates, which equals their quotient only where all
    items have the same base. `base + left_out.total` is how often an item was asked: without logic
    `asked` times the number of items.

    `asked` is the number of people who were asked at least one item (with the base `interviewed`
    everybody), `respondents` those of them who are in the base of at least one item. `interval` is
    None where the sample allows none; `interval_note` then says why.
    """

    measure: str
    name: str
    kind: MeasureKind
    option: str | None
    numerator: int
    base: int
    value: Fraction
    asked: int
    respondents: int
    left_out: LeftOut
    effective_n: float | None
    interval: Interval | None
    interval_note: str


class GroupStatus(StrEnum):
    """What can be said of one group."""

    SHOWN = "shown"
    NOBODY_ANSWERED = "nobody_answered"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One group's rate; None when nobody answered, or when it is withheld to protect people."""

    group: Group
    status: GroupStatus
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class _Marks:
    """What each person's answer to each item means; every array has a row per person."""

    positive: _Flags
    counted: _Flags
    asked: _Flags
    blank: _Flags
    unsure: _Flags

    @property
    def respondents(self) -> int:
        return int(self.counted.any(axis=1).sum())

    @property
    def fewest(self) -> int:
        """Return the people behind the thinnest item: what privacy is judged by.

        A mean of four rates lays a single person's answer bare when only that person answered one
        of the items and the other three rates are published too.
        """
        return min((int(base) for base in self.counted.sum(axis=0) if base), default=0)


def estimate(frame: pd.DataFrame, measure: Measure, design: Design) -> Rate:
    """Return the rate of a measure over one question, or over several with a composite rule.

    Parameters
        frame: as `build_frame` makes it; whoever is not in it was not asked.
        measure: any measure but a share per option.
        design: how the people in the frame came to be there.

    Returns
        The rate. For a simple sample its interval is Wilson's; a composite uses Wilson at the
        effective sample size `p(1-p) / var`, where the linearised variance takes each person's
        answers to all items together: one person's four answers are not four people.

    Raises
        NobodyAnswered: the base is empty, for a mean the base of any item.
        ValueError: the measure is one share per option (use `estimate_options`).

    Source: STATISTICS.md §1 and §2; the linearisation is the one that R survey's `svycontrast`
    applies to `svytotal`, with divisor n.

    Example: table 8 of Beian 2020 gives 90, 84, 96 and 95 of 103 for needs, convenience, skill
    and attitude; `satisfaction` is then 365/412, which prints as 88.59.
    """
    if measure.per_option:
        raise ValueError(f"{measure.id} is one share per option")
    return _rate(_marks(frame, measure), measure, design)


def estimate_options(frame: pd.DataFrame, measure: Measure, design: Design) -> tuple[Rate, ...]:
    """Return one share of people for each positive option of a select-all question.

    The base is people, not answers given, so the shares sum to more than 1. The options come in
    printed order. Parameters as for `estimate`.

    Raises
        NobodyAnswered: nobody is in the base.
        ValueError: the measure is no share per option (use `estimate`).

    Example: of three people one chose newspaper and leaflet, one leaflet, and one left the
    question blank; over the base `valid` newspaper is 1/2 and leaflet 2/2.
    """
    if not measure.per_option:
        raise ValueError(f"{measure.id} is not one share per option")
    (item,) = measure.items
    return tuple(
        _rate(_option_marks(frame, measure, code), measure, design, code)
        for code in _option_codes(frame, item)
        if code in item.positive
    )


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
    `smallest` people together; so one group is never hidden alone. People whose group is missing
    or not in `order` are hidden too. With no further group to suppress the total itself is about
    too few people: do not show it.

    Parameters
        column: a column of the frame that holds groups, such as `area`, `channel` or `q1`.
        order: the groups to report, each once; a group without people gets its own row.
        smallest: the smallest number of people that may be shown; at least 1.

    Raises
        ValueError: the measure is one share per option.

    Source: SECURITY.md (anonymity); STATISTICS.md §5.

    Example: groups of 3, 8 and 20 people give suppressed, suppressed, shown.
    """
    parts = {group: frame[frame[column] == group] for group in order}
    rates = {group: _rate_or_none(part, measure, design) for group, part in parts.items()}
    sizes = {group: _marks(part, measure).fewest for group, part in parts.items()}
    rest = _marks(frame[~frame[column].isin(order)], measure).fewest
    unshown = [rest, *(sizes[group] for group, rate in rates.items() if rate is None)]
    showable = {group: sizes[group] for group, rate in rates.items() if rate is not None}
    hidden = _groups_to_hide(showable, unshown, smallest)
    return tuple(_group_rate(group, rates[group], is_hidden=group in hidden) for group in order)


def describe(measure: Measure, questionnaire: Questionnaire) -> str:
    """Return the definition of a measure as one Chinese sentence, with the options' own words.

    Example: 第1题选“知道”的人数，占有效作答人数的比例（未作答的不计入）。

    Raises
        KeyError: the questionnaire lacks one of the measure's questions.
    """
    items = "、".join(_describe_item(item, questionnaire) for item in measure.items)
    people = _PEOPLE[measure.base]
    match measure.composite:
        case Composite.MEAN:
            rate = f"{items}的人数，各占{people}的比例，再取各题平均"
        case Composite.POOLED:
            rate = f"{items}的人次合计，占各题{people}合计的比例"
        case None if measure.per_option:
            rate = f"{items}的人数，逐项占{people}的比例"
        case None:
            rate = f"{items}的人数，占{people}的比例"
    return f"{rate}（{'，'.join(_describe_left_out(measure))}）。"


_PEOPLE = {
    Base.INTERVIEWED: "实际调查人数",
    Base.ROUTED: "问到该题的人数",
    Base.VALID: "有效作答人数",
}


def _marks(frame: pd.DataFrame, measure: Measure) -> _Marks:
    """Mark every item's answers; the arrays have a column per item."""
    answers = [(frame[item.question], item) for item in measure.items]
    return _within_base(
        measure,
        chosen=_columns(column.isin(list(item.positive)) for column, item in answers),
        answered=_columns(column.notna() for column, _ in answers),
        unsure=_columns(column.isin(list(item.unsure)) for column, item in answers),
        asked=_columns(were_asked(frame, item.question) for item in measure.items),
    )


def _option_marks(frame: pd.DataFrame, measure: Measure, code: str) -> _Marks:
    """Mark who chose one option of a select-all question; the arrays have one column."""
    (item,) = measure.items
    column = frame[option_column(item.question, code)]
    unsure = frame[[option_column(item.question, unsure) for unsure in item.unsure]]
    return _within_base(
        measure,
        chosen=_columns([column.fillna(value=False)]),
        answered=_columns([column.notna()]),
        unsure=_columns([unsure.any(axis=1)]),
        asked=_columns([were_asked(frame, item.question)]),
    )


def _option_codes(frame: pd.DataFrame, item: Item) -> list[str]:
    prefix = option_column(item.question, "")
    return [name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix)]


def _columns(flags: Iterable["pd.Series[bool]"]) -> _Flags:
    return np.column_stack([column.to_numpy(dtype=np.bool_) for column in flags])


def _within_base(
    measure: Measure, *, chosen: _Flags, answered: _Flags, unsure: _Flags, asked: _Flags
) -> _Marks:
    """Apply the measure's base: who counts, and why the others do not."""
    match measure.base:
        case Base.INTERVIEWED:
            asked = np.ones_like(asked)
            counted = asked.copy()
        case Base.ROUTED:
            counted = asked.copy()
        case Base.VALID:
            counted = answered.copy()
    if measure.dont_know is DontKnow.LEFT_OUT:
        counted &= ~unsure
    return _Marks(
        positive=chosen & counted,
        counted=counted,
        asked=asked,
        blank=asked & ~answered & ~counted,
        unsure=unsure & ~counted,
    )


def _rate(marks: _Marks, measure: Measure, design: Design, option: str | None = None) -> Rate:
    positives = [int(count) for count in marks.positive.sum(axis=0)]
    bases = [int(count) for count in marks.counted.sum(axis=0)]
    weights = _weights(measure, bases)
    value = sum((w * count for w, count in zip(weights, positives, strict=True)), Fraction(0))
    effective_n, interval, note = _certainty(marks, measure, design, value, weights)
    return Rate(
        measure=measure.id,
        name=measure.name,
        kind=measure.kind,
        option=option,
        numerator=sum(positives),
        base=sum(bases),
        value=value,
        asked=int(marks.asked.any(axis=1).sum()),
        respondents=marks.respondents,
        left_out=LeftOut(int(marks.blank.sum()), int(marks.unsure.sum())),
        effective_n=effective_n,
        interval=interval,
        interval_note=note,
    )


def _weights(measure: Measure, bases: Sequence[int]) -> list[Fraction]:
    """Return what one positive answer to each item adds to the rate."""
    if measure.composite is Composite.POOLED:
        bases = [sum(bases)] * len(bases)
        shares = 1
    else:
        shares = len(bases)
    if not all(bases):
        raise NobodyAnswered(measure.id)
    return [Fraction(1, shares * base) for base in bases]


def _certainty(
    marks: _Marks, measure: Measure, design: Design, value: Fraction, weights: Sequence[Fraction]
) -> tuple[float | None, Interval | None, str]:
    """Return the effective n and the interval, or the reason why there is none."""
    if design.sample is Sample.SELF_SELECTED:
        return None, None, SELF_SELECTED_NOTE
    variance = _variance(marks, _centres(marks, measure, value), weights)
    # Without any variance p(1-p)/var says nothing: at 0 or 1 it is 0/0, and when every person has
    # the same share of positive items the sample would claim to be certain. Then the number of
    # people is the honest sample size; Wilson still has a width there.
    n = float(value * (1 - value) / variance) if variance else float(marks.respondents)
    return n, wilson(float(value) * n, n, design.confidence), ""


def _centres(marks: _Marks, measure: Measure, value: Fraction) -> list[Fraction]:
    """Return the rate from which each item's answers deviate."""
    if measure.composite is Composite.POOLED:
        return [value] * marks.counted.shape[1]
    positives, bases = marks.positive.sum(axis=0), marks.counted.sum(axis=0)
    return [Fraction(int(a), int(n)) for a, n in zip(positives, bases, strict=True)]


def _variance(marks: _Marks, centres: Sequence[Fraction], weights: Sequence[Fraction]) -> Fraction:
    """Return the linearised variance of the rate, exactly.

    A person's influence is the sum over items of weight * (positive - centre * counted). Its
    square is summed over people through the items' cross counts, which are whole numbers; so no
    rounding error can pass for a tiny variance. Divisor n, not n - 1: for one question the
    effective n is then its base, and the interval plain Wilson.
    """
    y, v = marks.positive.astype(np.int64), marks.counted.astype(np.int64)
    both, mixed, base = y.T @ y, y.T @ v, v.T @ v
    items = range(len(weights))
    return sum(
        (
            weights[j]
            * weights[k]
            * (
                int(both[j, k])
                - centres[k] * int(mixed[j, k])
                - centres[j] * int(mixed[k, j])
                + centres[j] * centres[k] * int(base[j, k])
            )
            for j in items
            for k in items
        ),
        Fraction(0),
    )


def _rate_or_none(frame: pd.DataFrame, measure: Measure, design: Design) -> Rate | None:
    try:
        return estimate(frame, measure, design)
    except NobodyAnswered:
        return None


def _groups_to_hide(
    sizes: Mapping[Group, int], unshown: Iterable[int], smallest: int
) -> frozenset[Group]:
    """Choose the groups to suppress; `unshown` are sizes that have no rate to show anyway."""
    hidden = [group for group, size in sizes.items() if size < smallest]
    spare = sorted((group for group in sizes if group not in hidden), key=lambda g: sizes[g])
    concealed = [*unshown, *(sizes[group] for group in hidden)]
    # One hidden group is total minus shown; two hidden groups of one person each are as bare.
    while spare and 0 < sum(concealed) < smallest:
        hidden.append(spare.pop(0))
        concealed.append(sizes[hidden[-1]])
    return frozenset(hidden)


def _group_rate(group: Group, rate: Rate | None, *, is_hidden: bool) -> GroupRate:
    if rate is None:
        return GroupRate(group, GroupStatus.NOBODY_ANSWERED, None)
    if is_hidden:
        return GroupRate(group, GroupStatus.SUPPRESSED, None)
    return GroupRate(group, GroupStatus.SHOWN, rate)


def _describe_item(item: Item, questionnaire: Questionnaire) -> str:
    question = questionnaire.question(item.question)
    texts = [f"“{option.text}”" for option in question.choices if option.code in item.positive]
    return f"第{question.number}题选{'或'.join(texts)}"


def _describe_left_out(measure: Measure) -> Iterator[str]:
    yield "未作答的不计入" if measure.base is Base.VALID else "未作答的计入"
    if any(item.unsure for item in measure.items):
        left_out = measure.dont_know is DontKnow.LEFT_OUT
        yield "答不清楚、不适用的" + ("不计入" if left_out else "计入")
    if measure.per_option:
        yield "可多选，各项之和可以超过全部"
