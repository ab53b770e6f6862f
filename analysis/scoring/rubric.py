"""Rubrics as data: indicators, weights, criteria and published figures, read from TOML.

Weights are never normalised and published figures never repaired; what does not agree is for
`audit` to say. What makes a file unusable (an unknown rule, a doubled code, a missing weight,
bands in disorder) raises `RubricError`.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from analysis.scoring import wording
from analysis.scoring.feed import Fields
from analysis.scoring.rules import (
    Band,
    Bands,
    Checklist,
    Condition,
    ConditionKind,
    Deduct,
    Judgement,
    Part,
    PartialStep,
    Proportional,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Unknown,
)

# Python 3.11 tells the place of a fault in its English message only.
AT_LINE = re.compile(r"at line (\d+), column (\d+)")
FOLDER = Path(__file__).parent / "rubrics"


class RubricError(ValueError):
    """A rubric file that cannot be used: which file, which key, and why."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__("：".join(part for part in (file, key, reason) if part))
        self.file = file
        self.key = key
        self.reason = reason


class Scope(StrEnum):
    """Whether the file holds the whole document, or only what a survey feeds."""

    COMPLETE = "complete"
    PARTIAL = "partial"


class Combine(StrEnum):
    """What several printed figures are together: their mean, or a range without one value."""

    MEAN = "mean"
    RANGE = "range"


class Edition(StrEnum):
    """Where in a report a score is printed."""

    ANNEX = "annex"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Source:
    """The document, and the place of its rubric in it."""

    document: str
    place: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of numbers; `upper` None means without end."""

    lower: Decimal
    lower_inclusive: bool
    upper: Decimal | None
    upper_inclusive: bool

    def holds(self, number: Decimal) -> bool:
        """Whether the number lies in the span."""
        above = number > self.lower or (self.lower_inclusive and number == self.lower)
        if self.upper is None:
            return above
        return above and (number < self.upper or (self.upper_inclusive and number == self.upper))

    def meets(self, low: Decimal, high: Decimal) -> bool:
        """Whether any number from `low` to `high`, both included, lies in the span."""
        if self.holds(low) or self.holds(high):
            return True
        # Neither end lies inside, so the span can only lie wholly between them.
        return low <= self.lower and self.upper is not None and self.upper <= high


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade and the totals that earn it."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class PrintedFigure:
    """A percentage as printed, the counts behind it, or both; exact where counts are given.

    `percent` keeps the printed text, since its places say how much it was rounded. A `base`
    without a `numerator` is the n that the percentage is said to be of.
    """

    name: str
    percent: str
    numerator: int | None
    base: int | None

    @property
    def counted(self) -> Fraction | None:
        """The share from the counts, None where one of them is not printed."""
        if self.numerator is None or not self.base:
            return None
        return Fraction(self.numerator, self.base)

    @property
    def value(self) -> Fraction:
        """The share: from the counts, else as printed."""
        return wording.read_percent(self.percent) if self.counted is None else self.counted


@dataclass(frozen=True, slots=True)
class PrintedMeasurement:
    """One statement of a measurement: figures, or ticks, with its place.

    With `at_least` the document says only that the figure is reached or passed.
    """

    place: str
    figures: tuple[PrintedFigure, ...]
    combine: Combine
    at_least: bool
    ticks: dict[str, bool]

    @property
    def low(self) -> Fraction:
        """The value, or the lowest that the statement allows."""
        values = [figure.value for figure in self.figures]
        if self.combine is Combine.MEAN:
            return sum(values, Fraction(0)) / len(values)
        return min(values)

    @property
    def high(self) -> Fraction | None:
        """The value, or the highest that the statement allows; None is without end."""
        if self.at_least:
            return None
        if self.combine is Combine.MEAN:
            return self.low
        return max(figure.value for figure in self.figures)


@dataclass(frozen=True, slots=True)
class PrintedScore:
    """A printed score, its edition and its place."""

    edition: Edition
    place: str
    points: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a printed frequency table."""

    answer: str
    count: int
    percent: str


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A printed frequency table of one question, with the n it states."""

    place: str
    n: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """Everything the document prints about one indicator's result.

    `name_in_text` is the name under which the text discusses it, where it is another one.
    """

    measurements: tuple[PrintedMeasurement, ...]
    scores: tuple[PrintedScore, ...]
    tables: tuple[PrintedTable, ...]
    name_in_text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Another reading of an indicator's criteria: where it stands, and why it is second."""

    id: str
    reason: str
    criteria: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator of the lowest level.

    `path` names the levels above it; `measure` is the questionnaire's measure that feeds it.
    """

    code: str
    path: tuple[str, ...]
    name: str
    weight: Decimal
    criteria: str
    rule: Rule
    rounding: Rounding
    conditions: tuple[Condition, ...]
    readings: tuple[Reading, ...]
    measure: str | None
    published: Published
    note: str


@dataclass(frozen=True, slots=True)
class PublishedSum:
    """A printed subtotal (or, with an empty path, the total) and the full marks printed for it."""

    path: tuple[str, ...]
    points: Decimal
    out_of: Decimal | None
    place: str


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """The printed total with its grade, the subtotals, and the stated number of indicators."""

    total: PublishedSum | None
    grade: str
    subtotals: tuple[PublishedSum, ...]
    indicator_count: int | None
    indicator_count_place: str


@dataclass(frozen=True, slots=True)
class Rubric:
    """One document's rubric, complete or only the part that surveys feed."""

    id: str
    title: str
    source: Source
    scope: Scope
    full_marks: Decimal
    grades: tuple[Grade, ...]
    rounding: Rounding
    indicators: tuple[Indicator, ...]
    published: PublishedResult
    note: str

    def indicator(self, code: str) -> Indicator:
        """Return the indicator with this code. Raises `KeyError` when there is none."""
        for indicator in self.indicators:
            if indicator.code == code:
                return indicator
        raise KeyError(code)


