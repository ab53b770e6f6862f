"""A score sheet: every indicator's points with their working, subtotals, total and grade.

What was not measured is missing and never 0: sums show what is certain and what is possible.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from analysis.scoring import feed, sampling, wording
from analysis.scoring.audit import (
    FindingKind,
    allows,
    grades_within,
    measurement_text,
    named_gaps,
    of_indicator,
)
from analysis.scoring.feed import Measurement
from analysis.scoring.rubric import Indicator, Reading, Rubric, Scope
from analysis.scoring.rules import (
    Bands,
    Checklist,
    ConditionKind,
    Judged,
    Parts,
    PartValue,
    Points,
    Role,
    Rule,
    RuleError,
    Unknown,
    Value,
    full_points,
    points,
    under_conditions,
)

ABOUT_SCORES = frozenset(
    {
        FindingKind.SCORE_AGAINST_RULE,
        FindingKind.ROUNDING_DIFFERENCE,
        FindingKind.SCORE_NOT_DETERMINED,
        FindingKind.SCORE_WITHOUT_MEASUREMENT,
        FindingKind.SCORE_AGAINST_DEDUCTION,
        FindingKind.PARTS_AGAINST_WEIGHT,
        FindingKind.WEIGHT_AGAINST_CRITERIA,
        FindingKind.TEXT_AGAINST_TABLE,
    }
)


class ScoreError(ValueError):
    """A measurement that does not fit the rubric: which indicator, and why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"指标 {code}：{reason}")
        self.code = code
        self.reason = reason


class State(StrEnum):
    """Whether an indicator has points, and if not, why not."""

    SCORED = "scored"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Range:
    """From the certain points to the possible ones, both included, as shown."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Alternative:
    """What another reading of the same criteria gives."""

    reading: str
    reason: str
    criteria: str
    points: Fraction
    shown: Decimal
    working: str
    interval: Range | None


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator's line of the sheet.

    `points` is exact, `shown` is cut by the rubric's rounding; both are None unless scored, and
    below 0 for what a penalty takes. `overflow` is taken off the total besides.
    `interval` is the range of points when the measurement carries an interval. `differences`
    compares with the published result, each with its reason.
    """

    indicator: Indicator
    state: State
    measurement: Measurement | None
    points: Fraction | None
    shown: Decimal | None
    working: str
    interval: Range | None
    alternatives: tuple[Alternative, ...]
    differences: tuple[str, ...]
    overflow: Decimal = Decimal(0)

    @property
    def low(self) -> Decimal:
        """The points that are certain; an open penalty may take all that it can."""
        if self.shown is not None:
            return self.shown
        return -self.indicator.weight if self.indicator.role is Role.PENALTY else Decimal(0)

    @property
    def high(self) -> Decimal:
        """The points that are possible: the whole weight where nothing was scored."""
        if self.shown is not None:
            return self.shown
        return Decimal(0) if self.indicator.role is Role.PENALTY else self.indicator.weight


@dataclass(frozen=True, slots=True)
class Sum:
    """A subtotal, or with an empty path the total.

    `points` sums the shown points, as the documents do; `weight` leaves bonuses and penalties
    out. `sampled` spreads it by the intervals of the measurements; None where no measurement has
    one. `surveys` is how many surveys' errors were joined as independent.
    """

    path: tuple[str, ...]
    weight: Decimal
    points: Range
    sampled: Range | None
    missing: tuple[str, ...]
    surveys: int = 0


@dataclass(frozen=True, slots=True)
class GradeResult:
    """The grade where the whole range of the total lies in one; else the possible ones.

    `sampled` are the grades that the intervals of the measurements allow. `questions` is what
    must be asked where the total may fall into a gap of the scale.
    """

    settled: str | None
    possible: tuple[str, ...]
    sampled: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """All lines; subtotals, total and grade only for a complete rubric."""

    rubric: Rubric
    lines: tuple[Line, ...]
    subtotals: tuple[Sum, ...]
    total: Sum | None
    grade: GradeResult | None

    def line(self, code: str) -> Line:
        """Return the line of an indicator. Raises `KeyError` when there is none."""
        for line in self.lines:
            if line.indicator.code == code:
                return line
        raise KeyError(code)

    def to_dict(self) -> dict[str, object]:
        """Return the sheet for JSON, all numbers but counts as strings."""
        rubric, published = self.rubric, self.rubric.published
        printed = published.total_points
        return {
            "rubric": {"id": rubric.id, "title": rubric.title, "scope": rubric.scope},
            "full_marks": str(rubric.full_marks),
            "indicators": [_line_dict(line) for line in self.lines],
            "subtotals": [sum_dict(each) for each in self.subtotals],
            "total": None if self.total is None else sum_dict(self.total),
            "grade": None if self.grade is None else grade_dict(self.grade),
            "published": {
                "total": None if printed is None else str(printed),
                "grade": published.grade or None,
            },
        }


