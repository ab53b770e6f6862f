"""What a rubric and its published figures say against each other.

Every finding is computed from the figures in the file; nothing is known here about any single
document. Findings are never repaired: they name both figures.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil

from analysis.scoring import wording
from analysis.scoring.rubric import (
    Combine,
    Edition,
    Grade,
    Indicator,
    PrintedFigure,
    PrintedMeasurement,
    PrintedScore,
    PrintedTable,
    PublishedSum,
    Rubric,
    Scope,
    Span,
)
from analysis.scoring.rules import (
    Proportional,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Ticks,
    Unknown,
    full_points,
    points,
)


class FindingKind(StrEnum):
    """What contradicts what."""

    SCORE_AGAINST_RULE = "score_against_rule"
    ROUNDING_DIFFERENCE = "rounding_difference"
    SCORE_NOT_DETERMINED = "score_not_determined"
    SCORE_WITHOUT_MEASUREMENT = "score_without_measurement"
    SCORE_ABOVE_WEIGHT = "score_above_weight"
    NOT_COMPUTABLE = "not_computable"
    WEIGHT_AGAINST_CRITERIA = "weight_against_criteria"
    LINE_MISSES_TARGET = "line_misses_target"
    TEXT_AGAINST_TABLE = "text_against_table"
    PERCENTAGE_AGAINST_COUNTS = "percentage_against_counts"
    IMPOSSIBLE_PERCENTAGE = "impossible_percentage"
    FREQUENCIES_AGAINST_N = "frequencies_against_n"
    SUM_OF_SCORES = "sum_of_scores"
    SUM_OF_WEIGHTS = "sum_of_weights"
    INDICATOR_COUNT = "indicator_count"
    GRADE_GAP = "grade_gap"
    GRADE_AGAINST_SCALE = "grade_against_scale"


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, in one Chinese sentence; `code` is empty for the rubric as a whole."""

    kind: FindingKind
    code: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return {"kind": self.kind, "indicator": self.code, "text": self.text}


def audit(rubric: Rubric) -> tuple[Finding, ...]:
    """Return everything in a rubric file that contradicts itself, indicator by indicator.

    Source: STATISTICS.md §7.
    """
    return (
        *(finding for each in rubric.indicators for finding in of_indicator(each)),
        *_weights(rubric),
        *_sums(rubric),
        *_indicator_count(rubric),
        *_grades(rubric),
    )


def of_indicator(indicator: Indicator) -> tuple[Finding, ...]:
    """Return the findings about one indicator."""
    checks: tuple[Callable[[Indicator], Iterator[tuple[FindingKind, str]]], ...] = (
        _criteria,
        _scores_disagree,
        _measurements_disagree,
        _scores,
        _percentages,
        _tables,
    )
    return tuple(
        Finding(kind, indicator.code, text) for check in checks for kind, text in check(indicator)
    )


def is_reachable(percent: str, base: int) -> bool:
    """Whether some count out of `base` prints as this percentage (the GRIM test).

    Rounding up, to even and truncation all count as printing it, since documents do all three.

    >>> is_reachable("97.22%", 103), is_reachable("79.61%", 103)
    (False, True)
    """
    low, above = _printed_span(percent)
    return ceil(low * base) < above * base


def gaps(rubric: Rubric) -> tuple[Span, ...]:
    """Return the stretches between 0 and full marks that no grade covers, from the top down."""
    if not rubric.grades:
        return ()
    top = Grade("", Span(rubric.full_marks, False, None, False))  # noqa: FBT003 - a span's ends
    bottom = Grade("", Span(Decimal(0), True, Decimal(0), False))  # noqa: FBT003 - a span's ends
    scale = (top, *rubric.grades, bottom)
    pairs = pairwise(scale)
    return tuple(gap for higher, lower in pairs if (gap := _gap(higher.span, lower.span)))


