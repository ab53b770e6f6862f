"""Rubrics as data: indicators, weights, criteria and published figures, read from TOML.

Weights are never normalised and published figures never repaired; what does not agree is for
`audit` to say. What makes a file unusable (an unknown rule, a doubled code, a missing weight,
bands in disorder) raises `RubricError`.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from analysis.scoring import wording
from analysis.scoring.feed import DECIMAL, LONGEST_DECIMAL, Fields
from analysis.scoring.rules import (
    Band,
    Bands,
    Better,
    Checklist,
    Condition,
    ConditionKind,
    Deduct,
    Judged,
    Judgement,
    Part,
    PartialStep,
    PartRule,
    PartValue,
    Proportional,
    Role,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Unknown,
    range_of_stated,
)

# Python 3.11 tells the place of a fault in its English message only.
AT_LINE = re.compile(r"at line (\d+), column (\d+)")
R = TypeVar("R")
FOLDER = Path(__file__).parent / "rubrics"
# Not a document's: it shows what a rubric of one's own may look like.
EXAMPLE = "example-2026"
# Beyond these no document goes; each place makes the exact numbers ten times as long.
MOST_PLACES = 8


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
    """A percentage or a number as printed, what it was made from, or both.

    `percent` and `number` keep the printed text, since its places say how much it was rounded.
    `numerator` and `base` count cases, `amount` and `of` are sums of money and the like. A `base`
    without a `numerator` is the n that the percentage is said to be of.
    """

    name: str
    percent: str
    number: str
    numerator: int | None
    base: int | None
    amount: Decimal | None
    of: Decimal | None

    @property
    def counted(self) -> Fraction | None:
        """The share from the counts or amounts, None where one of them is not printed."""
        if self.numerator is not None and self.base:
            return Fraction(self.numerator, self.base)
        if self.amount is not None and self.of:
            return Fraction(self.amount) / Fraction(self.of)
        return None

    @property
    def value(self) -> Fraction:
        """The value: from the counts or amounts, else as printed."""
        if self.counted is not None:
            return self.counted
        return wording.read_percent(self.percent) if self.percent else Fraction(self.number)


# Of a part: met or not, missing cases, a figure, or the points that it was given.
PartStatement = bool | int | PrintedFigure | Decimal


@dataclass(frozen=True, slots=True)
class PrintedMeasurement:
    """One statement of a measurement: figures, or what is said of some parts, with its place.

    With `at_least` the document says only that the figure is reached or passed, and that stated
    cases are examples.
    """

    place: str
    figures: tuple[PrintedFigure, ...]
    combine: Combine
    at_least: bool
    parts: dict[str, PartStatement]

    def stated_parts(self, rounding: Rounding) -> dict[str, PartValue]:
        """Return what is stated of the parts, as the rules take it."""
        return {name: _part_value(rounding, stated) for name, stated in self.parts.items()}

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
class Deduction:
    """The points that a document says it took off, and where it says so."""

    points: Decimal
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a printed frequency table."""

    answer: str
    count: int
    percent: str


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A printed frequency table of one question, with the n and the percentage it adds to."""

    place: str
    n: int
    rows: tuple[Row, ...]
    percent_total: str


@dataclass(frozen=True, slots=True)
class Published:
    """Everything the document prints about one indicator's result.

    `deducted` is what the document says it took off. `name_in_text` is the name under which the
    text discusses the indicator, where it is another one.
    """

    measurements: tuple[PrintedMeasurement, ...]
    scores: tuple[PrintedScore, ...]
    deducted: Deduction | None
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
    The `weight` of a bonus or a penalty is the most that it adds or takes.
    """

    code: str
    path: tuple[str, ...]
    name: str
    weight: Decimal
    role: Role
    criteria: str
    rule: Rule
    rounding: Rounding
    conditions: tuple[Condition, ...]
    readings: tuple[Reading, ...]
    measure: str | None
    published: Published
    note: str

    @property
    def is_lost(self) -> bool:
        """Whether the document's criteria are lost, so that nobody can score it."""
        return isinstance(self.rule, Unknown)


