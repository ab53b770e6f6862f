"""Rates: who counts as positive, out of whom, and how sure we are (STATISTICS.md §1, §2, §5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from math import lcm, sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.designs import Design, Drawn, Estimate, Sample, lay_out, ratios, summarise
from analysis.frames import option_column, were_asked
from analysis.intervals import Interval, IntervalMethod, in_population, korn_graubard, wilson
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
_Counts = npt.NDArray[np.int64]


class NobodyAnswered(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """Nobody is in the base: the rate does not exist, and it is not 0."""

    def __init__(self, measure: str) -> None:
        self.measure = measure
        super().__init__(f"{measure}: nobody is in the base")


class Reliability(StrEnum):
    """Why a rate should not be relied on, or should be looked at before it is.

    Source: National Center for Health Statistics, series 2 no. 175 (2017).
    """

    FEW_PEOPLE = "few_people"
    WIDE_INTERVAL = "wide_interval"
    WIDE_FOR_ITS_SIZE = "wide_for_its_size"
    FEW_CLUSTERS = "few_clusters"
    NONE_OR_ALL = "none_or_all"


UNRELIABLE = frozenset(
    {Reliability.FEW_PEOPLE, Reliability.WIDE_INTERVAL, Reliability.WIDE_FOR_ITS_SIZE}
)
"""What keeps a rate out of official tables; the rest asks for a second look."""

FEWEST_EFFECTIVE = 30
FEWEST_FREEDOM = 8
WIDEST = 0.30
NARROW_ENOUGH = 0.05
WIDEST_FOR_ITS_SIZE = 1.30

CENSUS_NOTE = "全部调查，没有抽样误差"
FEW_CLUSTERS_NOTE = "抽样单位太少，不能计算抽样误差"


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

    `value` is exact and raw: every answer counts the same. It is 0 to 1; a score is that share of
    100 points, and a net promoter score goes from -1. For one question it is `credit / base`.
    `numerator` counts the positive answers, and `credit` what they are worth: less where some
    count in part. A composite counts item answers, several per person: `numerator` and `base` are
    sums over its items, and with the rules `mean` and `person` its value need not be their
    quotient. `base + left_out.total` is how often an item was asked: without logic `asked` times
    the number of items.

    `asked` is the number of people who were asked at least one item (with the base `interviewed`
    everybody), `respondents` those of them who are in the base of at least one item. `interval` is
    None where the sample allows none; `interval_note` then says why.

    Of a drawn sample `weighted` is the rate under its weights, to which error and interval belong;
    otherwise it is None. `effective_n` is how many yes and no answers of a simple sample would
    know as much.
    """

    measure: str
    name: str
    kind: MeasureKind
    option: str | None
    numerator: int
    credit: Fraction
    base: int
    value: Fraction
    asked: int
    respondents: int
    left_out: LeftOut
    weighted: float | None
    error: float | None
    freedom: int | None
    design_effect: float | None
    effective_n: float | None
    interval: Interval | None
    interval_note: str
    reliability: tuple[Reliability, ...]


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
    """What each person's answer to each item means; every array has a row per person.

    `credit` is what it is worth in whole parts, `unit` of which are one answer: the sums stay
    exact.
    """

    positive: _Flags
    credit: _Counts
    unit: int
    counted: _Flags
    asked: _Flags
    blank: _Flags
    unsure: _Flags

    def inside(self, domain: _Flags) -> "_Marks":
        """Return the marks of some people; the others stay as rows that count for nothing."""
        rows = domain[:, None]
        return _Marks(
            positive=self.positive & rows,
            credit=self.credit * rows,
            unit=self.unit,
            counted=self.counted & rows,
            asked=self.asked & rows,
            blank=self.blank & rows,
            unsure=self.unsure & rows,
        )

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
        The rate. For a simple sample its interval is Wilson's; a composite or a rate of partial
        credits uses Wilson at the effective sample size `p(1-p) / var`, where the linearised
        variance takes each person's answers to all items together: one person's four answers are
        not four people. For a drawn sample it is Korn and Graubard's.

    Raises
        NobodyAnswered: the base is empty, for a mean the base of any item.
        ValueError: the measure is one share per option (use `estimate_options`), or the design
            does not fit the frame (`analysis.designs.lay_out`).
        LonelyCluster, MarginError: as `analysis.designs` says.

    Source: STATISTICS.md §1 and §2; the linearisation is the one that R survey's `svycontrast`
    applies to `svytotal`, with divisor n.

    Example: table 8 of Beian 2020 gives 90, 84, 96 and 95 of 103 for needs, convenience, skill
    and attitude; `satisfaction` is then 365/412, which prints as 88.59.
    """
    if measure.per_option:
        raise ValueError(f"{measure.id} is one share per option")
    return _rate(_marks(frame, measure), measure, _laid_out(frame, design))


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
    drawing = _laid_out(frame, design)
    return tuple(
        _rate(_option_marks(frame, measure, code), measure, drawing, code)
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

    The groups of a drawn sample keep its whole design; where one has few clusters of its own its
    interval is Wilson's at n / max(1, the design effect of all), and says so.

    Parameters
        column: a column of the frame that holds groups, such as `area`, `channel` or `q1`.
        order: the groups to report, each once; a group without people gets its own row.
        smallest: the smallest number of people that may be shown; at least 1.

    Raises
        ValueError: the measure is one share per option.

    Source: SECURITY.md (anonymity); STATISTICS.md §5.

    Example: groups of 3, 8 and 20 people give suppressed, suppressed, shown.
    """
    marks = _marks(frame, measure)
    parts = {
        group: marks.inside((frame[column] == group).to_numpy(dtype=np.bool_)) for group in order
    }
    drawing = replace(_laid_out(frame, design), population=None)
    drawing = replace(drawing, pooled_effect=_pooled_effect(marks, measure, drawing))
    rates = {group: _rate_or_none(part, measure, drawing) for group, part in parts.items()}
    sizes = {group: part.fewest for group, part in parts.items()}
    outside = ~frame[column].isin(order).to_numpy(dtype=np.bool_)
    unshown = [
        marks.inside(outside).fewest,
        *(sizes[group] for group, rate in rates.items() if rate is None),
    ]
    showable = {group: sizes[group] for group, rate in rates.items() if rate is not None}
    hidden = groups_to_hide(showable, unshown, smallest)
    return tuple(_group_rate(group, rates[group], is_hidden=group in hidden) for group in order)