def score(rubric: Rubric, measurements: Iterable[Measurement]) -> ScoreSheet:
    """Score a rubric with the measurements that there are.

    Returns: a sheet whose sums are ranges as long as an indicator is missing or unknown; a
    partial rubric has no sums and no grade.
    Raises: `ScoreError` when a measurement names no indicator of the rubric, comes twice, or is
    not of the kind that the indicator's rule scores.
    Source: STATISTICS.md §6.
    """
    by_code = _by_code(rubric, measurements)
    lines = tuple(_line(indicator, by_code.get(indicator.code)) for indicator in rubric.indicators)
    if rubric.scope is Scope.PARTIAL:
        return ScoreSheet(rubric, lines, (), None, None)
    subtotals = tuple(_sum(rubric, path, lines) for path in _paths(rubric))
    total = total_of(rubric, lines)
    return ScoreSheet(rubric, lines, subtotals, total, grade_of(rubric, total))


def _by_code(rubric: Rubric, measurements: Iterable[Measurement]) -> dict[str, Measurement]:
    codes = {indicator.code for indicator in rubric.indicators}
    found: dict[str, Measurement] = {}
    for measurement in measurements:
        if measurement.indicator not in codes:
            raise ScoreError(measurement.indicator, f"“{rubric.title}”里没有这个指标")
        if measurement.indicator in found:
            raise ScoreError(measurement.indicator, "有两个测量值")
        found[measurement.indicator] = measurement
    return found


def _line(indicator: Indicator, measurement: Measurement | None) -> Line:
    if isinstance(indicator.rule, Unknown):
        working = wording.unknown(indicator.rule.reason)
        return _unscored(indicator, State.UNKNOWN, measurement, working)
    if measurement is None:
        return _unscored(indicator, State.MISSING, None, wording.missing())
    lacking = _lacking_facts(indicator, measurement)
    if lacking:
        return _unscored(indicator, State.MISSING, measurement, wording.missing_facts(lacking))
    return _scored(indicator, measurement)


def _unscored(
    indicator: Indicator, state: State, measurement: Measurement | None, working: str
) -> Line:
    return Line(indicator, state, measurement, None, None, working, None, (), ())


def _scored(indicator: Indicator, measurement: Measurement) -> Line:
    result = _points(indicator, indicator.rule, measurement)
    shown = _shown(indicator, result)
    return Line(
        indicator=indicator,
        state=State.SCORED,
        measurement=measurement,
        points=result.value - _start(indicator),
        shown=shown,
        working=_working(indicator, indicator.rule, measurement, result),
        interval=interval_of(indicator, indicator.rule, measurement),
        alternatives=_alternatives(indicator, measurement),
        differences=_differences(indicator, measurement, abs(shown)),
        overflow=indicator.rounding.show(result.overflow),
    )


def _start(indicator: Indicator) -> Fraction:
    """Return the points at which nothing is gained or lost: a penalty's rule begins at its most."""
    is_penalty = indicator.role is Role.PENALTY
    return (full_points(indicator.rule) or Fraction(0)) if is_penalty else Fraction(0)


def _shown(indicator: Indicator, result: Points) -> Decimal:
    taken = indicator.rounding.show(abs(result.value - _start(indicator)))
    return -taken if indicator.role is Role.PENALTY and taken else taken


