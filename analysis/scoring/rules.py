"""The kinds of scoring rules, and the exact points that each gives.

Every rule over a rate only rises or only falls with it, so that the ends of an interval may be
pushed through it. Nothing is rounded here but by `Rounding`, which is for display.
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


class Better(StrEnum):
    """Whether more of what is measured is better, or less of it."""

    HIGH = "high"
    LOW = "low"


class Role(StrEnum):
    """Whether an indicator counts among the full marks, or adds to or takes from their total."""

    BASE = "base"
    BONUS = "bonus"
    PENALTY = "penalty"


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
    PART_POINTS = "part_points"
    OVERFLOW = "overflow"
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
    """Exact points, with the steps that led to them.

    `overflow` is what a part lost beyond its own points, where the document takes that off the
    total.
    """

    value: Fraction
    steps: tuple[Step, ...]
    overflow: Fraction = ZERO


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
    """Full points where the target is reached; short of it a line from `zero` to `full_at`.

    `full_at` is where the printed formula reaches full points. It is the target unless the
    document divides by another figure. Where it lies below `zero`, less is better. Below `cutoff`
    (or at it, if inclusive) there are none.
    """

    full: Fraction
    target: Fraction
    zero: Fraction
    full_at: Fraction
    cutoff: Fraction | None = None
    cutoff_inclusive: bool = False

    def __post_init__(self) -> None:
        if self.full_at == self.zero or (self.target > self.zero) != (self.better is Better.HIGH):
            raise RuleError("满分的取值必须高于零分的取值；越低越好时，两者都要低于它")
        if self.cutoff is not None and self.better is Better.LOW:
            raise RuleError("越低越好的细则没有不得分的界限，零分的取值就是界限")
        if self.cutoff is not None and self.cutoff >= self.target:
            raise RuleError("不得分的界限必须低于目标值")
        _require_positive(self.full)

    @property
    def better(self) -> Better:
        """Whether the line rises or falls."""
        return Better.HIGH if self.full_at > self.zero else Better.LOW

    def reaches(self, rate: Fraction) -> bool:
        """Whether the target is reached."""
        return rate >= self.target if self.better is Better.HIGH else rate <= self.target


@dataclass(frozen=True, slots=True)
class Deduct:
    """Full points from the target on; short of it `per_step` off per `step` percentage points.

    `partial_step` has no default: the documents rarely say, so the file must.
    """

    full: Fraction
    target: Fraction
    per_step: Fraction
    step: Fraction
    partial_step: PartialStep
    better: Better = Better.HIGH

    def __post_init__(self) -> None:
        _require_positive(self.full)
        if self.target <= 0 and self.better is Better.HIGH:
            raise RuleError("满分的取值必须高于零分的取值")
        if self.per_step <= 0 or self.step <= 0:
            raise RuleError("扣分和步长都必须大于 0")

    def shortfall(self, rate: Fraction) -> Fraction:
        """Return by how much the target is missed; 0 or less where it is reached."""
        return self.target - rate if self.better is Better.HIGH else rate - self.target


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
    """Bands from the highest to the lowest, the last of which begins at 0.

    `unit` is what is counted (次, 人, 项); empty for a share.
    """

    bands: tuple[Band, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.bands:
            raise RuleError("至少要有一档")
        for higher, lower in pairwise(self.bands):
            _require_order(higher, lower)
        last = self.bands[-1]
        if last.lower != 0 or not last.inclusive:
            raise RuleError("最后一档必须从 0 起（含 0），否则有的取值没有得分")
        given = [band.points for band in self.bands]
        if min(given) < 0:
            raise RuleError("得分不能小于 0")
        if given not in (sorted(given), sorted(given, reverse=True)):
            raise RuleError("各档的得分要么越高越多，要么越高越少")
        _require_positive(self.full)

    @property
    def full(self) -> Fraction:
        """The points of the best band."""
        return max(band.points for band in self.bands)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Points that a person enters: from 0 to `full`, and if any, then no fewer than `least`."""

    full: Fraction
    least: Fraction = ZERO

    def __post_init__(self) -> None:
        _require_positive(self.full)
        if self.least > self.full:
            raise RuleError("评定的下限不能高于分值")