def describe(measure: Measure, questionnaire: Questionnaire) -> str:
    """Return the definition of a measure as one Chinese sentence, with the options' own words.

    Example: 第1题选“知道”的人数，占有效作答人数的比例（未作答的不计入）。

    Raises
        KeyError: the questionnaire lacks one of the measure's questions.
    """
    people = _PEOPLE[measure.base]
    items = "、".join(_describe_item(measure, item, questionnaire) for item in measure.items)
    match measure.kind, measure.composite:
        case MeasureKind.SCORE, composite:
            rate = f"{items}，{people}的平均分{_SCORES[composite]}"
        case MeasureKind.NPS, composite:
            rate = f"{items}，各占{people}的比例之差{_SCORES[composite]}"
        case _, Composite.MEAN:
            rate = f"{items}的人数，各占{people}的比例，再取各题{_describe_weights(measure)}平均"
        case _, Composite.POOLED:
            rate = f"{items}的人次合计，占各题{people}合计的比例"
        case _, Composite.PERSON:
            weights = _describe_weights(measure)
            rate = f"{items}的题数，占每人各题（{people}）{weights}的比例，再取各人平均"
        case _ if measure.per_option:
            rate = f"{items}的人数，逐项占{people}的比例"
        case _:
            rate = f"{items}的人数，占{people}的比例"
    return f"{rate}（{'，'.join(_describe_left_out(measure))}）。"