def _lacking_facts(indicator: Indicator, measurement: Measurement) -> list[str]:
    known = {condition.id: condition for condition in indicator.conditions}
    for fact, cases in measurement.conditions.items():
        if fact not in known:
            raise ScoreError(indicator.code, f"没有名为 {fact} 的条件")
        if isinstance(cases, bool) != (known[fact].kind is ConditionKind.TICK):
            wanted = "是或否" if known[fact].kind is ConditionKind.TICK else "份数"
            raise ScoreError(indicator.code, f"条件“{known[fact].name}”要的是{wanted}")
    return [each.name for each in indicator.conditions if each.id not in measurement.conditions]


def _points(indicator: Indicator, rule: Rule, measurement: Measurement) -> Points:
    try:
        result = points(rule, _value(indicator, rule, measurement))
    except RuleError as fault:
        raise ScoreError(indicator.code, str(fault)) from None
    return _after_conditions(indicator, rule, measurement, result)


def _after_conditions(
    indicator: Indicator, rule: Rule, measurement: Measurement, result: Points
) -> Points:
    full = full_points(rule) or Fraction(0)
    return under_conditions(result, full, indicator.conditions, measurement.conditions)


def _value(indicator: Indicator, rule: Rule, measurement: Measurement) -> Value:
    match measurement.content:
        case feed.Rate() | feed.Ratio() | feed.Judgement() as content:
            return _measured(indicator, content)
        case feed.Count(count, parts):
            return Parts(parts) if count is None else _counted(rule, count)
        case feed.Ticks(ticks):
            return Parts(ticks)
        case feed.Parts(parts):
            return Parts({name: _part(indicator, parts[name]) for name in parts})
        case _:
            assert_never(measurement.content)


def _part(indicator: Indicator, content: feed.PartContent) -> PartValue:
    return content if isinstance(content, int) else _measured(indicator, content)


def _measured(
    indicator: Indicator, content: feed.Rate | feed.Ratio | feed.Judgement
) -> Fraction | Judged:
    match content:
        case feed.Rate() | feed.Ratio():
            return indicator.rounding.enter(content.value)
        case feed.Judgement(given, author, reason):
            return Judged(Fraction(given), author, reason)
        case _:
            assert_never(content)


def _counted(rule: Rule, count: int) -> Value:
    if isinstance(rule, Bands) and rule.unit:
        return Fraction(count)
    if not isinstance(rule, Checklist) or len(rule.parts) != 1:
        raise RuleError("一个总数只能用于只有一项的清单；请分项给出")
    return Parts({rule.parts[0].id: count})


def _working(indicator: Indicator, rule: Rule, measurement: Measurement, result: Points) -> str:
    value = _value(indicator, rule, measurement)
    rate = value if isinstance(value, Fraction) else None
    subject = _subject(indicator, rule, measurement, rate)
    return wording.working(rule, subject, rate, result, _shown(indicator, result), indicator.role)


def _subject(
    indicator: Indicator, rule: Rule, measurement: Measurement, rate: Fraction | None
) -> str:
    match measurement.content:
        case feed.Rate(numerator, base, value) if Fraction(numerator, base) == value == rate:
            return f"{indicator.name} {wording.counted(numerator, base)}"
        case feed.Rate(numerator, base, weighting=weighting) if rate is not None and (
            weighting is not feed.Weighting.RAW
        ):
            return f"{indicator.name} {wording.weighted(rate, numerator, base)}"
        case feed.Judgement(reason=reason):
            return reason
        case _ if rate is not None:
            return f"{indicator.name} {wording.measured(rate, unit_of(rule))}"
        case _:
            return indicator.name


def unit_of(rule: Rule) -> str:
    """Return what the rule counts; empty for a share."""
    return rule.unit if isinstance(rule, Bands) else ""


def shown_points(indicator: Indicator, rule: Rule, measurement: Measurement) -> Decimal:
    """Return the points that a measurement gets, as they are shown.

    Raises: `ScoreError` when the rule cannot score this kind of measurement.
    """
    return _shown(indicator, _points(indicator, rule, measurement))