def measurement_text(measurement: PrintedMeasurement) -> str:
    """Return a printed measurement as it is shown."""
    if measurement.ticks:
        return wording.ticked([part for part, met in measurement.ticks.items() if met])
    figures = [_figure_text(figure, measurement) for figure in measurement.figures]
    if len(figures) > 1 and measurement.combine is Combine.MEAN:
        return wording.mean_of(figures, measurement.low)
    return "、".join(figures)


def allows(measurement: PrintedMeasurement, value: Fraction) -> bool:
    """Whether a value could have been printed as this statement."""
    low, above = _allowed(measurement)
    return low <= value and (above is None or value < above)


def _criteria(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    readings = [("", indicator.rule), *((each.id, each.rule) for each in indicator.readings)]
    for reading, rule in readings:
        yield from _rule_alone(indicator.weight, reading, rule)


def _rule_alone(weight: Decimal, reading: str, rule: Rule) -> Iterator[tuple[FindingKind, str]]:
    if isinstance(rule, Unknown):
        yield FindingKind.NOT_COMPUTABLE, wording.not_computable(rule.reason)
    full = full_points(rule)
    if full is not None and full != Fraction(weight):
        differs = (
            wording.weight_against_criteria
            if full < Fraction(weight)
            else wording.criteria_above_weight
        )
        yield FindingKind.WEIGHT_AGAINST_CRITERIA, differs(weight, full, reading)
    if isinstance(rule, Proportional) and rule.full_at != rule.target:
        on_line = (rule.target - rule.zero) / (rule.full_at - rule.zero) * rule.full
        text = wording.line_misses_target(on_line, rule.full, rule.target)
        yield FindingKind.LINE_MISSES_TARGET, text


def _scores_disagree(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    printed = indicator.published
    if printed.name_in_text:
        text = wording.names_disagree(indicator.name, printed.name_in_text)
        yield FindingKind.TEXT_AGAINST_TABLE, text
    for one, other in pairwise(printed.scores):
        if one.points != other.points:
            text = wording.scores_disagree(one.place, one.points, other.place, other.points)
            yield FindingKind.TEXT_AGAINST_TABLE, text


def _measurements_disagree(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    comparable = [each for each in indicator.published.measurements if each.figures]
    for place, one in enumerate(comparable):
        for other in comparable[place + 1 :]:
            if _are_apart(one, other):
                yield (
                    FindingKind.TEXT_AGAINST_TABLE,
                    wording.measurements_disagree(
                        one.place, measurement_text(one), other.place, measurement_text(other)
                    ),
                )


def _are_apart(one: PrintedMeasurement, other: PrintedMeasurement) -> bool:
    """Whether no single true value could have been printed as both."""
    (one_low, one_above), (other_low, other_above) = _allowed(one), _allowed(other)
    return _ends_before(one_above, other_low) or _ends_before(other_above, one_low)


def _ends_before(above: Fraction | None, low: Fraction) -> bool:
    return above is not None and above <= low


def _allowed(measurement: PrintedMeasurement) -> tuple[Fraction, Fraction | None]:
    """Return the values a statement allows, from the first up to below the second."""
    if measurement.at_least:
        return measurement.low, None
    lows, aboves = zip(*map(_figure_span, measurement.figures), strict=True)
    if measurement.combine is Combine.MEAN:
        return sum(lows) / len(lows), sum(aboves) / len(aboves)
    return min(lows), max(aboves)


def _figure_span(figure: PrintedFigure) -> tuple[Fraction, Fraction]:
    if figure.counted is None:
        return _printed_span(figure.percent)
    # Two statements of the same counts agree; a span of no width would never meet itself.
    return figure.counted, figure.counted + Fraction(1, 10**9)


def _printed_span(percent: str) -> tuple[Fraction, Fraction]:
    """Return the shares that print as this percentage, rounded or truncated."""
    unit = Fraction(1, 100 * 10 ** wording.percent_places(percent))
    share = wording.read_percent(percent)
    return share - unit / 2, share + unit


def _scores(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    if isinstance(indicator.rule, Unknown):
        return
    for score in _distinct(indicator.published.scores):
        if score.points > indicator.weight:
            text = wording.score_above_weight(score.place, score.points, indicator.weight)
            yield FindingKind.SCORE_ABOVE_WEIGHT, text
        if not indicator.published.measurements:
            text = wording.score_without_measurement(score.place, score.points)
            yield FindingKind.SCORE_WITHOUT_MEASUREMENT, text
        for measurement in indicator.published.measurements:
            yield from _score_from(indicator, score, measurement)


def _distinct(scores: Sequence[PrintedScore]) -> list[PrintedScore]:
    return list({score.points: score for score in reversed(scores)}.values())[::-1]


def _score_from(
    indicator: Indicator, score: PrintedScore, measurement: PrintedMeasurement
) -> Iterator[tuple[FindingKind, str]]:
    try:
        low, high = _possible(indicator.rule, indicator.rounding, measurement)
    except RuleError:
        return  # a judgement is not derived from a figure
    show = indicator.rounding.show
    measured = wording.measured_from(measurement.place, measurement_text(measurement))
    expected = wording.range_of(show(low), show(high))
    if show(low) == show(high) == score.points:
        return
    if show(low) <= score.points <= show(high):
        text = wording.score_not_determined(score.place, score.points, measured, expected)
        yield FindingKind.SCORE_NOT_DETERMINED, text
    elif low == high and _is_rounding(score.points, low, indicator.rounding):
        text = wording.rounding_difference(score.place, score.points, show(low), low)
        yield FindingKind.ROUNDING_DIFFERENCE, text
    else:
        text = wording.score_against_rule(score.place, score.points, measured, expected)
        yield FindingKind.SCORE_AGAINST_RULE, text


def _possible(
    rule: Rule, rounding: Rounding, measurement: PrintedMeasurement
) -> tuple[Fraction, Fraction]:
    """Return the fewest and the most points that a printed measurement allows."""
    if measurement.ticks:
        value = points(rule, Ticks(measurement.ticks)).value
        return value, value
    low = points(rule, rounding.enter(measurement.low)).value
    if measurement.high is None:
        return low, full_points(rule) or low
    return low, points(rule, rounding.enter(measurement.high)).value


def _is_rounding(printed: Decimal, exact: Fraction, rounding: Rounding) -> bool:
    # The places stay: with fewer of them any score near a whole number would look like one.
    return any(replace(rounding, mode=mode).show(exact) == printed for mode in RoundingMode)


def _percentages(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    for measurement in indicator.published.measurements:
        for figure in measurement.figures:
            if figure.percent and figure.base:
                place = f"{measurement.place}{figure.name}"
                yield from _percentage(place, figure.percent, figure.numerator, figure.base)


def _tables(indicator: Indicator) -> Iterator[tuple[FindingKind, str]]:
    for table in indicator.published.tables:
        yield from _table(table)


def _table(table: PrintedTable) -> Iterator[tuple[FindingKind, str]]:
    total = sum(row.count for row in table.rows)
    if total != table.n:
        text = wording.frequencies_against_n(table.place, total, table.n)
        yield FindingKind.FREQUENCIES_AGAINST_N, text
    for row in table.rows:
        yield from _percentage(f"{table.place}“{row.answer}”", row.percent, row.count, table.n)


def _percentage(
    place: str, percent: str, numerator: int | None, base: int
) -> Iterator[tuple[FindingKind, str]]:
    if not is_reachable(percent, base):
        text = wording.impossible_percent(place, percent, base)
        yield FindingKind.IMPOSSIBLE_PERCENTAGE, text
    low, above = _printed_span(percent)
    if numerator is not None and not low <= Fraction(numerator, base) < above:
        text = wording.percent_against_counts(place, percent, numerator, base)
        yield FindingKind.PERCENTAGE_AGAINST_COUNTS, text


def _weights(rubric: Rubric) -> Iterator[Finding]:
    """Weights against printed full marks; a partial file cannot know."""
    if rubric.scope is Scope.PARTIAL:
        return
    whole = PublishedSum((), Decimal(0), rubric.full_marks, "")
    for printed in (whole, *rubric.published.subtotals):
        total = sum((each.weight for each in _below(rubric, printed.path)), Decimal(0))
        if printed.out_of is not None and total != printed.out_of:
            text = wording.sum_of_weights(printed.path, printed.out_of, total)
            yield Finding(FindingKind.SUM_OF_WEIGHTS, "", text)


def _sums(rubric: Rubric) -> Iterator[Finding]:
    if rubric.scope is Scope.PARTIAL or rubric.published.total is None:
        return
    for printed in (*rubric.published.subtotals, rubric.published.total):
        for basis, total in _bases(rubric, printed):
            if total != printed.points:
                text = wording.sum_of_scores(printed.path, printed.points, basis, total)
                yield Finding(FindingKind.SUM_OF_SCORES, "", text)


def _bases(rubric: Rubric, printed: PublishedSum) -> Iterator[tuple[str, Decimal]]:
    """Yield the sums that a printed sum should equal: by either edition, and by subtotals."""
    indicators = _below(rubric, printed.path)
    for edition, basis in ((Edition.ANNEX, "附件各指标得分"), (Edition.TEXT, "正文各指标得分")):
        scores = [_score_in(indicator, edition) for indicator in indicators]
        if None not in scores:
            yield basis, sum((score for score in scores if score is not None), Decimal(0))
    children = [each for each in rubric.published.subtotals if each.path[:-1] == printed.path]
    names = {indicator.path[: len(printed.path) + 1] for indicator in indicators}
    if {child.path for child in children} == names:
        yield "印出的下级得分", sum((child.points for child in children), Decimal(0))


def _score_in(indicator: Indicator, edition: Edition) -> Decimal | None:
    for score in indicator.published.scores:
        if score.edition is edition:
            return score.points
    return None


def _below(rubric: Rubric, path: tuple[str, ...]) -> list[Indicator]:
    return [each for each in rubric.indicators if each.path[: len(path)] == path]


def _indicator_count(rubric: Rubric) -> Iterator[Finding]:
    stated, found = rubric.published.indicator_count, len(rubric.indicators)
    if rubric.scope is Scope.COMPLETE and stated is not None and stated != found:
        text = wording.indicator_count(rubric.published.indicator_count_place, stated, found)
        yield Finding(FindingKind.INDICATOR_COUNT, "", text)


def _grades(rubric: Rubric) -> Iterator[Finding]:
    for gap in gaps(rubric):
        text = wording.grade_gap(gap.lower, gap.upper or rubric.full_marks)
        yield Finding(FindingKind.GRADE_GAP, "", text)
    published = rubric.published
    if rubric.grades and published.total and published.grade:
        total = published.total.points
        scale = next((each.name for each in rubric.grades if each.span.holds(total)), None)
        if scale != published.grade:
            text = wording.grade_against_scale(published.grade, total, scale or wording.NO_GRADE)
            yield Finding(FindingKind.GRADE_AGAINST_SCALE, "", text)


def _gap(higher: Span, lower: Span) -> Span | None:
    if lower.upper is None:
        return None
    is_point_gap = not lower.upper_inclusive and not higher.lower_inclusive
    if lower.upper < higher.lower or (lower.upper == higher.lower and is_point_gap):
        return Span(
            lower.upper, not lower.upper_inclusive, higher.lower, not higher.lower_inclusive
        )
    return None


def _figure_text(figure: PrintedFigure, measurement: PrintedMeasurement) -> str:
    if figure.numerator is None or not figure.base:
        shown = figure.percent
    else:
        shown = wording.counted(figure.numerator, figure.base)
    return wording.figure(figure.name, shown, is_at_least=measurement.at_least)