PartRule = Proportional | Deduct | Bands | Judgement


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a checklist: ticked, counted by missing cases, or scored by a rule of its own.

    A part without points takes from the whole list: each case its `per_case`, an absence all.
    What an overflowing part loses beyond its own points is taken off the total of the rubric.
    """

    id: str
    name: str
    points: Fraction | None = None
    per_case: Fraction | None = None
    rule: PartRule | None = None
    overflows: bool = False

    def __post_init__(self) -> None:
        if self.points is not None:
            _require_positive(self.points)
        if self.per_case is not None and self.per_case <= 0:
            raise RuleError("每缺一例的扣分必须大于 0")
        if self.rule is not None and (self.points is not None or self.per_case is not None):
            raise RuleError("有自己细则的一项不能再写分值和每例扣分")
        if self.overflows and (self.points is None or self.per_case is None):
            raise RuleError("只有有分值、按例扣分的一项能在总分上继续扣")

    @property
    def full(self) -> Fraction:
        """The points that the part can give by itself."""
        return self.rule.full if self.rule is not None else self.points or ZERO


@dataclass(frozen=True, slots=True)
class Checklist:
    """Named parts that add up, at most to `limit`.

    Where no part has points of its own, the list begins with `limit` and the parts take from it:
    with ticks that is all or nothing.
    """

    parts: tuple[Part, ...]
    limit: Fraction | None = None

    def __post_init__(self) -> None:
        if not self.parts:
            raise RuleError("清单至少要有一项")
        if len({part.id for part in self.parts}) != len(self.parts):
            raise RuleError("清单里有重复的项")
        if self.limit is None and not self.sum_of_parts:
            raise RuleError("各项都没有分值时必须写明整张清单的分值 full")
        if self.limit is not None:
            _require_positive(self.limit)
            if 0 < self.sum_of_parts < self.limit:
                raise RuleError("整张清单的分值不能高于各项之和")

    @property
    def is_judged(self) -> bool:
        """Whether every part is left to a person's judgement."""
        return all(isinstance(part.rule, Judgement) for part in self.parts)

    @property
    def sum_of_parts(self) -> Fraction:
        """What the parts give together, before the limit; 0 where none has points of its own."""
        return sum((part.full for part in self.parts), ZERO)

    @property
    def start(self) -> Fraction:
        """The points that the parts take from: their own together, or those of the list."""
        return self.sum_of_parts or self.full

    @property
    def full(self) -> Fraction:
        """The most that the list can give."""
        return self.sum_of_parts if self.limit is None else self.limit


@dataclass(frozen=True, slots=True)
class Unknown:
    """The document's criteria are lost or garbled; nothing is ever computed."""

    reason: str


Rule = Proportional | Deduct | Bands | Checklist | Judgement | Unknown


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person decided, and why."""

    points: Fraction
    author: str
    reason: str


PartValue = bool | int | Fraction | Judged


@dataclass(frozen=True, slots=True)
class Parts:
    """What was found of each part: met or not, missing cases, a rate, or a decision."""

    found: Mapping[str, PartValue]


Value = Fraction | Parts | Judged


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


def rises(rule: Rule) -> bool:
    """Whether more of the rate gives no fewer points; else it gives no more of them."""
    match rule:
        case Proportional() | Deduct():
            return rule.better is Better.HIGH
        case Bands():
            return rule.bands[0].points >= rule.bands[-1].points
        case _:
            return True


def points(rule: Rule, value: Value) -> Points:
    """Return the exact points a rule gives to a value.

    Parameters: `value` is a share between 0 and 1, a ratio or a number of what the bands count;
    what was found by part for a checklist; a decision for a judgement.
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


def range_of_stated(
    rule: Checklist, stated: Mapping[str, PartValue], *, at_least: bool
) -> tuple[Fraction, Fraction]:
    """Return the fewest and the most points that a statement about some of the parts allows.

    `at_least` says that stated cases are only examples of those that there were.
    Raises: `RuleError` for a part that the list does not have, or a value of the wrong kind.
    """
    _refuse_strange_parts(rule, stated)
    fewest = most = ZERO
    for part in rule.parts:
        worst = part.full or rule.full
        least_lost, most_lost = ZERO, worst
        if part.id in stated:
            least_lost = _lost(part, stated[part.id], rule.full).value
            are_examples = at_least and part.per_case is not None and least_lost > 0
            most_lost = worst if are_examples else least_lost
        fewest, most = fewest + most_lost, most + least_lost
    return _kept(rule, fewest), _kept(rule, most)


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
            scored = Points(scored.value - lost, (*scored.steps, step), scored.overflow)
    return scored