_PEOPLE = {
    Base.INTERVIEWED: "实际调查人数",
    Base.ROUTED: "问到该题的人数",
    Base.VALID: "有效作答人数",
}


_SCORES = {
    None: "",
    Composite.MEAN: "，再取各题平均",
    Composite.POOLED: "，各题合在一起算",
    Composite.PERSON: "，先算每人各题，再取各人平均",
}

# What people say of 0 to 10: promoters count for, detractors against (Reichheld 2003).
_NET_PROMOTERS = {str(point): Fraction((point >= 9) - (point <= 6)) for point in range(11)}


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A design, laid out over the frame where its sample was drawn."""

    sample: Sample
    confidence: float
    population: int | None
    drawn: Drawn | None
    pooled_effect: float | None = None


def _laid_out(frame: pd.DataFrame, design: Design) -> _Drawing:
    is_drawn = design.sample is Sample.DRAWN and not frame.empty
    drawn = lay_out(frame, design) if is_drawn else None
    return _Drawing(design.sample, design.confidence, design.population, drawn)


def _credits(measure: Measure, item: Item) -> dict[str, Fraction]:
    """Return what each option of an item is worth; the others are worth nothing."""
    match measure.kind:
        case MeasureKind.NPS:
            return _NET_PROMOTERS
        case MeasureKind.SCORE:
            return {code: Fraction(points) / 100 for code, points in item.credit.items()}
        case _:
            return {code: Fraction(item.credit.get(code, 1)) for code in item.positive}


def _marks(frame: pd.DataFrame, measure: Measure) -> _Marks:
    """Mark every item's answers; the arrays have a column per item."""
    answers = [(frame[item.question], item) for item in measure.items]
    worth = [_credits(measure, item) for item in measure.items]
    unit = lcm(*(credit.denominator for codes in worth for credit in codes.values()))
    return _within_base(
        measure,
        credit=np.column_stack(
            [
                _worth(column, {code: int(credit * unit) for code, credit in codes.items()})
                for (column, _), codes in zip(answers, worth, strict=True)
            ]
        ),
        unit=unit,
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
        credit=_columns([column.fillna(value=False)]).astype(np.int64),
        unit=1,
        answered=_columns([column.notna()]),
        unsure=_columns([unsure.any(axis=1)]),
        asked=_columns([were_asked(frame, item.question)]),
    )


def _option_codes(frame: pd.DataFrame, item: Item) -> list[str]:
    prefix = option_column(item.question, "")
    return [name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix)]


def _columns(flags: Iterable["pd.Series[bool]"]) -> _Flags:
    return np.column_stack([column.to_numpy(dtype=np.bool_) for column in flags])


def _worth(answers: "pd.Series[str]", worth: Mapping[str, int]) -> _Counts:
    # Through `isin` and not `map`: a categorical column refuses what is none of its categories.
    total = np.zeros(len(answers), dtype=np.int64)
    for code, credit in worth.items():
        total += credit * (answers == code).to_numpy(dtype=np.bool_)
    return total


def _within_base(
    measure: Measure,
    *,
    credit: _Counts,
    unit: int,
    answered: _Flags,
    unsure: _Flags,
    asked: _Flags,
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
        positive=(credit > 0) & counted,
        credit=credit * counted,
        unit=unit,
        counted=counted,
        asked=asked,
        blank=asked & ~answered & ~counted,
        unsure=unsure & ~counted,
    )


