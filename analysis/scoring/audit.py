"""What a rubric and its published figures say against each other.

Every finding is computed from the figures in the file; nothing is known here about any single
document. Findings are never repaired: they name both figures, and what taking the recomputed
one would change.
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
    PartStatement,
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
    Checklist,
    Judgement,
    Proportional,
    Role,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Unknown,
    full_points,
    points,
    range_of_stated,
)


class FindingKind(StrEnum):
    """What contradicts what."""

    SCORE_AGAINST_RULE = "score_against_rule"
    ROUNDING_DIFFERENCE = "rounding_difference"
    SCORE_NOT_DETERMINED = "score_not_determined"
    SCORE_WITHOUT_MEASUREMENT = "score_without_measurement"
    SCORE_ABOVE_WEIGHT = "score_above_weight"
    SCORE_AGAINST_DEDUCTION = "score_against_deduction"
    NOT_COMPUTABLE = "not_computable"
    WEIGHT_AGAINST_CRITERIA = "weight_against_criteria"
    PARTS_AGAINST_WEIGHT = "parts_against_weight"
    LINE_MISSES_TARGET = "line_misses_target"
    TEXT_AGAINST_TABLE = "text_against_table"
    PERCENTAGE_AGAINST_COUNTS = "percentage_against_counts"
    IMPOSSIBLE_PERCENTAGE = "impossible_percentage"
    FREQUENCIES_AGAINST_N = "frequencies_against_n"
    COLUMN_DOES_NOT_ADD = "column_does_not_add"
    SUM_OF_SCORES = "sum_of_scores"
    SUM_OF_WEIGHTS = "sum_of_weights"
    TOTAL_OUT_OF_REACH = "total_out_of_reach"
    INDICATOR_COUNT = "indicator_count"
    GRADE_GAP = "grade_gap"
    GRADE_AGAINST_SCALE = "grade_against_scale"


@dataclass(frozen=True, slots=True)
class Change:
    """By how many points the printed score would change: from the first to the second."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """What taking the recomputed figure would make of the points, the total and the grade.

    `total` is None where the change does not reach a printed total.
    """

    change: Change
    total: Change | None
    grades: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, in one Chinese sentence; `code` is empty for the rubric as a whole.

    `printed` and `recomputed` are the two figures as shown; the second is empty where nothing
    can be computed.
    """

    kind: FindingKind
    code: str
    place: str
    printed: str
    recomputed: str
    text: str
    change: Change | None = None
    effect: Effect | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the finding for JSON, all numbers as strings."""
        effect = self.effect
        return {
            "kind": self.kind,
            "indicator": self.code,
            "place": self.place,
            "printed": self.printed,
            "recomputed": self.recomputed,
            "text": self.text,
            "effect": None
            if effect is None
            else {
                "points": _change_dict(effect.change),
                "total": None if effect.total is None else _change_dict(effect.total),
                "grades": list(effect.grades),
            },
        }


def _change_dict(change: Change) -> dict[str, str]:
    return {"low": str(change.low), "high": str(change.high)}


def audit(rubric: Rubric) -> tuple[Finding, ...]:
    """Return everything in a rubric file that contradicts itself, indicator by indicator.

    Source: STATISTICS.md §7.
    """
    found = (
        *(finding for each in rubric.indicators for finding in of_indicator(each)),
        *_weights(rubric),
        *_sums(rubric),
        *_reach(rubric),
        *_level_counts(rubric),
        *_other_figures(rubric),
        *_grades(rubric),
    )
    return tuple(replace(finding, effect=_effect(rubric, finding)) for finding in found)


def findings_document(rubric: Rubric) -> dict[str, object]:
    """Return the findings about a rubric file as JSON has them."""
    return {"rubric": rubric.id, "findings": [each.to_dict() for each in audit(rubric)]}


def of_indicator(indicator: Indicator) -> tuple[Finding, ...]:
    """Return the findings about one indicator."""
    checks: tuple[Callable[[Indicator], Iterator[Finding]], ...] = (
        _criteria,
        _scores_disagree,
        _measurements_disagree,
        _scores,
        _deductions,
        _percentages,
        _tables,
    )
    return tuple(
        replace(finding, code=indicator.code) for check in checks for finding in check(indicator)
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
    return tuple(gap for gap, _, _ in named_gaps(rubric))


def named_gaps(rubric: Rubric) -> tuple[tuple[Span, str, str], ...]:
    """Return the gaps of the scale, each with the grades below and above it."""
    if not rubric.grades:
        return ()
    top = Grade("", Span(rubric.full_marks, False, None, False))  # noqa: FBT003 - a span's ends
    bottom = Grade("", Span(Decimal(0), True, Decimal(0), False))  # noqa: FBT003 - a span's ends
    scale = (top, *rubric.grades, bottom)
    return tuple(
        (gap, lower.name, higher.name)
        for higher, lower in pairwise(scale)
        if (gap := _gap(higher.span, lower.span))
    )


def grades_within(rubric: Rubric, low: Decimal, high: Decimal) -> tuple[str, ...]:
    """Return the grades that a range of totals touches, 无法定级 where the scale has a gap."""
    named = [(grade.name, grade.span) for grade in rubric.grades]
    unnamed = [(wording.NO_GRADE, gap) for gap in gaps(rubric)]
    touched = [name for name, span in (*named, *unnamed) if span.meets(low, high)]
    return tuple(dict.fromkeys(touched))


def measurement_text(indicator: Indicator, measurement: PrintedMeasurement) -> str:
    """Return a printed measurement as it is shown."""
    if measurement.parts:
        names = _part_names(indicator.rule)
        told = [
            wording.stated_part(names.get(part, part), _statement_text(stated))
            for part, stated in measurement.parts.items()
        ]
        return wording.stated_parts(told, is_at_least=measurement.at_least)
    figures = [_figure_text(figure, measurement) for figure in measurement.figures]
    if len(figures) > 1 and measurement.combine is Combine.MEAN:
        return wording.mean_of(figures, measurement.low)
    return "、".join(figures)


def allows(measurement: PrintedMeasurement, value: Fraction) -> bool:
    """Whether a value could have been printed as this statement."""
    low, above = _allowed(measurement)
    return low <= value and (above is None or value < above)


def _criteria(indicator: Indicator) -> Iterator[Finding]:
    found = list(_rule_alone(indicator, "", indicator.rule))
    yield from found
    for reading in indicator.readings:
        if not isinstance(reading.rule, Unknown):
            # What is wrong with both readings is said once.
            told = {(each.kind, each.recomputed) for each in found}
            for finding in _rule_alone(indicator, reading.id, reading.rule):
                if (finding.kind, finding.recomputed) not in told:
                    yield finding


def _rule_alone(indicator: Indicator, reading: str, rule: Rule) -> Iterator[Finding]:
    weight, place = indicator.weight, wording.CRITERIA
    if isinstance(rule, Unknown):
        text = wording.not_computable(rule.reason)
        yield Finding(FindingKind.NOT_COMPUTABLE, "", place, "", "", text)
    full = full_points(rule)
    parts = rule.sum_of_parts if isinstance(rule, Checklist) else None
    if parts and parts != Fraction(weight):
        text = wording.parts_against_weight(weight, parts, reading)
        shown = wording.number(parts)
        kind = FindingKind.PARTS_AGAINST_WEIGHT
        yield Finding(kind, "", place, str(weight), shown, text)
    if not parts and full is not None and full != Fraction(weight):
        differs = (
            wording.weight_against_criteria
            if full < Fraction(weight)
            else wording.criteria_above_weight
        )
        kind, text = FindingKind.WEIGHT_AGAINST_CRITERIA, differs(weight, full, reading)
        yield Finding(kind, "", place, str(weight), wording.number(full), text)
    if isinstance(rule, Proportional) and rule.full_at != rule.target:
        on_line = (rule.target - rule.zero) / (rule.full_at - rule.zero) * rule.full
        text = wording.line_misses_target(on_line, rule.full, rule.target, reading)
        ends = wording.number(rule.full), wording.number(on_line)
        yield Finding(FindingKind.LINE_MISSES_TARGET, "", place, *ends, text)


def _scores_disagree(indicator: Indicator) -> Iterator[Finding]:
    printed, kind = indicator.published, FindingKind.TEXT_AGAINST_TABLE
    if printed.name_in_text:
        text = wording.names_disagree(indicator.name, printed.name_in_text)
        yield Finding(kind, "", wording.TEXT, printed.name_in_text, indicator.name, text)
    for one, other in pairwise(printed.scores):
        if one.points != other.points:
            text = wording.scores_disagree(one.place, one.points, other.place, other.points)
            by = other.points - one.points
            shown = str(one.points), str(other.points)
            yield Finding(kind, "", one.place, *shown, text, Change(by, by))


def _measurements_disagree(indicator: Indicator) -> Iterator[Finding]:
    comparable = [each for each in indicator.published.measurements if each.figures]
    for place, one in enumerate(comparable):
        for other in comparable[place + 1 :]:
            if _are_apart(one, other):
                first, second = (measurement_text(indicator, each) for each in (one, other))
                text = wording.measurements_disagree(one.place, first, other.place, second)
                kind = FindingKind.TEXT_AGAINST_TABLE
                yield Finding(kind, "", one.place, first, second, text)


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
    if figure.counted is not None:
        # Two statements of the same counts agree; a span of no width would never meet itself.
        return figure.counted, figure.counted + Fraction(1, 10**9)
    return _printed_span(figure.percent or figure.number)


def _printed_span(printed: str) -> tuple[Fraction, Fraction]:
    """Return the values that print as this percentage or number, rounded or truncated."""
    value, unit = wording.read(printed)
    return value - unit / 2, value + unit


def _scores(indicator: Indicator) -> Iterator[Finding]:
    if isinstance(indicator.rule, Unknown):
        return
    for score in _distinct(indicator.published.scores):
        if score.points > indicator.weight:
            text = wording.score_above_weight(score.place, score.points, indicator.weight)
            shown = str(score.points), str(indicator.weight)
            yield Finding(FindingKind.SCORE_ABOVE_WEIGHT, "", score.place, *shown, text)
        if not indicator.published.measurements and not _is_judged(indicator.rule):
            text = wording.score_without_measurement(score.place, score.points)
            kind = FindingKind.SCORE_WITHOUT_MEASUREMENT
            yield Finding(kind, "", score.place, str(score.points), "", text)
        for measurement in indicator.published.measurements:
            yield from _score_from(indicator, score, measurement)


def _is_judged(rule: Rule) -> bool:
    return isinstance(rule, Judgement) or (isinstance(rule, Checklist) and rule.is_judged)


def _distinct(scores: Sequence[PrintedScore]) -> list[PrintedScore]:
    return list({score.points: score for score in reversed(scores)}.values())[::-1]


def _score_from(
    indicator: Indicator, score: PrintedScore, measurement: PrintedMeasurement
) -> Iterator[Finding]:
    try:
        low, high = _possible(indicator, measurement)
    except RuleError:
        return  # a judgement is not derived from a figure
    printed, place = score.points, score.place
    ends = [indicator.rounding.show(end) for end in (low, high)]
    shown_low, shown_high = min(ends), max(ends)
    if shown_low == shown_high == printed:
        return
    measured = wording.measured_from(measurement.place, measurement_text(indicator, measurement))
    expected = wording.range_of(shown_low, shown_high)
    if shown_low <= printed <= shown_high:
        kind = FindingKind.SCORE_NOT_DETERMINED
        text = wording.score_not_determined(place, printed, measured, expected)
    elif low == high and _is_rounding(printed, low, indicator.rounding):
        kind = FindingKind.ROUNDING_DIFFERENCE
        text = wording.rounding_difference(place, printed, shown_low, low)
    else:
        kind = FindingKind.SCORE_AGAINST_RULE
        text = wording.score_against_rule(place, printed, measured, expected)
    change = Change(shown_low - printed, shown_high - printed)
    if indicator.role is Role.PENALTY:
        change = Change(-change.high, -change.low)
    yield Finding(kind, "", place, str(printed), expected, text, change)


def _possible(indicator: Indicator, measurement: PrintedMeasurement) -> tuple[Fraction, Fraction]:
    """Return the fewest and the most points that a printed measurement allows.

    Of a penalty the points that it takes, as they are printed.
    Raises: `RuleError` where the rule does not score what is printed.
    """
    rule, rounding = indicator.rule, indicator.rounding
    if isinstance(rule, Checklist) and measurement.parts:
        stated = measurement.stated_parts(rounding)
        low, high = range_of_stated(rule, stated, at_least=measurement.at_least)
        if indicator.role is Role.PENALTY:
            return rule.full - high, rule.full - low
        return low, high
    ends = [points(rule, rounding.enter(measurement.low)).value]
    if measurement.high is not None:
        ends.append(points(rule, rounding.enter(measurement.high)).value)
    elif full := full_points(rule):
        ends.append(full)
    return min(ends), max(ends)


def _is_rounding(printed: Decimal, exact: Fraction, rounding: Rounding) -> bool:
    # The places stay: with fewer of them any score near a whole number would look like one.
    return any(replace(rounding, mode=mode).show(exact) == printed for mode in RoundingMode)


def _deductions(indicator: Indicator) -> Iterator[Finding]:
    deducted = indicator.published.deducted
    if deducted is None:
        return
    left = indicator.weight - deducted.points
    for score in _distinct(indicator.published.scores):
        if score.points != left:
            text = wording.score_against_deduction(
                score.place, score.points, indicator.weight, deducted.points, deducted.place
            )
            by, shown = left - score.points, (str(score.points), str(left))
            kind = FindingKind.SCORE_AGAINST_DEDUCTION
            yield Finding(kind, "", score.place, *shown, text, Change(by, by))


def _percentages(indicator: Indicator) -> Iterator[Finding]:
    for measurement in indicator.published.measurements:
        yield from _figures(measurement)


def _figures(measurement: PrintedMeasurement) -> Iterator[Finding]:
    stated = [each for each in measurement.parts.values() if isinstance(each, PrintedFigure)]
    for figure in (*measurement.figures, *stated):
        yield from _figure(f"{measurement.place}{figure.name}", figure)


def _figure(place: str, figure: PrintedFigure) -> Iterator[Finding]:
    printed, exact = figure.percent or figure.number, figure.counted
    if figure.percent and figure.base and not is_reachable(figure.percent, figure.base):
        text = wording.impossible_percent(place, printed, figure.base)
        yield Finding(FindingKind.IMPOSSIBLE_PERCENTAGE, "", place, printed, "", text)
    if not printed or exact is None:
        return
    low, above = _printed_span(printed)
    if not low <= exact < above:
        text = (
            wording.percent_against_counts(place, printed, _counts_text(figure))
            if figure.percent
            else wording.number_against_counts(place, printed, exact)
        )
        shown = wording.percent(exact) if figure.percent else wording.fixed(exact)
        kind = FindingKind.PERCENTAGE_AGAINST_COUNTS
        yield Finding(kind, "", place, printed, shown, text)


def _tables(indicator: Indicator) -> Iterator[Finding]:
    for table in indicator.published.tables:
        yield from _table(table)


def _table(table: PrintedTable) -> Iterator[Finding]:
    total = sum(row.count for row in table.rows)
    if total != table.n:
        text = wording.frequencies_against_n(table.place, total, table.n)
        shown = str(table.n), str(total)
        yield Finding(FindingKind.FREQUENCIES_AGAINST_N, "", table.place, *shown, text)
    for row in table.rows:
        figure = PrintedFigure("", row.percent, "", row.count, table.n, None, None)
        yield from _figure(f"{table.place}“{row.answer}”", figure)
    if table.percent_total:
        yield from _percent_total(table)


def _percent_total(table: PrintedTable) -> Iterator[Finding]:
    spans = [_printed_span(row.percent) for row in table.rows]
    low, above = sum(span[0] for span in spans), sum(span[1] for span in spans)
    printed = table.percent_total
    if not low <= wording.read_percent(printed) < above:
        exact = sum((wording.read_percent(row.percent) for row in table.rows), Fraction(0))
        shown = wording.percent(exact)
        text = wording.column_does_not_add(table.place, printed, shown)
        kind = FindingKind.COLUMN_DOES_NOT_ADD
        yield Finding(kind, "", table.place, printed, shown, text)


def _weights(rubric: Rubric) -> Iterator[Finding]:
    """Weights against printed full marks; a partial file cannot know."""
    if rubric.scope is Scope.PARTIAL:
        return
    whole = PublishedSum((), None, rubric.full_marks, rubric.source.place)
    for printed in (whole, *rubric.published.subtotals):
        total = sum((each.weight for each in _below(rubric, printed.path)), Decimal(0))
        if printed.out_of is not None and total != printed.out_of:
            text = wording.sum_of_weights(printed.path, printed.out_of, total)
            shown = str(printed.out_of), str(total)
            yield Finding(FindingKind.SUM_OF_WEIGHTS, "", printed.place, *shown, text)


def _sums(rubric: Rubric) -> Iterator[Finding]:
    if rubric.scope is Scope.PARTIAL or rubric.published.total is None:
        return
    for printed in (*rubric.published.subtotals, rubric.published.total):
        for basis, total in _bases(rubric, printed):
            if printed.points is not None and total != printed.points:
                text = wording.sum_of_scores(printed.path, printed.points, basis, total)
                by, shown = total - printed.points, (str(printed.points), str(total))
                # A subtotal's own slip moves no total: the total has its own line.
                change = None if printed.path else Change(by, by)
                kind = FindingKind.SUM_OF_SCORES
                yield Finding(kind, "", printed.place, *shown, text, change)


def _bases(rubric: Rubric, printed: PublishedSum) -> Iterator[tuple[str, Decimal]]:
    """Yield the sums that a printed sum should equal: by either edition, and by subtotals."""
    indicators = _of_level(rubric, printed.path)
    for edition, basis in ((Edition.ANNEX, "附件各指标得分"), (Edition.TEXT, "正文各指标得分")):
        scores = [(each.role, _score_in(each, edition)) for each in indicators]
        known = [(role, score) for role, score in scores if score is not None]
        if len(known) == len(scores):
            yield basis, rubric.adjustments.total(known)
    children = [each for each in rubric.published.subtotals if each.path[:-1] == printed.path]
    names = {indicator.path[: len(printed.path) + 1] for indicator in indicators}
    given = [child.points for child in children if child.points is not None]
    if len(given) == len(children) and {child.path for child in children} == names:
        yield "印出的下级得分", sum(given, Decimal(0))


def _reach(rubric: Rubric) -> Iterator[Finding]:
    """Say whether any scores for what has none printed could lead to the printed total."""
    printed, total = rubric.published.total, rubric.published.total_points
    if rubric.scope is Scope.PARTIAL or printed is None or total is None:
        return
    scores = [(each, _score_in(each, Edition.ANNEX)) for each in rubric.indicators]
    if all(score is not None for _, score in scores):
        return  # then the sum itself is compared
    ends = [_end(rubric, scores, is_most=is_most) for is_most in (False, True)]
    for end, is_most in zip(ends, (False, True), strict=True):
        if (total > end) if is_most else (total < end):
            text = wording.total_out_of_reach(total, end, is_most=is_most)
            by, shown = end - total, (str(total), str(end))
            kind = FindingKind.TOTAL_OUT_OF_REACH
            yield Finding(kind, "", printed.place, *shown, text, Change(by, by))


def _end(
    rubric: Rubric, scores: Sequence[tuple[Indicator, Decimal | None]], *, is_most: bool
) -> Decimal:
    return rubric.adjustments.total(
        (each.role, _unscored(each, is_most=is_most) if score is None else score)
        for each, score in scores
    )


def _unscored(indicator: Indicator, *, is_most: bool) -> Decimal:
    if indicator.role is Role.PENALTY:
        return Decimal(0) if is_most else -indicator.weight
    return indicator.weight if is_most else Decimal(0)


def _score_in(indicator: Indicator, edition: Edition) -> Decimal | None:
    for score in indicator.published.scores:
        if score.edition is edition:
            return -score.points if indicator.role is Role.PENALTY else score.points
    return None


def _below(rubric: Rubric, path: tuple[str, ...]) -> list[Indicator]:
    """Return the indicators below a level that count among the full marks."""
    return [each for each in _of_level(rubric, path) if each.role is Role.BASE]


def _of_level(rubric: Rubric, path: tuple[str, ...]) -> list[Indicator]:
    return [each for each in rubric.indicators if each.path[: len(path)] == path]


def _level_counts(rubric: Rubric) -> Iterator[Finding]:
    if rubric.scope is Scope.PARTIAL:
        return
    paths = [(*each.path, each.code) for each in rubric.indicators]
    for stated in rubric.published.level_counts:
        level = stated.level
        found = len({path[:level] for path in paths if len(path) >= level})
        if found != stated.count:
            text = wording.indicator_count(stated.place, level, stated.count, found)
            shown = str(stated.count), str(found)
            yield Finding(FindingKind.INDICATOR_COUNT, "", stated.place, *shown, text)


def _other_figures(rubric: Rubric) -> Iterator[Finding]:
    for column in rubric.published.columns:
        total = sum(column.amounts, Decimal(0))
        if total != column.total:
            shown = str(column.total), str(total)
            text = wording.column_does_not_add(column.place, *shown)
            yield Finding(FindingKind.COLUMN_DOES_NOT_ADD, "", column.place, *shown, text)
    for amount in rubric.published.amounts:
        for (first, one), (second, other) in pairwise(amount.stated):
            if one != other:
                text = wording.amounts_disagree(amount.name, first, one, second, other)
                kind = FindingKind.TEXT_AGAINST_TABLE
                yield Finding(kind, "", first, str(one), str(other), text)
    for measurement in rubric.published.figures:
        yield from _figures(measurement)


def _grades(rubric: Rubric) -> Iterator[Finding]:
    place = rubric.source.place
    for gap in gaps(rubric):
        text = wording.grade_gap(gap.lower, gap.upper or rubric.full_marks)
        yield Finding(FindingKind.GRADE_GAP, "", place, "", wording.NO_GRADE, text)
    published, total = rubric.published, rubric.published.total_points
    if rubric.grades and published.total and total is not None:
        scale = next((each.name for each in rubric.grades if each.span.holds(total)), None)
        if published.grade and scale != published.grade:
            right = scale or wording.NO_GRADE
            text = wording.grade_against_scale(published.grade, total, right)
            kind = FindingKind.GRADE_AGAINST_SCALE
            yield Finding(kind, "", published.total.place, published.grade, right, text)


def _effect(rubric: Rubric, finding: Finding) -> Effect | None:
    change, printed = finding.change, rubric.published.total_points
    if change is None:
        return None
    if printed is None:
        return Effect(change, None, ())
    total = Change(printed + change.low, printed + change.high)
    return Effect(change, total, grades_within(rubric, total.low, total.high))


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
    shown = figure.percent or figure.number if figure.counted is None else _counts_text(figure)
    return wording.figure(figure.name, shown, is_at_least=measurement.at_least)


def _counts_text(figure: PrintedFigure) -> str:
    if figure.numerator is not None and figure.base:
        return wording.counted(figure.numerator, figure.base)
    return wording.divided(figure.amount or Decimal(0), figure.of or Decimal(1))


def _statement_text(stated: PartStatement) -> str:
    match stated:
        case bool():
            return wording.met(is_met=stated)
        case int():
            return wording.cases(stated)
        case Decimal():
            return wording.given(stated)
        case _:
            return stated.percent or stated.number or _counts_text(stated)


def _part_names(rule: Rule) -> dict[str, str]:
    return {part.id: part.name for part in rule.parts} if isinstance(rule, Checklist) else {}