@dataclass(frozen=True, slots=True)
class PublishedSum:
    """A printed subtotal (or, with an empty path, the total) and the full marks printed for it.

    A scheme without results has full marks only.
    """

    path: tuple[str, ...]
    points: Decimal | None
    out_of: Decimal | None
    place: str


@dataclass(frozen=True, slots=True)
class LevelCount:
    """How many indicators of a level (1 is the highest) the document says it has."""

    level: int
    count: int
    place: str


@dataclass(frozen=True, slots=True)
class PrintedColumn:
    """A printed column of amounts with the sum below it."""

    place: str
    amounts: tuple[Decimal, ...]
    total: Decimal


@dataclass(frozen=True, slots=True)
class PrintedAmount:
    """One amount that the document states in several places."""

    name: str
    stated: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """The printed total with its grade, the subtotals, and figures of no single indicator."""

    total: PublishedSum | None
    grade: str
    subtotals: tuple[PublishedSum, ...]
    level_counts: tuple[LevelCount, ...]
    columns: tuple[PrintedColumn, ...]
    amounts: tuple[PrintedAmount, ...]
    figures: tuple[PrintedMeasurement, ...]

    @property
    def total_points(self) -> Decimal | None:
        """The printed total, None where the document has none."""
        return None if self.total is None else self.total.points


@dataclass(frozen=True, slots=True)
class Adjustments:
    """The most that all bonuses together may add and all penalties together may take."""

    most_bonus: Decimal | None
    most_penalty: Decimal | None

    def total(self, amounts: Iterable[tuple[Role, Decimal]]) -> Decimal:
        """Add points up by their roles, penalties being below 0, and keep to the caps."""
        sums = dict.fromkeys(Role, Decimal(0))
        for role, amount in amounts:
            sums[role] += amount
        bonus, penalty = sums[Role.BONUS], sums[Role.PENALTY]
        if self.most_bonus is not None:
            bonus = min(bonus, self.most_bonus)
        if self.most_penalty is not None:
            penalty = max(penalty, -self.most_penalty)
        return sums[Role.BASE] + bonus + penalty


@dataclass(frozen=True, slots=True)
class Rubric:
    """One document's rubric, complete or only the part that surveys feed."""

    id: str
    title: str
    source: Source
    scope: Scope
    full_marks: Decimal
    adjustments: Adjustments
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
    return read(parse_document(text, where), where)


def parse_document(text: str, where: str) -> dict[str, Any]:
    """Return the keys of TOML text, whatever they say. Raises: `RubricError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise RubricError(where, "", f"不是合法的 TOML{_place_of(fault)}") from None
    except RecursionError:
        raise RubricError(where, "", "括号套得太深") from None
    except ValueError:  # an integer of thousands of digits
        raise RubricError(where, "", "有位数太多的数") from None


def read(document: Mapping[str, Any], where: str) -> Rubric:
    """Read a rubric from the keys of its file. Raises: `RubricError`, for the first fault."""

    def fail(key: str, reason: str) -> RubricError:
        return RubricError(where, key, reason)

    return _rubric(Fields(document, "", fail))


def faults(document: Mapping[str, Any]) -> tuple[RubricError, ...]:
    """Return the first fault of every indicator, and that of the rest; empty for a usable file."""

    def fail(key: str, reason: str) -> RubricError:
        return RubricError("", key, reason)

    found, sound = [], []
    default = Rounding(RoundingMode.HALF_UP, 0)
    for place, indicator in enumerate(document.get("indicators", [])):
        try:
            _indicator(Fields(indicator, f"indicators[{place}]", fail), default)
            sound.append(indicator)
        except RubricError as fault:
            found.append(fault)
    if sound or not found:
        try:
            # With one sound indicator the rest is read alone; with all, doubled codes are found.
            read({**document, "indicators": sound[:1] if found else sound}, "")
        except RubricError as fault:
            found.append(fault)
    return tuple(found)


def _place_of(fault: tomllib.TOMLDecodeError) -> str:
    found = AT_LINE.search(str(fault))
    return f"，第 {found[1]} 行第 {found[2]} 列" if found else "，文件没有写完"


def bundled() -> tuple[str, ...]:
    """Return the ids of the bundled rubrics, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_bundled(rubric_id: str) -> Rubric:
    """Read a bundled rubric. Raises: `RubricError` when there is none with this id."""
    return load(bundled_path(rubric_id))