def _rate(marks: _Marks, measure: Measure, drawing: _Drawing, option: str | None = None) -> Rate:
    value, variance = _exact(marks, measure)
    error = _error(marks, measure, drawing, value, variance)
    return Rate(
        measure=measure.id,
        name=measure.name,
        kind=measure.kind,
        option=option,
        numerator=int(marks.positive.sum()),
        credit=Fraction(int(marks.credit.sum()), marks.unit),
        base=int(marks.counted.sum()),
        value=value,
        asked=int(marks.asked.any(axis=1).sum()),
        respondents=marks.respondents,
        left_out=LeftOut(int(marks.blank.sum()), int(marks.unsure.sum())),
        weighted=error.weighted,
        error=error.error,
        freedom=error.freedom,
        design_effect=error.design_effect,
        effective_n=error.effective_n,
        interval=error.interval,
        interval_note=error.note,
        reliability=tuple(_doubts(measure, float(value), marks.respondents, error)),
    )


@dataclass(frozen=True, slots=True)
class _Error:
    """What a sample says of its own error; without an interval, why there is none."""

    note: str = ""
    interval: Interval | None = None
    effective_n: float | None = None
    error: float | None = None
    freedom: int | None = None
    design_effect: float | None = None
    weighted: float | None = None


def _error(
    marks: _Marks, measure: Measure, drawing: _Drawing, value: Fraction, variance: Fraction
) -> _Error:
    if drawing.sample is Sample.SELF_SELECTED:
        return _Error(SELF_SELECTED_NOTE)
    if drawing.drawn is not None:
        return _error_of_drawn(marks, measure, drawing, drawing.drawn)
    return _error_of_simple(marks, measure, drawing, value, variance)


def _error_of_simple(
    marks: _Marks, measure: Measure, drawing: _Drawing, value: Fraction, variance: Fraction
) -> _Error:
    people = marks.respondents
    share, variance = _as_share(measure, value), variance / _width(measure) ** 2
    # Without any variance p(1-p)/var says nothing: at 0 or 1 it is 0/0, and when every person has
    # the same share of positive items the sample would claim to be certain. Then the number of
    # people is the honest sample size; Wilson still has a width there.
    n = float(share * (1 - share) / variance) if variance else float(people)
    left = 1.0
    if drawing.population is not None:
        left = people / in_population(people, drawing.population)
    # Divisor n - 1 here, as every textbook and R have it; not in `n`, which the interval needs.
    error = _width(measure) * sqrt(float(variance) * left * people / max(1, people - 1))
    if not left:
        whole = Interval(float(value), float(value), drawing.confidence, IntervalMethod.CENSUS)
        return _Error(CENSUS_NOTE, whole, n, 0.0, people - 1, 1.0)
    interval = wilson(float(share) * n / left, n / left, drawing.confidence)
    return _Error("", _back(measure, interval), n / left, error, people - 1, 1.0)


def _error_of_drawn(marks: _Marks, measure: Measure, drawing: _Drawing, drawn: Drawn) -> _Error:
    found = _weighted(marks, measure, drawn)
    share = min(1.0, max(0.0, float(_as_share(measure, Fraction(found.value)))))
    error = found.error / float(_width(measure))
    effective = share * (1 - share) / error**2 if error and 0 < share < 1 else float(found.n)
    confidence, note = drawing.confidence, ""
    interval: Interval | None
    if drawing.pooled_effect is not None and found.freedom < FEWEST_FREEDOM:
        effective = found.n / max(1.0, drawing.pooled_effect)
        interval = replace(
            wilson(share * effective, effective, confidence), method=IntervalMethod.WILSON_POOLED
        )
    elif found.freedom < 1:
        interval, note = None, FEW_CLUSTERS_NOTE
    else:
        interval = korn_graubard(share, error, found.n, found.freedom, confidence)
    return _Error(
        note=note,
        interval=None if interval is None else _back(measure, interval),
        effective_n=effective,
        error=found.error,
        freedom=found.freedom,
        design_effect=found.design_effect,
        weighted=found.value,
    )