def load(path: Path) -> Rubric:
    """Read a rubric file. Raises: `RubricError`, also for a file that is missing or not text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RubricError(path.name, "", "找不到这个文件") from None
    except (OSError, UnicodeDecodeError):
        raise RubricError(path.name, "", "这个文件读不出来") from None
    return parse(text, path.name)


def parse(text: str, where: str) -> Rubric:
    """Read a rubric from TOML text; `where` names the file in errors.

    Raises: `RubricError` with file, key path and reason.
    """

    def fail(key: str, reason: str) -> RubricError:
        return RubricError(where, key, reason)

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise fail("", f"不是合法的 TOML{_place_of(fault)}") from None
    return _rubric(Fields(raw, "", fail))


def _place_of(fault: tomllib.TOMLDecodeError) -> str:
    found = AT_LINE.search(str(fault))
    return f"，第 {found[1]} 行第 {found[2]} 列" if found else "，文件没有写完"


def bundled() -> tuple[str, ...]:
    """Return the ids of the bundled rubrics, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_bundled(rubric_id: str) -> Rubric:
    """Read a bundled rubric. Raises: `RubricError` when there is none with this id."""
    if rubric_id not in bundled():
        raise RubricError(rubric_id, "", f"没有这个指标体系；现有：{'、'.join(bundled())}")
    return load(FOLDER / f"{rubric_id}.toml")


def _rubric(fields: Fields) -> Rubric:
    rounding = _rounding(fields.table("rounding"))
    indicators = tuple(_indicator(inner, rounding) for inner in fields.tables("indicators"))
    rubric = Rubric(
        id=fields.text("id"),
        title=fields.text("title"),
        source=_source(fields.table("source")),
        scope=fields.word("scope", Scope),
        full_marks=fields.decimal("full_marks"),
        grades=_grades(fields),
        rounding=rounding,
        indicators=indicators,
        published=_result(fields),
        note=fields.text_or_empty("note"),
    )
    fields.close()
    _refuse_doubled_codes(fields, rubric)
    return rubric


def _refuse_doubled_codes(fields: Fields, rubric: Rubric) -> None:
    if not rubric.indicators:
        fields.refuse("indicators", "一个指标也没有")
    seen: set[str] = set()
    for place, indicator in enumerate(rubric.indicators):
        if indicator.code in seen:
            fields.refuse(f"indicators[{place}].code", f"代码 {indicator.code} 重复")
        seen.add(indicator.code)


def _source(fields: Fields) -> Source:
    source = Source(fields.text("document"), fields.text("place"))
    fields.close()
    return source


def _rounding(fields: Fields) -> Rounding:
    rounding = Rounding(
        mode=fields.word("mode", RoundingMode),
        places=fields.integer("places"),
        round_rate_first=_integer_or_none(fields, "round_rate_first"),
    )
    fields.close()
    return rounding


