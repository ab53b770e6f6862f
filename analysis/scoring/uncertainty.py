"""What a score sheet leaves open: how near the next step is, and how many interviews settle it.

Everything is asked of the sheet itself: a figure is changed, and the indicator and the total are
scored again by the same rules, caps, conditions and roundings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from analysis.scoring import sampling, wording
from analysis.scoring.feed import Measurement, Rate
from analysis.scoring.score import (
    Line,
    Range,
    ScoreSheet,
    grade_of,
    interval_of,
    shown_points,
    total_of,
)

WITHIN = Decimal("0.5")
"""Points are settled when they are known to ± this many (STATISTICS.md §4)."""

MOST_INTERVIEWS = 10_000_000
"""Above this many the answer is that interviews alone do not settle it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """What would be if `people` more (below 0: fewer) of the same base were counted.

    `grades` are those of the total with everything else as it is; empty without a complete total.
    """

    people: int
    numerator: int
    base: int
    points: Decimal
    grades: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settling:
    """How many more interviews settle something: 0 if it is settled, None with the reason."""

    more: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the sample leaves open of one indicator.

    `shifts` are one person fewer and one more, the first that change the points, and the first
    that change the grade; none, with `not_in_people`, where people cannot be counted.
    """

    code: str
    name: str
    shifts: tuple[Shift, ...]
    not_in_people: str
    settling: Settling
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What sampling leaves open of a sheet: by indicator, and of its total and grade.

    `settling` is of the grade, None where the sheet has none or no rate carries an interval.
    """

    outlooks: tuple[Outlook, ...]
    total: Range | None
    grades: tuple[str, ...]
    settling: Settling | None
    sentences: tuple[str, ...]

    @property
    def by_code(self) -> Mapping[str, Outlook]:
        """The outlooks by the code of their indicator."""
        return {outlook.code: outlook for outlook in self.outlooks}

    def to_dict(self) -> dict[str, object]:
        """Return the whole for JSON, all numbers but counts as strings."""
        return {
            "indicators": [_outlook_dict(outlook) for outlook in self.outlooks],
            "total": None
            if self.total is None
            else {"low": str(self.total.low), "high": str(self.total.high)},
            "grades": list(self.grades),
            "more_interviews": _settling_dict(self.settling),
            "text": list(self.sentences),
        }


def uncertainty(sheet: ScoreSheet) -> Uncertainty:
    """Say what the samples behind a sheet leave open.

    Each indicator is asked alone, the others as they are. Further interviews are taken to answer
    as those that there are, with the same design effect; of a finite population no advantage is
    taken, and who does not answer comes on top.
    Source: STATISTICS.md §4 and §6, decision 28.
    """
    total, grade = sheet.total, sheet.grade
    outlooks = tuple(
        _outlook(sheet, line, line.measurement)
        for line in sheet.lines
        if line.shown is not None and line.measurement and sampling.rates_of(line.measurement)
    )
    if total is None or total.sampled is None:
        return Uncertainty(outlooks, None, (), None, ())
    settling = _settle_grade(sheet) if grade else None
    told = [wording.joined(total.surveys)]
    if grade and not total.missing:
        told.append(wording.grade_in_sample(grade.sampled))
    if settling:
        told.append(_grade_sentence(settling, total.surveys))
    grades = grade.sampled if grade else ()
    return Uncertainty(outlooks, total.sampled, grades, settling, tuple(told))


def sheet_dict(sheet: ScoreSheet) -> dict[str, object]:
    """Return a sheet with its uncertainty for JSON, as `score --json` prints it."""
    return {**sheet.to_dict(), "uncertainty": uncertainty(sheet).to_dict()}


# One indicator


def _outlook(sheet: ScoreSheet, line: Line, measurement: Measurement) -> Outlook:
    settling = _settle_points(line, measurement)
    points_sentence = _points_sentence(settling)
    name, rate = line.indicator.name, measurement.content
    if not isinstance(rate, Rate) or Fraction(rate.numerator, rate.base) != rate.value:
        reason = wording.NOT_IN_PEOPLE if isinstance(rate, Rate) else wording.SEVERAL_PARTS
        return Outlook(line.indicator.code, name, (), reason, settling, (reason, points_sentence))
    directions = [_direction(sheet, line, rate, sign) for sign in (-1, 1)]
    shifts = dict.fromkeys(shift for each in directions for shift in each.shifts)
    sentences = [sentence for each in directions for sentence in each.sentences]
    return Outlook(
        code=line.indicator.code,
        name=name,
        shifts=tuple(sorted(shifts, key=lambda shift: shift.people)),
        not_in_people="",
        settling=settling,
        sentences=(*sentences, points_sentence),
    )


@dataclass(frozen=True, slots=True)
class _Direction:
    shifts: tuple[Shift, ...]
    sentences: tuple[str, ...]


def _direction(sheet: ScoreSheet, line: Line, rate: Rate, sign: int) -> _Direction:
    """Look from the counts towards fewer (-1) or more (1) people for the first changes."""
    room = rate.numerator if sign < 0 else rate.base - rate.numerator
    if not room:
        return _Direction((), ())

    def shifted(people: int) -> Shift:
        return _shifted(sheet, line, rate, sign * people)

    name, unit = line.indicator.name, wording.people(is_people=sampling.people(rate) == rate.base)
    # Rules only rise or only fall, so what has changed stays changed, and halving finds the first.
    points_at = sampling.smallest(lambda people: shifted(people).points != line.shown, room)
    found = [shifted(1)]
    if points_at is None:
        sentences = [wording.points_stay(name, unit, is_more=sign > 0)]
    else:
        first = shifted(points_at)
        found.append(first)
        counts = (first.numerator, first.base)
        sentences = [wording.points_after(name, unit, first.people, counts, first.points)]
    now = _grades(sheet, line, line.shown)
    grade_at = sampling.smallest(lambda people: shifted(people).grades != now, room)
    if now and grade_at is not None:
        other = shifted(grade_at)
        found.append(other)
        counts = (other.numerator, other.base)
        sentences.append(wording.grade_after(name, unit, other.people, counts, other.grades))
    return _Direction(tuple(found), tuple(sentences))


