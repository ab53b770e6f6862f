"""The kinds of scoring rules, and the exact points that each gives.

Every rule over a rate never decreases when the rate rises, so that the ends of an interval may
be pushed through it. Nothing is rounded here but by `Rounding`, which is for display.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import assert_never

ZERO = Fraction(0)
HUNDRED = 100


class RuleError(ValueError):
    """A rule that contradicts itself, or a value that a rule cannot score."""


class RoundingMode(StrEnum):
    """How shown points are cut to their places."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    DOWN = "down"


class PartialStep(StrEnum):
    """What a fraction of a step deducts: its share, nothing, or the whole step."""

    PROPORTIONAL = "proportional"
    WHOLE = "whole"
    STARTED = "started"


class ConditionKind(StrEnum):
    """Whether a condition is a number of cases or a plain fact."""

    COUNT = "count"
    TICK = "tick"


class StepKind(StrEnum):
    """What happened on the way to the points."""

    REACHED = "reached"
    LINE = "line"
    CAPPED = "capped"
    FLOORED = "floored"
    CUT_OFF = "cut_off"
    SHORTFALL = "shortfall"
    LOSS = "loss"
    BAND = "band"
    PART = "part"
    JUDGED = "judged"
    CONDITION = "condition"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the working; `name` is the part, band or condition it is about."""

    kind: StepKind
    value: Fraction
    name: str = ""
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Points:
    """Exact points, with the steps that led to them."""

    value: Fraction
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Rounding:
    """How exact points are shown: mode and places.

    `round_rate_first` is the number of decimals to which a percentage is rounded, half up,
    before it enters the rule; `None` computes with the exact rate.
    """

    mode: RoundingMode
    places: int
    round_rate_first: int | None = None

    def show(self, exact: Fraction) -> Decimal:
        """Return the points as they are printed; never through a float."""
        scaled = exact * 10**self.places
        match self.mode:
            case RoundingMode.DOWN:
                units = int(scaled)
            case RoundingMode.HALF_UP:
                units = floor(scaled + Fraction(1, 2))
            case RoundingMode.HALF_EVEN:
                units = round(scaled)
            case _:
                assert_never(self.mode)
        return Decimal(units).scaleb(-self.places)

    def enter(self, rate: Fraction) -> Fraction:
        """Return the rate that enters the rule, rounded first where the rubric says so."""
        if self.round_rate_first is None:
            return rate
        percentage = Rounding(RoundingMode.HALF_UP, self.round_rate_first).show(rate * HUNDRED)
        return Fraction(percentage) / HUNDRED


@dataclass(frozen=True, slots=True)
class Proportional:
    """Full points from the target on; below it a line from `zero` to `full_at`.

    `full_at` is where the printed formula reaches full points. It is the target unless the
    document divides by another figure. Below `cutoff` (or at it, if inclusive) there are none.
    """

    full: Fraction
    target: Fraction
    zero: Fraction
    full_at: Fraction
    cutoff: Fraction | None = None
    cutoff_inclusive: bool = False

    def __post_init__(self) -> None:
        if self.full_at <= self.zero or self.target <= self.zero:
            raise RuleError("满分的取值必须高于零分的取值")
        if self.cutoff is not None and self.cutoff >= self.target:
            raise RuleError("不得分的界限必须低于目标值")
        _require_positive(self.full)


@dataclass(frozen=True, slots=True)
class Deduct:
    """Full points from the target on; below it `per_step` points off per `step` percentage points.

    `partial_step` has no default: the documents rarely say, so the file must.
    """

    full: Fraction
    target: Fraction
    per_step: Fraction
    step: Fraction
    partial_step: PartialStep

    def __post_init__(self) -> None:
        _require_positive(self.full)
        if self.target <= 0:
            raise RuleError("满分的取值必须高于零分的取值")
        if self.per_step <= 0 or self.step <= 0:
            raise RuleError("扣分和步长都必须大于 0")


@dataclass(frozen=True, slots=True)
class Band:
    """From `lower` upwards (including it, unless said otherwise) these points."""

    lower: Fraction
    inclusive: bool
    points: Fraction

    def holds(self, value: Fraction) -> bool:
        """Whether the value is in this band or in a higher one."""
        return value > self.lower or (self.inclusive and value == self.lower)


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands from the highest to the lowest, the last of which begins at 0."""

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        if not self.bands:
            raise RuleError("至少要有一档")
        for higher, lower in pairwise(self.bands):
            _require_order(higher, lower)
        last = self.bands[-1]
        if last.lower != 0 or not last.inclusive:
            raise RuleError("最后一档必须从 0 起（含 0），否则有的取值没有得分")
        if last.points < 0:
            raise RuleError("得分不能小于 0")
        _require_positive(self.full)

    @property
    def full(self) -> Fraction:
        """The points of the highest band."""
        return self.bands[0].points


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a checklist; each missing case costs `per_case`, absence costs all if None."""

    id: str
    name: str
    points: Fraction
    per_case: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    """Named parts with points of their own: all lost by cases, or all by being absent."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise RuleError("清单至少要有一项")
        if len({part.id for part in self.parts}) != len(self.parts):
            raise RuleError("清单里有重复的项")
        if len({part.per_case is None for part in self.parts}) != 1:
            raise RuleError("一张清单要么各项都按缺失数扣，要么都按是否做到计")
        for part in self.parts:
            _require_positive(part.points)
            if part.per_case is not None and part.per_case <= 0:
                raise RuleError("每缺一例的扣分必须大于 0")

    @property
    def full(self) -> Fraction:
        """The sum of the parts' points."""
        return sum((part.points for part in self.parts), ZERO)

    @property
    def is_counted(self) -> bool:
        """Whether parts lose points by missing cases."""
        return self.parts[0].per_case is not None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Points that a person enters, from 0 to `full`."""

    full: Fraction

    def __post_init__(self) -> None:
        _require_positive(self.full)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The document's criteria are lost or garbled; nothing is ever computed."""

    reason: str