def interval_of(indicator: Indicator, rule: Rule, measurement: Measurement) -> Range | None:
    """Return the fewest and the most points that the intervals of the rates allow.

    A weighted interval may leave out the raw rate; the points of the rate itself are always in.
    """
    if not sampling.surveys_of(measurement):
        return None
    ends = [
        shown_points(indicator, rule, each)
        for each in (
            measurement,
            sampling.at_end(rule, measurement, is_best=False),
            sampling.at_end(rule, measurement, is_best=True),
        )
    ]
    return Range(min(ends), max(ends))


def _alternatives(indicator: Indicator, measurement: Measurement) -> tuple[Alternative, ...]:
    return tuple(
        alternative
        for reading in indicator.readings
        if (alternative := _alternative(indicator, reading, measurement))
    )


def _alternative(
    indicator: Indicator, reading: Reading, measurement: Measurement
) -> Alternative | None:
    """Return what a reading gives; None where it asks for another kind of measurement."""
    try:
        result = _points(indicator, reading.rule, measurement)
    except ScoreError:
        return None
    return Alternative(
        reading=reading.id,
        reason=reading.reason,
        criteria=reading.criteria,
        points=result.value,
        shown=indicator.rounding.show(result.value),
        working=_working(indicator, reading.rule, measurement, result),
        interval=interval_of(indicator, reading.rule, measurement),
    )


def _differences(indicator: Indicator, measurement: Measurement, shown: Decimal) -> tuple[str, ...]:
    moved = _moved(indicator, measurement)
    reasons = _reasons(indicator, has_moved=len(moved) == len(indicator.published.measurements) > 0)
    return (
        *moved,
        *(
            wording.other_score(printed, shown, reasons)
            for printed in dict.fromkeys(each.points for each in indicator.published.scores)
            if printed != shown
        ),
    )


def _reasons(indicator: Indicator, *, has_moved: bool) -> tuple[str, ...]:
    """Say why a printed score differs: another measurement explains it, else the audit does."""
    if has_moved:
        return (wording.MOVED,)
    return tuple(
        finding.text for finding in of_indicator(indicator) if finding.kind in ABOUT_SCORES
    )


def _moved(indicator: Indicator, measurement: Measurement) -> tuple[str, ...]:
    """Say where the published measurement and this one cannot be the same."""
    content = measurement.content
    if not isinstance(content, feed.Rate | feed.Ratio):
        return ()
    return tuple(
        wording.other_measurement(
            measurement_text(indicator, printed),
            wording.measured(content.value, unit_of(indicator.rule)),
        )
        for printed in indicator.published.measurements
        if printed.figures and not allows(printed, content.value)
    )


def _paths(rubric: Rubric) -> list[tuple[str, ...]]:
    """Return every level above the indicators, in the order of the document."""
    return list(
        dict.fromkeys(
            indicator.path[:depth]
            for indicator in rubric.indicators
            for depth in range(1, len(indicator.path) + 1)
        )
    )


def total_of(rubric: Rubric, lines: Sequence[Line]) -> Sum:
    """Return the total of these lines, with its caps and with what overflows into it."""
    return _sum(rubric, (), lines)


def _sum(rubric: Rubric, path: tuple[str, ...], lines: Sequence[Line]) -> Sum:
    zero = rubric.rounding.show(Fraction(0))
    below = [line for line in lines if line.indicator.path[: len(path)] == path]
    # What overflows is taken off the total of the whole rubric, not off a level.
    over = sum((line.overflow for line in below), zero) if not path else zero
    base = (line.indicator for line in below if line.indicator.role is Role.BASE)

    def summed(amount: Callable[[Line], Decimal]) -> Decimal:
        amounts = ((line.indicator.role, amount(line)) for line in below)
        return zero + rubric.adjustments.total(amounts) - over

    points_range = Range(summed(_line_low), summed(_line_high))
    groups = _independent(below)
    return Sum(
        path=path,
        weight=sum((indicator.weight for indicator in base), Decimal(0)),
        points=points_range,
        sampled=_sampled(points_range, groups, summed),
        missing=tuple(line.indicator.code for line in below if line.state is not State.SCORED),
        surveys=len(groups),
    )


def _line_low(line: Line) -> Decimal:
    return line.low


def _line_high(line: Line) -> Decimal:
    return line.high


def _sampled_low(line: Line) -> Decimal:
    return line.interval.low if line.interval else line.low


def _sampled_high(line: Line) -> Decimal:
    return line.interval.high if line.interval else line.high