def bundled_path(rubric_id: str) -> Path:
    """Return the file of a bundled rubric. Raises: `RubricError` when there is none."""
    if rubric_id not in bundled():
        raise RubricError(rubric_id, "", f"没有这个指标体系；现有：{'、'.join(bundled())}")
    return FOLDER / f"{rubric_id}.toml"


def _rubric(fields: Fields) -> Rubric:
    rounding = _rounding(fields.table("rounding"))
    indicators = tuple(_indicator(inner, rounding) for inner in fields.tables("indicators"))
    rubric = Rubric(
        id=fields.text("id"),
        title=fields.text("title"),
        source=_source(fields.table("source")),
        scope=fields.word("scope", Scope),
        full_marks=fields.decimal("full_marks"),
        adjustments=_adjustments(fields),
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


def _adjustments(outer: Fields) -> Adjustments:
    if not outer.has("adjustments"):
        return Adjustments(None, None)
    fields = outer.table("adjustments")
    adjustments = Adjustments(
        _decimal_or_none(fields, "most_bonus"), _decimal_or_none(fields, "most_penalty")
    )
    fields.close()
    return adjustments


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
    for key, places in (
        ("places", rounding.places),
        ("round_rate_first", rounding.round_rate_first or 0),
    ):
        if places > MOST_PLACES:
            fields.refuse(key, f"最多 {MOST_PLACES} 位小数")
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
        role=fields.word("role", Role) if fields.has("role") else Role.BASE,
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
    if indicator.role is Role.PENALTY and not isinstance(indicator.rule, Checklist):
        fields.refuse("rule", "减分项的细则只能是 checklist：一例扣多少，最多扣多少")
    _refuse_strange_parts(fields, indicator)
    return indicator


def _part_value(rounding: Rounding, stated: PartStatement) -> PartValue:
    match stated:
        case PrintedFigure():
            return rounding.enter(stated.value)
        case Decimal():
            return Judged(Fraction(stated), wording.DOCUMENT, wording.DOCUMENT)
        case _:
            return stated


def _refuse_strange_parts(fields: Fields, indicator: Indicator) -> None:
    for place, printed in enumerate(indicator.published.measurements):
        key = f"published.measurements[{place}].parts"
        if printed.parts and not isinstance(indicator.rule, Checklist):
            fields.refuse(key, "只有清单才有分项的情况")
        if printed.parts and isinstance(indicator.rule, Checklist):
            stated = printed.stated_parts(indicator.rounding)
            try:
                range_of_stated(indicator.rule, stated, at_least=printed.at_least)
            except RuleError as fault:
                fields.refuse(key, str(fault))


def _reading(fields: Fields) -> Reading:
    reading = Reading(
        fields.text("id"), fields.text("reason"), fields.text("criteria"), _rule(fields)
    )
    fields.close()
    return reading


def _rule(outer: Fields) -> Rule:
    return _rule_of(outer, RULES)


def _rule_of(outer: Fields, kinds: Mapping[str, Callable[[Fields], R]]) -> R:
    fields = outer.table("rule")
    kind = fields.text("kind")
    if kind not in kinds:
        fields.refuse("kind", f"不认识的细则种类；应当是 {'、'.join(kinds)} 之一")
    try:
        rule = kinds[kind](fields)
    except RuleError as fault:
        outer.refuse("rule", str(fault))
    fields.close()
    return rule


def _proportional(fields: Fields) -> Proportional:
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


def _deduct(fields: Fields) -> Deduct:
    return Deduct(
        full=_exact(fields, "full"),
        target=_exact(fields, "target"),
        per_step=_exact(fields, "per_step"),
        step=_exact(fields, "step"),
        partial_step=fields.word("partial_step", PartialStep),
        better=fields.word("better", Better) if fields.has("better") else Better.HIGH,
    )


def _bands(fields: Fields) -> Bands:
    return Bands(tuple(map(_band, fields.tables("bands"))), fields.text_or_empty("unit"))


def _band(fields: Fields) -> Band:
    band = Band(_exact(fields, "lower"), fields.flag("inclusive"), _exact(fields, "points"))
    fields.close()
    return band


def _checklist(fields: Fields) -> Checklist:
    parts = tuple(map(_part, fields.tables("parts")))
    return Checklist(parts, _exact(fields, "full") if fields.has("full") else None)


def _part(fields: Fields) -> Part:
    part = Part(
        id=fields.text("id"),
        name=fields.text("name"),
        points=_exact(fields, "points") if fields.has("points") else None,
        per_case=_exact(fields, "per_case") if fields.has("per_case") else None,
        rule=_rule_of(fields, PART_RULES) if fields.has("rule") else None,
        overflows=fields.flag("overflows") if fields.has("overflows") else False,
    )
    fields.close()
    return part


def _judgement(fields: Fields) -> Judgement:
    least = _exact(fields, "least") if fields.has("least") else Fraction(0)
    return Judgement(_exact(fields, "full"), least)


def _unknown(fields: Fields) -> Unknown:
    return Unknown(fields.text("reason"))


PART_RULES: dict[str, Callable[[Fields], PartRule]] = {
    "proportional": _proportional,
    "deduct": _deduct,
    "bands": _bands,
    "judgement": _judgement,
}
RULES: dict[str, Callable[[Fields], Rule]] = {
    **PART_RULES,
    "checklist": _checklist,
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
        return Published((), (), None, (), "")
    fields = outer.table("published")
    published = Published(
        measurements=tuple(map(_printed_measurement, fields.tables("measurements"))),
        scores=tuple(_printed_score(fields, edition) for edition in Edition if fields.has(edition)),
        deducted=_deduction(fields) if fields.has("deducted") else None,
        tables=tuple(map(_printed_table, fields.tables("tables"))),
        name_in_text=fields.text_or_empty("name_in_text"),
    )
    fields.close()
    return published


def _deduction(outer: Fields) -> Deduction:
    fields = outer.table("deducted")
    deduction = Deduction(fields.decimal("points"), fields.text("place"))
    fields.close()
    return deduction


def _printed_measurement(fields: Fields) -> PrintedMeasurement:
    figures = tuple(map(_figure, fields.tables("figures")))
    parts = _statements(fields.table("parts")) if fields.has("parts") else {}
    if bool(figures) == bool(parts):
        fields.refuse("figures", "应当有 figures 或者 parts，只能有一样")
    if len(figures) > 1 and not fields.has("combine"):
        fields.refuse("combine", "有几个数时必须写明是取平均还是只有范围")
    measurement = PrintedMeasurement(
        place=fields.text("place"),
        figures=figures,
        combine=fields.word("combine", Combine) if fields.has("combine") else Combine.RANGE,
        at_least=fields.flag("at_least") if fields.has("at_least") else False,
        parts=parts,
    )
    fields.close()
    return measurement


def _statements(fields: Fields) -> dict[str, PartStatement]:
    return {name: _statement(fields, name) for name in fields.names}


def _statement(fields: Fields, name: str) -> PartStatement:
    match fields.take(name):
        case bool() as met:
            return met
        case int():
            return fields.integer(name)
        case dict():
            return _figure(fields.table(name))
        case _:
            return fields.decimal(name)


def _figure(fields: Fields) -> PrintedFigure:
    figure = PrintedFigure(
        name=fields.text_or_empty("name"),
        percent=_percent(fields) if fields.has("percent") else "",
        number=str(fields.decimal("number")) if fields.has("number") else "",
        numerator=_integer_or_none(fields, "numerator"),
        base=_integer_or_none(fields, "base"),
        amount=_decimal_or_none(fields, "amount"),
        of=_decimal_or_none(fields, "of"),
    )
    fields.close()
    if figure.base == 0 or figure.of == 0:
        fields.refuse("base", "基数不能是 0")
    if figure.percent and figure.number:
        fields.refuse("number", "百分数和数只能有一样")
    if figure.counted is None and not figure.percent and not figure.number:
        fields.refuse("percent", "应当有印出的百分数或数，或者分子和基数")
    return figure


def _printed_score(outer: Fields, edition: Edition) -> PrintedScore:
    fields = outer.table(edition)
    score = PrintedScore(edition, fields.text("place"), fields.decimal("points"))
    fields.close()
    return score


def _printed_table(fields: Fields) -> PrintedTable:
    table = PrintedTable(
        place=fields.text("place"),
        n=fields.integer("n"),
        rows=tuple(map(_row, fields.tables("rows"))),
        percent_total=_percent(fields, "percent_total") if fields.has("percent_total") else "",
    )
    fields.close()
    return table


def _row(fields: Fields) -> Row:
    row = Row(fields.text("answer"), fields.integer("count"), _percent(fields))
    fields.close()
    return row


def _result(outer: Fields) -> PublishedResult:
    if not outer.has("published"):
        return PublishedResult(None, "", (), (), (), (), ())
    fields = outer.table("published")
    result = PublishedResult(
        total=_published_sum(fields.table("total")) if fields.has("total") else None,
        grade=fields.text_or_empty("grade"),
        subtotals=tuple(map(_published_sum, fields.tables("subtotals"))),
        level_counts=tuple(map(_level_count, fields.tables("level_counts"))),
        columns=tuple(map(_column, fields.tables("columns"))),
        amounts=tuple(map(_amount, fields.tables("amounts"))),
        figures=tuple(map(_printed_measurement, fields.tables("figures"))),
    )
    fields.close()
    return result


def _published_sum(fields: Fields) -> PublishedSum:
    published = PublishedSum(
        path=fields.texts("path"),
        points=_decimal_or_none(fields, "points"),
        out_of=_decimal_or_none(fields, "out_of"),
        place=fields.text("place"),
    )
    fields.close()
    if published.points is None and published.out_of is None:
        fields.refuse("points", "应当有得分或者满分")
    return published


def _level_count(fields: Fields) -> LevelCount:
    count = LevelCount(fields.integer("level"), fields.integer("count"), fields.text("place"))
    fields.close()
    return count


def _column(fields: Fields) -> PrintedColumn:
    amounts = _decimals(fields, "amounts")
    column = PrintedColumn(fields.text("place"), amounts, fields.decimal("total"))
    fields.close()
    return column


def _decimals(fields: Fields, key: str) -> tuple[Decimal, ...]:
    texts = fields.texts(key)
    if not all(DECIMAL.fullmatch(text) and len(text) <= LONGEST_DECIMAL for text in texts):
        fields.refuse(key, '应当是写成文字的小数，例如 "0.85"')
    return tuple(map(Decimal, texts))


def _amount(fields: Fields) -> PrintedAmount:
    stated = tuple(map(_stated, fields.tables("stated")))
    amount = PrintedAmount(fields.text("name"), stated)
    fields.close()
    return amount


def _stated(fields: Fields) -> tuple[str, Decimal]:
    stated = fields.text("place"), fields.decimal("amount")
    fields.close()
    return stated


def _exact(fields: Fields, key: str) -> Fraction:
    return Fraction(fields.decimal(key))


def _integer_or_none(fields: Fields, key: str) -> int | None:
    return fields.integer(key) if fields.has(key) else None


def _decimal_or_none(fields: Fields, key: str) -> Decimal | None:
    return fields.decimal(key) if fields.has(key) else None


def _percent(fields: Fields, key: str = "percent") -> str:
    printed = fields.text(key)
    try:
        wording.read_percent(printed[:LONGEST_DECIMAL])
    except ValueError:
        fields.refuse(key, '应当是照印的百分数，例如 "88.35%"')
    return printed