Rule = Proportional | Deduct | Bands | Checklist | Judgement | Unknown


@dataclass(frozen=True, slots=True)
class Counts:
    """Missing cases by part."""

    cases: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Which parts are met."""

    met: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person decided, and why."""

    points: Fraction
    author: str
    reason: str


Value = Fraction | Counts | Ticks | Judged


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact beside the measurement that costs points.

    From `zero_from` cases on the indicator has 0 points (a tick counts as one case); below
    that, each case costs `each` points where full points are not reached.
    """

    id: str
    name: str
    kind: ConditionKind
    zero_from: int
    each: Fraction = ZERO

    def __post_init__(self) -> None:
        if self.zero_from < 1:
            raise RuleError("扣为 0 的份数至少是 1")
        if self.each < 0:
            raise RuleError("每份的扣分不能小于 0")


def full_points(rule: Rule) -> Fraction | None:
    """Return the most that a rule can give, or None where the criteria are lost."""
    return None if isinstance(rule, Unknown) else rule.full


def points(rule: Rule, value: Value) -> Points:
    """Return the exact points a rule gives to a value.

    Parameters: `value` is a share between 0 and 1 (or a ratio) for rates, cases or ticks by part
    for a checklist, a decision for a judgement.
    Raises: `RuleError` when the rule cannot score this kind of value, when a part is left out,
    or when the rule is unknown.
    Source: STATISTICS.md §6.

    >>> rule = Deduct(Fraction(8), Fraction(95, 100), Fraction(1, 2), Fraction(1),
    ...               PartialStep.PROPORTIONAL)
    >>> points(rule, Fraction(88, 100)).value
    Fraction(9, 2)
    """
    match rule:
        case Proportional():
            return _proportional(rule, _rate(value))
        case Deduct():
            return _deduct(rule, _rate(value))
        case Bands():
            return _banded(rule, _rate(value))
        case Checklist():
            return _checked(rule, value)
        case Judgement():
            return _judged(rule, value)
        case Unknown():
            raise RuleError(rule.reason)
        case _:
            assert_never(rule)


def under_conditions(
    scored: Points, full: Fraction, conditions: tuple[Condition, ...], facts: Mapping[str, int]
) -> Points:
    """Return the points after the conditions, for the facts that are stated.

    Whether every condition has its fact is the caller's question: a report's printed figures
    leave them out, a score sheet may not.
    """
    for condition in conditions:
        cases = facts.get(condition.id, 0)
        lost = _lost_to(condition, cases, scored.value, full)
        if lost:
            told = cases if condition.kind is ConditionKind.COUNT else 0
            step = Step(StepKind.CONDITION, lost, condition.name, told)
            scored = Points(scored.value - lost, (*scored.steps, step))
    return scored


def _lost_to(condition: Condition, cases: int, value: Fraction, full: Fraction) -> Fraction:
    if cases >= condition.zero_from:
        return value
    # The document takes the cases off in its formula for values below the target only.
    return ZERO if value >= full else min(value, condition.each * cases)


def _proportional(rule: Proportional, rate: Fraction) -> Points:
    if rate >= rule.target:
        return Points(rule.full, (Step(StepKind.REACHED, rule.target),))
    if _is_cut_off(rule, rate):
        return Points(ZERO, (Step(StepKind.CUT_OFF, rate),))
    on_line = (rate - rule.zero) / (rule.full_at - rule.zero) * rule.full
    line = Step(StepKind.LINE, on_line)
    if on_line > rule.full:
        return Points(rule.full, (line, Step(StepKind.CAPPED, rule.full)))
    if on_line < 0:
        return Points(ZERO, (line, Step(StepKind.FLOORED, ZERO)))
    return Points(on_line, (line,))


def _is_cut_off(rule: Proportional, rate: Fraction) -> bool:
    if rule.cutoff is None:
        return False
    return rate < rule.cutoff or (rule.cutoff_inclusive and rate == rule.cutoff)


def _deduct(rule: Deduct, rate: Fraction) -> Points:
    if rate >= rule.target:
        return Points(rule.full, (Step(StepKind.REACHED, rule.target),))
    shortfall = (rule.target - rate) * HUNDRED
    loss = _steps(rule, shortfall) * rule.per_step
    steps = (Step(StepKind.SHORTFALL, shortfall), Step(StepKind.LOSS, min(loss, rule.full)))
    if loss > rule.full:
        return Points(ZERO, (*steps, Step(StepKind.FLOORED, ZERO)))
    return Points(rule.full - loss, steps)


def _steps(rule: Deduct, shortfall: Fraction) -> Fraction:
    exact = shortfall / rule.step
    match rule.partial_step:
        case PartialStep.PROPORTIONAL:
            return exact
        case PartialStep.WHOLE:
            return Fraction(floor(exact))
        case PartialStep.STARTED:
            return Fraction(ceil(exact))
        case _:
            assert_never(rule.partial_step)


def _banded(rule: Bands, rate: Fraction) -> Points:
    for place, band in enumerate(rule.bands):
        if band.holds(rate):
            return Points(band.points, (Step(StepKind.BAND, band.points, cases=place),))
    raise RuleError("取值不能小于 0")


def _checked(rule: Checklist, value: Value) -> Points:
    _refuse_strange_parts(rule, value)
    losses = tuple(_part_loss(part, value) for part in rule.parts)
    lost = sum((step.value for step in losses), ZERO)
    return Points(rule.full - lost, tuple(step for step in losses if step.value))


def _refuse_strange_parts(rule: Checklist, value: Value) -> None:
    given = value.cases if isinstance(value, Counts) else {}
    given = value.met if isinstance(value, Ticks) else given
    strange = sorted(set(given) - {part.id for part in rule.parts})
    if strange:
        raise RuleError(f"清单里没有 {'、'.join(strange)} 这一项")


def _part_loss(part: Part, value: Value) -> Step:
    match value:
        case Counts() if part.per_case is not None:
            cases = _of_part(value.cases, part)
            return Step(StepKind.PART, min(part.points, part.per_case * cases), part.name, cases)
        case Ticks() if part.per_case is None:
            lost = ZERO if _of_part(value.met, part) else part.points
            return Step(StepKind.PART, lost, part.name)
        case _:
            wanted = "各项的缺失数" if part.per_case is not None else "各项是否做到"
            raise RuleError(f"这条细则要的是{wanted}")


def _of_part(by_part: Mapping[str, int], part: Part) -> int:
    if part.id not in by_part:
        raise RuleError(f"缺少“{part.name}”（{part.id}）")
    if by_part[part.id] < 0:
        raise RuleError(f"“{part.name}”的缺失数不能小于 0")
    return by_part[part.id]


def _judged(rule: Judgement, value: Value) -> Points:
    if not isinstance(value, Judged):
        raise RuleError("这条细则由人评定，要的是评定的得分、评定人和理由")
    if not value.reason.strip() or not value.author.strip():
        raise RuleError("评定必须写明评定人和理由")
    if not 0 <= value.points <= rule.full:
        raise RuleError("评定的得分超出了分值")
    return Points(value.points, (Step(StepKind.JUDGED, value.points, value.author),))


def _rate(value: Value) -> Fraction:
    if not isinstance(value, Fraction):
        raise RuleError("这条细则要的是一个率或比值")
    if value < 0:
        raise RuleError("取值不能小于 0")
    return value


def _require_positive(full: Fraction) -> None:
    if full <= 0:
        raise RuleError("分值必须大于 0")


def _require_order(higher: Band, lower: Band) -> None:
    same = higher.lower == lower.lower
    if same and higher.inclusive == lower.inclusive:
        raise RuleError("有两档重叠")
    if higher.lower < lower.lower or (same and higher.inclusive):
        raise RuleError("各档要从高到低排列")
    if higher.points < lower.points:
        raise RuleError("高一档的得分不能少于低一档")