def _independent(lines: Sequence[Line]) -> tuple[frozenset[str], ...]:
    surveys = {
        line.indicator.code: sampling.surveys_of(line.measurement)
        for line in lines
        if line.interval and line.measurement
    }
    return sampling.apart(surveys) if surveys else ()


_End = Callable[[Line], Decimal]


def _sampled(
    points_range: Range,
    groups: Sequence[frozenset[str]],
    summed: Callable[[_End], Decimal],
) -> Range | None:
    """Spread a sum by the intervals of its lines; None where none of them has one.

    What one survey measured is moved together, end by end, through the sum with its caps: the
    same people answered, and nobody says how their answers hang together. How far that takes the
    sum is then joined over the surveys as independent (decision 28), and never passes the sum of
    all ends.
    """
    if not groups:
        return None

    def reached(group: frozenset[str], own: _End, end: _End) -> Decimal:
        return summed(lambda line: end(line) if line.indicator.code in group else own(line))

    low, high = points_range.low, points_range.high
    down = sampling.together([low - reached(group, _line_low, _sampled_low) for group in groups])
    up = sampling.together([reached(group, _line_high, _sampled_high) - high for group in groups])
    return Range(max(summed(_sampled_low), low - down), min(summed(_sampled_high), high + up))


def grade_of(rubric: Rubric, total: Sum) -> GradeResult | None:
    """Return the grade of a total; None where the rubric has no grades."""
    if not rubric.grades:
        return None
    low, high = total.points.low, total.points.high
    sampled = total.sampled or total.points
    possible = grades_within(rubric, low, high)
    settled = possible[0] if len(possible) == 1 and possible[0] != wording.NO_GRADE else None
    questions = tuple(
        wording.grade_question(low, high, below, above)
        for gap, below, above in named_gaps(rubric)
        if gap.meets(low, high)
    )
    return GradeResult(
        settled, possible, grades_within(rubric, sampled.low, sampled.high), questions
    )


def _line_dict(line: Line) -> dict[str, object]:
    indicator = line.indicator
    return {
        "code": indicator.code,
        "path": list(indicator.path),
        "name": indicator.name,
        "weight": str(indicator.weight),
        "role": indicator.role,
        "state": line.state,
        "points": None if line.points is None else str(line.points),
        "shown": None if line.shown is None else str(line.shown),
        "overflow": str(line.overflow),
        "working": line.working,
        "interval": _range_or_none(line.interval),
        "measurement": None if line.measurement is None else feed.as_json(line.measurement),
        "alternatives": [_alternative_dict(each) for each in line.alternatives],
        "published": _published_dict(indicator),
        "differences": list(line.differences),
        "note": indicator.note,
    }


def _alternative_dict(alternative: Alternative) -> dict[str, object]:
    return {
        "reading": alternative.reading,
        "reason": alternative.reason,
        "points": str(alternative.points),
        "shown": str(alternative.shown),
        "interval": _range_or_none(alternative.interval),
        "working": alternative.working,
    }


def _published_dict(indicator: Indicator) -> dict[str, object]:
    printed = indicator.published
    return {
        "measurements": [
            {"place": each.place, "text": measurement_text(indicator, each)}
            for each in printed.measurements
        ],
        "scores": [{"place": each.place, "points": str(each.points)} for each in printed.scores],
    }


def _range_or_none(found: Range | None) -> dict[str, str] | None:
    return None if found is None else {"low": str(found.low), "high": str(found.high)}


def sum_dict(each: Sum) -> dict[str, object]:
    """Return a sum for JSON."""
    return {
        "path": list(each.path),
        "weight": str(each.weight),
        "certain": str(each.points.low),
        "possible": str(each.points.high),
        "sampled": _range_or_none(each.sampled),
        "independent_surveys": each.surveys,
        "missing": list(each.missing),
    }


def grade_dict(grade: GradeResult) -> dict[str, object]:
    """Return a grade for JSON."""
    return {
        "settled": grade.settled,
        "text": wording.grade_text(grade.settled, grade.possible),
        "possible": list(grade.possible),
        "sampled": list(grade.sampled),
        "questions": list(grade.questions),
    }