def _grades(fields: Fields) -> tuple[Grade, ...]:
    grades = tuple(map(_grade, fields.tables("grades")))
    for place, (higher, lower) in enumerate(pairwise(grades)):
        if _overlap(higher.span, lower.span):
            fields.refuse(f"grades[{place + 1}]", f"“{higher.name}”和“{lower.name}”重叠或次序颠倒")
    return grades


def _grade(fields: Fields) -> Grade:
    name = fields.text("name")
    lower, lower_inclusive = fields.decimal("lower"), fields.flag("lower_inclusive")
    upper, upper_inclusive = None, False
    if fields.has("upper"):
        upper, upper_inclusive = fields.decimal("upper"), fields.flag("upper_inclusive")
    fields.close()
    if upper is not None and upper <= lower:
        fields.refuse("upper", "上限必须高于下限")
    return Grade(name, Span(lower, lower_inclusive, upper, upper_inclusive))


def _overlap(higher: Span, lower: Span) -> bool:
    if lower.upper is None or lower.upper > higher.lower:
        return True
    return lower.upper == higher.lower and lower.upper_inclusive and higher.lower_inclusive


def _indicator(fields: Fields, default: Rounding) -> Indicator:
    indicator = Indicator(
        code=fields.text("code"),
        path=fields.texts("path"),
        name=fields.text("name"),
        weight=fields.decimal("weight"),
        criteria=fields.text("criteria"),
        rule=_rule(fields),
        rounding=_rounding(fields.table("rounding")) if fields.has("rounding") else default,
        conditions=tuple(map(_condition, fields.tables("conditions"))),
        readings=tuple(map(_reading, fields.tables("readings"))),
        measure=fields.text("measure") if fields.has("measure") else None,
        published=_published(fields),
        note=fields.text_or_empty("note"),
    )
    fields.close()
    return indicator


def _reading(fields: Fields) -> Reading:
    reading = Reading(
        fields.text("id"), fields.text("reason"), fields.text("criteria"), _rule(fields)
    )
    fields.close()
    return reading


def _rule(outer: Fields) -> Rule:
    fields = outer.table("rule")
    kind = fields.text("kind")
    if kind not in RULES:
        fields.refuse("kind", f"不认识的细则种类；应当是 {'、'.join(RULES)} 之一")
    try:
        rule = RULES[kind](fields)
    except RuleError as fault:
        outer.refuse("rule", str(fault))
    fields.close()
    return rule


def _proportional(fields: Fields) -> Rule:
    target = _exact(fields, "target")
    return Proportional(
        full=_exact(fields, "full"),
        target=target,
        zero=_exact(fields, "zero") if fields.has("zero") else Fraction(0),
        full_at=_exact(fields, "full_at") if fields.has("full_at") else target,
        cutoff=_exact(fields, "cutoff") if fields.has("cutoff") else None,
        # A cut-off must say whether it includes its own value: 低于 and ≤ both occur in print.
        cutoff_inclusive=fields.flag("cutoff_inclusive") if fields.has("cutoff") else False,
    )


def _deduct(fields: Fields) -> Rule:
    return Deduct(
        full=_exact(fields, "full"),
        target=_exact(fields, "target"),
        per_step=_exact(fields, "per_step"),
        step=_exact(fields, "step"),
        partial_step=fields.word("partial_step", PartialStep),
    )


def _bands(fields: Fields) -> Rule:
    return Bands(tuple(map(_band, fields.tables("bands"))))


def _band(fields: Fields) -> Band:
    band = Band(_exact(fields, "lower"), fields.flag("inclusive"), _exact(fields, "points"))
    fields.close()
    return band


def _checklist(fields: Fields) -> Rule:
    return Checklist(tuple(map(_part, fields.tables("parts"))))


def _part(fields: Fields) -> Part:
    part = Part(
        id=fields.text("id"),
        name=fields.text("name"),
        points=_exact(fields, "points"),
        per_case=_exact(fields, "per_case") if fields.has("per_case") else None,
    )
    fields.close()
    return part


def _judgement(fields: Fields) -> Rule:
    return Judgement(_exact(fields, "full"))


def _unknown(fields: Fields) -> Rule:
    return Unknown(fields.text("reason"))