def _weighted(marks: _Marks, measure: Measure, drawn: Drawn) -> Estimate:
    """Return the rate under the weights of a drawn sample, with its error by linearisation."""
    credit, counted = marks.credit / marks.unit, marks.counted
    weights = _item_weights(measure)
    factors = np.array([float(weight) for weight in weights])
    inside: _Flags = np.any(counted, axis=1)
    own_base = counted @ factors
    own = np.divide(credit @ factors, own_base, out=np.zeros(len(inside)), where=inside)
    match measure.composite:
        case Composite.POOLED:
            figure = ratios(drawn, credit.sum(axis=1), counted.sum(axis=1))
        case Composite.PERSON:
            figure = ratios(drawn, own, inside)
        case _:
            figure = ratios(drawn, credit, counted).combined(factors)
    return summarise(drawn, figure, own, inside)


def _pooled_effect(marks: _Marks, measure: Measure, drawing: _Drawing) -> float | None:
    """Return the design effect of everybody, which stands in where a group is too small."""
    if drawing.drawn is None or not np.all(np.any(marks.counted, axis=0)):
        return None
    return _weighted(marks, measure, drawing.drawn).design_effect or 1.0


def _as_share(measure: Measure, value: Fraction) -> Fraction:
    """Return where a value lies between its ends, 0 to 1: a net promoter score begins at -1."""
    return (value + 1) / 2 if measure.kind is MeasureKind.NPS else value


def _width(measure: Measure) -> int:
    return 2 if measure.kind is MeasureKind.NPS else 1


def _back(measure: Measure, interval: Interval) -> Interval:
    if measure.kind is not MeasureKind.NPS:
        return interval
    return replace(interval, low=2 * interval.low - 1, high=2 * interval.high - 1)


def _doubts(measure: Measure, value: float, people: int, error: _Error) -> Iterator[Reliability]:
    """Yield what speaks against relying on a rate; of volunteers there is nothing to weigh."""
    if error.interval is None or error.interval.method is IntervalMethod.CENSUS:
        return
    if min(people, error.effective_n or people) < FEWEST_EFFECTIVE:
        yield Reliability.FEW_PEOPLE
    figure = value if error.weighted is None else error.weighted
    width = error.interval.high - error.interval.low
    if measure.kind not in {MeasureKind.NPS, MeasureKind.SCORE}:
        if width >= WIDEST:
            yield Reliability.WIDE_INTERVAL
        elif width > NARROW_ENOUGH and width > WIDEST_FOR_ITS_SIZE * figure:
            yield Reliability.WIDE_FOR_ITS_SIZE
        if figure in {0.0, 1.0}:
            yield Reliability.NONE_OR_ALL
    if error.freedom is not None and error.freedom < FEWEST_FREEDOM:
        yield Reliability.FEW_CLUSTERS


def _item_weights(measure: Measure) -> list[Fraction]:
    """Return what each question counts; together they count 1."""
    total = sum((Fraction(item.weight) for item in measure.items), Fraction(0))
    return [Fraction(item.weight) / total for item in measure.items]


def _exact(marks: _Marks, measure: Measure) -> tuple[Fraction, Fraction]:
    """Return the rate and its linearised variance, exactly. Raises `NobodyAnswered`.

    A person's influence is the sum over items of weight * (credit - centre * counted). Its square
    is summed over people through the items' cross counts, which are whole numbers; so no rounding
    error can pass for a tiny variance. Divisor n, not n - 1: for one question the effective n is
    then its base, and the interval plain Wilson.
    """
    if measure.composite is Composite.PERSON:
        return _exact_person(marks, measure)
    bases = [int(count) for count in marks.counted.sum(axis=0)]
    sums = [Fraction(int(count), marks.unit) for count in marks.credit.sum(axis=0)]
    is_pooled = measure.composite is Composite.POOLED
    if not (any(bases) if is_pooled else all(bases)):
        raise NobodyAnswered(measure.id)
    if is_pooled:
        value = sum(sums, Fraction(0)) / sum(bases)
        weights, centres = [Fraction(1, sum(bases))] * len(bases), [value] * len(bases)
    else:
        shares = _item_weights(measure)
        weights = [share / base for share, base in zip(shares, bases, strict=True)]
        centres = [total / base for total, base in zip(sums, bases, strict=True)]
        value = sum((w * total for w, total in zip(weights, sums, strict=True)), Fraction(0))
    return value, _variance(marks, centres, weights)