def _lost_to(condition: Condition, cases: int, value: Fraction, full: Fraction) -> Fraction:
    if cases >= condition.zero_from:
        return value
    # The document takes the cases off in its formula for values below the target only.
    return ZERO if value >= full else min(value, condition.each * cases)


def _proportional(rule: Proportional, rate: Fraction) -> Points:
    if rule.reaches(rate):
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
    shortfall = rule.shortfall(rate) * HUNDRED
    if shortfall <= 0:
        return Points(rule.full, (Step(StepKind.REACHED, rule.target),))
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
    if not isinstance(value, Parts):
        raise RuleError("这条细则要的是各项的情况：是否做到、缺失数，或各自的测量值")
    found = value.found
    _refuse_strange_parts(rule, found)
    for part in rule.parts:
        if part.id not in found:
            raise RuleError(f"缺少“{part.name}”（{part.id}）")
    losses = [_lost(part, found[part.id], rule.full) for part in rule.parts]
    lost = sum((step.value for step in losses), ZERO)
    steps = [_told(part, loss) for part, loss in zip(rule.parts, losses, strict=True)]
    if rule.start - lost > rule.full:
        steps.append(Step(StepKind.CAPPED, rule.full))
    over = [_overflow(part, found[part.id]) for part in rule.parts]
    # A part that lost nothing is not worth a word; one with a rule of its own always is.
    told = [step for step in (*steps, *over) if step.value or step.kind is StepKind.PART_POINTS]
    return Points(_kept(rule, lost), tuple(told), sum((step.value for step in over), ZERO))


def _told(part: Part, loss: Step) -> Step:
    if part.rule is None:
        return loss
    return Step(StepKind.PART_POINTS, part.full - loss.value, part.name)


def _kept(rule: Checklist, lost: Fraction) -> Fraction:
    return max(ZERO, min(rule.full, rule.start - lost))


def _refuse_strange_parts(rule: Checklist, found: Mapping[str, PartValue]) -> None:
    strange = sorted(set(found) - {part.id for part in rule.parts})
    if strange:
        raise RuleError(f"清单里没有 {'、'.join(strange)} 这一项")


def _lost(part: Part, found: PartValue, whole: Fraction) -> Step:
    """Return what a part loses, of its own points or of the whole list's."""
    most = whole if part.points is None else part.points
    match found:
        case bool() if part.rule is None and part.per_case is None:
            return Step(StepKind.PART, ZERO if found else most, part.name)
        case int() if part.per_case is not None and not isinstance(found, bool):
            if found < 0:
                raise RuleError(f"“{part.name}”的缺失数不能小于 0")
            return Step(StepKind.PART, min(most, part.per_case * found), part.name, found)
        case Fraction() | Judged() if part.rule is not None:
            return Step(StepKind.PART, part.full - points(part.rule, found).value, part.name)
        case _:
            raise RuleError(f"“{part.name}”要的是{_wanted(part)}")


def _overflow(part: Part, found: PartValue) -> Step:
    if not part.overflows or part.points is None or part.per_case is None:
        return Step(StepKind.OVERFLOW, ZERO, part.name)
    over = part.per_case * int(found) - part.points if isinstance(found, int) else ZERO
    return Step(StepKind.OVERFLOW, max(ZERO, over), part.name)


def _wanted(part: Part) -> str:
    match part.rule:
        case None:
            return "是否做到" if part.per_case is None else "缺失数"
        case Judgement():
            return "评定的得分、评定人和理由"
        case _:
            return "一个率或比值"


def _judged(rule: Judgement, value: Value) -> Points:
    if not isinstance(value, Judged):
        raise RuleError("这条细则由人评定，要的是评定的得分、评定人和理由")
    if not value.reason.strip() or not value.author.strip():
        raise RuleError("评定必须写明评定人和理由")
    if not 0 <= value.points <= rule.full:
        raise RuleError("评定的得分超出了分值")
    if 0 < value.points < rule.least:
        raise RuleError("评定的得分低于下限")
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