RULES: dict[str, Callable[[Fields], Rule]] = {
    "proportional": _proportional,
    "deduct": _deduct,
    "bands": _bands,
    "checklist": _checklist,
    "judgement": _judgement,
    "unknown": _unknown,
}


def _condition(fields: Fields) -> Condition:
    kind = fields.word("kind", ConditionKind)
    try:
        condition = Condition(
            id=fields.text("id"),
            name=fields.text("name"),
            kind=kind,
            zero_from=fields.integer("zero_from") if kind is ConditionKind.COUNT else 1,
            each=_exact(fields, "each") if fields.has("each") else Fraction(0),
        )
    except RuleError as fault:
        fields.refuse("", str(fault))
    fields.close()
    return condition


def _published(outer: Fields) -> Published:
    if not outer.has("published"):
        return Published((), (), (), "")
    fields = outer.table("published")
    published = Published(
        measurements=tuple(map(_printed_measurement, fields.tables("measurements"))),
        scores=tuple(_printed_score(fields, edition) for edition in Edition if fields.has(edition)),
        tables=tuple(map(_printed_table, fields.tables("tables"))),
        name_in_text=fields.text_or_empty("name_in_text"),
    )
    fields.close()
    return published


def _printed_measurement(fields: Fields) -> PrintedMeasurement:
    figures = tuple(map(_figure, fields.tables("figures")))
    ticks = fields.flags("ticks")
    if bool(figures) == bool(ticks):
        fields.refuse("figures", "应当有 figures 或者 ticks，只能有一样")
    if len(figures) > 1 and not fields.has("combine"):
        fields.refuse("combine", "有几个数时必须写明是取平均还是只有范围")
    measurement = PrintedMeasurement(
        place=fields.text("place"),
        figures=figures,
        combine=fields.word("combine", Combine) if fields.has("combine") else Combine.RANGE,
        at_least=fields.flag("at_least") if fields.has("at_least") else False,
        ticks=ticks,
    )
    fields.close()
    return measurement


def _figure(fields: Fields) -> PrintedFigure:
    figure = PrintedFigure(
        name=fields.text_or_empty("name"),
        percent=_percent(fields) if fields.has("percent") else "",
        numerator=_integer_or_none(fields, "numerator"),
        base=_integer_or_none(fields, "base"),
    )
    fields.close()
    if figure.base == 0 or (figure.counted is None and not figure.percent):
        fields.refuse("percent", "应当有印出的百分数，或者分子和基数")
    return figure


def _printed_score(outer: Fields, edition: Edition) -> PrintedScore:
    fields = outer.table(edition)
    score = PrintedScore(edition, fields.text("place"), fields.decimal("points"))
    fields.close()
    return score


def _printed_table(fields: Fields) -> PrintedTable:
    table = PrintedTable(
        fields.text("place"), fields.integer("n"), tuple(map(_row, fields.tables("rows")))
    )
    fields.close()
    return table


def _row(fields: Fields) -> Row:
    row = Row(fields.text("answer"), fields.integer("count"), _percent(fields))
    fields.close()
    return row


def _result(outer: Fields) -> PublishedResult:
    if not outer.has("published"):
        return PublishedResult(None, "", (), None, "")
    fields = outer.table("published")
    result = PublishedResult(
        total=_published_sum(fields.table("total")) if fields.has("total") else None,
        grade=fields.text_or_empty("grade"),
        subtotals=tuple(map(_published_sum, fields.tables("subtotals"))),
        indicator_count=_integer_or_none(fields, "indicator_count"),
        indicator_count_place=fields.text_or_empty("indicator_count_place"),
    )
    fields.close()
    return result


def _published_sum(fields: Fields) -> PublishedSum:
    published = PublishedSum(
        path=fields.texts("path"),
        points=fields.decimal("points"),
        out_of=fields.decimal("out_of") if fields.has("out_of") else None,
        place=fields.text("place"),
    )
    fields.close()
    return published


def _exact(fields: Fields, key: str) -> Fraction:
    return Fraction(fields.decimal(key))


def _integer_or_none(fields: Fields, key: str) -> int | None:
    return fields.integer(key) if fields.has(key) else None


def _percent(fields: Fields) -> str:
    printed = fields.text("percent")
    try:
        wording.read_percent(printed)
    except ValueError:
        fields.refuse("percent", '应当是照印的百分数，例如 "88.35%"')
    return printed