def _exact_person(marks: _Marks, measure: Measure) -> tuple[Fraction, Fraction]:
    """Return the mean of each person's own share, and its variance.

    People who answered alike are taken together: there are far fewer patterns than people.
    """
    if not marks.respondents:
        raise NobodyAnswered(measure.id)
    rows = np.hstack([marks.credit, marks.counted.astype(np.int64)])[marks.counted.any(axis=1)]
    patterns, counts = np.unique(rows, axis=0, return_counts=True)
    weights, items = _item_weights(measure), len(measure.items)
    shares = [
        sum((w * int(c) for w, c in zip(weights, row[:items], strict=True)), Fraction(0))
        / marks.unit
        / sum((w * int(v) for w, v in zip(weights, row[items:], strict=True)), Fraction(0))
        for row in patterns
    ]
    people = [int(count) for count in counts]
    n = sum(people)
    value = sum((k * share for k, share in zip(people, shares, strict=True)), Fraction(0)) / n
    squares = ((share - value) ** 2 for share in shares)
    spread = sum((k * square for k, square in zip(people, squares, strict=True)), Fraction(0))
    return value, spread / n**2


def _variance(marks: _Marks, centres: Sequence[Fraction], weights: Sequence[Fraction]) -> Fraction:
    y, v, unit = marks.credit, marks.counted.astype(np.int64), marks.unit
    both, mixed, base = y.T @ y, y.T @ v, v.T @ v
    items = range(len(weights))
    return sum(
        (
            weights[j]
            * weights[k]
            * (
                Fraction(int(both[j, k]), unit**2)
                - centres[k] * Fraction(int(mixed[j, k]), unit)
                - centres[j] * Fraction(int(mixed[k, j]), unit)
                + centres[j] * centres[k] * int(base[j, k])
            )
            for j in items
            for k in items
        ),
        Fraction(0),
    )


def _rate_or_none(marks: _Marks, measure: Measure, drawing: _Drawing) -> Rate | None:
    try:
        return _rate(marks, measure, drawing)
    except NobodyAnswered:
        return None


def groups_to_hide(
    sizes: Mapping[Group, int], unshown: Iterable[int], smallest: int
) -> frozenset[Group]:
    """Return the groups to suppress, as `by_group` says; `unshown` are sizes not shown anyway."""
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


def _describe_item(measure: Measure, item: Item, questionnaire: Questionnaire) -> str:
    question = questionnaire.question(item.question)
    if measure.kind is MeasureKind.NPS:
        return f"第{question.number}题打9、10分与打0至6分的人数"
    unit = "分" if measure.kind is MeasureKind.SCORE else ""
    counted = item.credit if measure.kind is MeasureKind.SCORE else item.positive
    texts = [
        f"“{option.text}”{_describe_credit(item, option.code, unit)}"
        for option in question.choices
        if option.code in counted
    ]
    return f"第{question.number}题选{'或'.join(texts)}"


def _describe_credit(item: Item, code: str, unit: str) -> str:
    return f"（计{item.credit[code]}{unit}）" if code in item.credit else ""


def _describe_weights(measure: Measure) -> str:
    if len({item.weight for item in measure.items}) == 1:
        return ""
    return f"按权重{':'.join(str(item.weight) for item in measure.items)}"


def _describe_left_out(measure: Measure) -> Iterator[str]:
    yield "未作答的不计入" if measure.base is Base.VALID else "未作答的计入"
    if any(item.unsure for item in measure.items):
        left_out = measure.dont_know is DontKnow.LEFT_OUT
        yield "答不清楚、不适用的" + ("不计入" if left_out else "计入")
    if measure.per_option:
        yield "可多选，各项之和可以超过全部"