def _shifted(sheet: ScoreSheet, line: Line, rate: Rate, people: int) -> Shift:
    numerator = rate.numerator + people
    moved = replace(rate, numerator=numerator, value=Fraction(numerator, rate.base))
    measurement = replace(_measured(line), content=moved)
    points = shown_points(line.indicator, line.indicator.rule, measurement)
    return Shift(people, numerator, rate.base, points, _grades(sheet, line, points))


def _grades(sheet: ScoreSheet, line: Line, points: Decimal | None) -> tuple[str, ...]:
    """Return the grades of the total with these points; none where the total is not complete."""
    if sheet.total is None or sheet.total.missing:
        return ()
    lines = [replace(each, shown=points) if each is line else each for each in sheet.lines]
    grade = grade_of(sheet.rubric, total_of(sheet.rubric, lines))
    return grade.possible if grade else ()


def _measured(line: Line) -> Measurement:
    if line.measurement is None:
        raise ValueError(f"{line.indicator.code} was not measured")
    return line.measurement


# How many more interviews


def _settle_points(line: Line, measurement: Measurement) -> Settling:
    if line.interval is None or line.shown is None:
        return Settling(None, _why_no_interval(measurement))
    if _is_within(line.interval, line.shown):
        return Settling(0, "")

    def is_settled(interval: Range | None) -> bool:
        return interval is not None and _is_within(interval, line.shown or Decimal(0))

    rule = line.indicator.rule
    return _settle(
        [measurement],
        lambda factor: is_settled(
            interval_of(line.indicator, rule, _with_more(line, measurement, factor))
        ),
        wording.NEAR_STEP,
    )


def _is_within(interval: Range, shown: Decimal) -> bool:
    return shown - interval.low <= WITHIN and interval.high - shown <= WITHIN


def _why_no_interval(measurement: Measurement) -> str:
    notes = (rate.interval_note for rate in sampling.rates_of(measurement))
    return next((note for note in notes if note), wording.NO_INTERVAL)


def _settle_grade(sheet: ScoreSheet) -> Settling:
    if sheet.total is None or sheet.total.missing:
        return Settling(None, wording.GRADE_NOT_COMPLETE)
    if sheet.grade and len(sheet.grade.sampled) == 1:
        return Settling(0, "")
    measurements = [line.measurement for line in sheet.lines if line.measurement and line.interval]
    return _settle(
        measurements,
        lambda factor: _is_grade_settled(sheet, factor),
        wording.NEAR_GRADE,
    )


def _is_grade_settled(sheet: ScoreSheet, factor: Fraction) -> bool:
    lines = [_line_with_more(line, factor) for line in sheet.lines]
    grade = grade_of(sheet.rubric, total_of(sheet.rubric, lines))
    return grade is not None and len(grade.sampled) == 1


def _line_with_more(line: Line, factor: Fraction) -> Line:
    if line.interval is None:
        return line
    measurement = _with_more(line, _measured(line), factor)
    interval = interval_of(line.indicator, line.indicator.rule, measurement)
    return replace(line, interval=interval)


def _with_more(line: Line, measurement: Measurement, factor: Fraction) -> Measurement:
    return sampling.with_rates(
        line.indicator.rule, measurement, lambda _, rate: sampling.with_more(rate, factor)
    )


def _settle(
    measurements: Sequence[Measurement], is_settled: Callable[[Fraction], bool], otherwise: str
) -> Settling:
    """Find the fewest interviews, each survey growing by the same factor."""
    if not all(_is_readable(measurements)):
        return Settling(None, wording.UNREADABLE_INTERVAL)
    asked = sampling.persons_asked(measurements)
    more = sampling.smallest(
        lambda more: is_settled(Fraction(asked + more, asked)), MOST_INTERVIEWS
    )
    return Settling(more, "" if more is not None else otherwise)


def _is_readable(measurements: Iterable[Measurement]) -> Iterable[bool]:
    # An interval without width, as after a census, leaves nothing open and needs no reading.
    for measurement in measurements:
        for rate in sampling.rates_of(measurement):
            interval = rate.interval
            if interval and interval.low < interval.high:
                yield sampling.effective_size(rate) is not None


def _points_sentence(settling: Settling) -> str:
    match settling.more:
        case None:
            return wording.points_open(WITHIN, settling.reason)
        case 0:
            return wording.points_settled(WITHIN)
        case more:
            return wording.points_need(WITHIN, more)


def _grade_sentence(settling: Settling, surveys: int) -> str:
    match settling.more:
        case None:
            return wording.grade_open(settling.reason)
        case 0:
            return wording.GRADE_SETTLED
        case more:
            return wording.grade_needs(more, surveys)


# JSON


def _outlook_dict(outlook: Outlook) -> dict[str, object]:
    return {
        "code": outlook.code,
        "shifts": [
            {
                "people": shift.people,
                "numerator": shift.numerator,
                "base": shift.base,
                "points": str(shift.points),
                "grades": list(shift.grades),
            }
            for shift in outlook.shifts
        ],
        "not_in_people": outlook.not_in_people,
        "more_interviews": _settling_dict(outlook.settling),
        "text": list(outlook.sentences),
    }


def _settling_dict(settling: Settling | None) -> dict[str, object] | None:
    return None if settling is None else {"more": settling.more, "reason": settling.reason}
