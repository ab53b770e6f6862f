"""How many people to ask, and where: sample sizes in percentage points and in rubric points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, inf, sqrt
from statistics import NormalDist

from analysis.intervals import in_population, wilson

LARGEST = 10_000_000
"""Above this many interviews the planner says that no sample suffices."""

PointsOf = Callable[[Fraction], Fraction]
"""A rubric's rule as a function: from a rate (0 to 1) to its points, never falling."""


class Allocation(StrEnum):
    """In proportion to what the interviews are spread over townships."""

    PROPORTIONAL = "proportional"
    NEYMAN = "neyman"
    SQUARE_ROOT = "square_root"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a plan assumes, each as a fraction, and stated beside its result.

    `share` is the rate that is expected, `design_effect` what drawing by village costs (1 or
    more), `response` the share of those approached who answer, `population` how many people there
    are to ask (None: too many to matter).
    """

    share: float
    design_effect: float = 1.0
    response: float = 1.0
    population: int | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what is no plan."""
        if not 0 <= self.share <= 1:
            raise ValueError(f"a rate of {self.share} is not between 0 and 1")
        if self.design_effect <= 0:
            raise ValueError(f"a design effect of {self.design_effect} is not above 0")
        if not 0 < self.response <= 1:
            raise ValueError(f"a response of {self.response} is not above 0 and at most 1")
        if self.population is not None and self.population < 1:
            raise ValueError(f"a population of {self.population} is nobody")
        if not 0 < self.confidence < 1:
            raise ValueError(f"a confidence of {self.confidence} is not between 0 and 1")


@dataclass(frozen=True, slots=True)
class Reach:
    """What so many interviews can tell: the ends of the rate, and of the points it would earn."""

    low: float
    high: float
    points: Fraction
    lowest_points: Fraction
    highest_points: Fraction

    @property
    def off_by(self) -> Fraction:
        """The points by which the score may be wrong, in the worse direction."""
        return max(self.points - self.lowest_points, self.highest_points - self.points)


@dataclass(frozen=True, slots=True)
class Town:
    """A place that gets interviews: its people, and the rate expected there.

    A rate of 0 or 1 would mean that asking is needless; then give the nearest that is thinkable.
    """

    name: str
    people: int
    share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a place without people, or one where there is nothing to ask."""
        if self.people < 1:
            raise ValueError(f"{self.name} has no people")
        if not 0 < self.share < 1:
            raise ValueError(f"{self.name}: a rate of {self.share} is not between 0 and 1")


def sample_size(margin: float, expected: Expected) -> int:
    """Return how many people to approach so that the rate is known to ± `margin`.

    Parameters
        margin: half the width of the interval, as a fraction: 0.05 for 5 percentage points.

    Raises
        ValueError: the margin is not above 0.

    Source: Cochran (1977), Sampling Techniques, §4.4: n0 * deff / (1 + (n0 * deff - 1) / N),
    divided by the response, and rounded up once, at the end.

    Example: a township of 20,000, 85 % expected, design effect 1.25.

    >>> township = Expected(0.85, design_effect=1.25, population=20_000)
    >>> sample_size(0.05, township), sample_size(0.10, township)
    (242, 62)
    """
    return ceil(interviews(margin, expected) / expected.response)


def interviews(margin: float, expected: Expected) -> float:
    """Return the number of answers that `sample_size` aims at, not yet rounded."""
    if margin <= 0:
        raise ValueError(f"a margin of {margin} is not above 0")
    z = _z(expected)
    n = z**2 * expected.share * (1 - expected.share) / margin**2 * expected.design_effect
    return n / (1 + (n - 1) / expected.population) if expected.population else n


def margin(answers: int, expected: Expected) -> float:
    """Return half the width of the interval that this many answers give: `sample_size` read back.

    Raises
        ValueError: no answers, or more than there are people.
    """
    if answers < 1:
        raise ValueError("no answers have no margin")
    left = 1.0
    if expected.population and expected.population > 1:
        in_population(answers, expected.population)
        left = (expected.population - answers) / (expected.population - 1)
    spread = expected.share * (1 - expected.share)
    return _z(expected) * sqrt(spread * expected.design_effect * left / answers)


def size_to_detect(first: float, second: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Return the people per group that show a rise from one rate to another.

    Parameters
        power: the chance that the test finds it; `level`: of its two-sided test.

    Raises
        ValueError: the rates are equal.

    Source: Fleiss, Levin and Paik (2003), §4.2, without correction; R `power.prop.test`.
    """
    if first == second:
        raise ValueError("equal rates differ in no sample")
    mean = (first + second) / 2
    under_none = NormalDist().inv_cdf(1 - level / 2) * sqrt(2 * mean * (1 - mean))
    spread = first * (1 - first) + second * (1 - second)
    under_rise = NormalDist().inv_cdf(power) * sqrt(spread)
    return ceil(((under_none + under_rise) / (first - second)) ** 2)


def reach(answers: int, expected: Expected, points_of: PointsOf) -> Reach:
    """Return what so many answers could say if the expected rate came out.

    Wilson's interval at the effective sample size is pushed through the rule, whose points never
    fall as the rate rises.

    Raises
        ValueError: no answers, or more than there are people.
    """
    if answers < 1:
        raise ValueError("no answers reach nothing")
    size = answers / expected.design_effect
    if expected.population:
        size = in_population(answers, expected.population) / expected.design_effect
    low = high = expected.share
    if size < inf:
        interval = wilson(expected.share * size, size, expected.confidence)
        low, high = interval.low, interval.high
    return Reach(
        low=low,
        high=high,
        points=points_of(_exact(expected.share)),
        lowest_points=points_of(_exact(low)),
        highest_points=points_of(_exact(high)),
    )


def sample_size_for_points(within: Fraction, expected: Expected, points_of: PointsOf) -> int | None:
    """Return how many people to approach so that the score is known to ± `within` points.

    None when no sample is large enough: a rule with bands jumps where the expected rate lies.

    Raises
        ValueError: `within` is below 0.
    """
    if within < 0:
        raise ValueError(f"a score cannot be known to {within} points")

    def suffices(answers: int) -> bool:
        return reach(answers, expected, points_of).off_by <= within

    few, many = 0, expected.population or LARGEST
    if not suffices(many):
        return None
    # More answers never widen the interval, nor what it becomes under a rule that never falls.
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if suffices(middle) else (middle, many)
    return ceil(many / expected.response)


def allocate(
    n: int,
    towns: Sequence[Town],
    allocation: Allocation,
    *,
    floor: int = 0,
    cap: int | None = None,
) -> tuple[int, ...]:
    """Spread `n` interviews over towns, in their order.

    Parameters
        floor: no town gets fewer; `cap`: none gets more. No town gets more than it has people.

    Returns
        Whole numbers that add up to n. What is left after rounding down goes to the largest
        remainders, in the towns' order where these are equal.

    Raises
        ValueError: n does not fit between all floors and all caps, or a town has fewer people
            than its floor.

    Source: Cochran (1977), §5.5 (Neyman); Bankier (1988) (square root).

    Example: 100 interviews over three towns, each with at least 20.

    >>> towns = [Town("A", 8000), Town("B", 1500), Town("C", 500)]
    >>> allocate(100, towns, Allocation.PROPORTIONAL, floor=20)
    (60, 20, 20)
    """
    lows = [floor] * len(towns)
    highs = [town.people if cap is None else min(cap, town.people) for town in towns]
    for town, low, high in zip(towns, lows, highs, strict=True):
        if low > high:
            raise ValueError(f"{town.name} cannot have {low} interviews, at most {high}")
    if not sum(lows) <= n <= sum(highs):
        raise ValueError(f"{n} is not between {sum(lows)} and {sum(highs)} interviews")
    ideal = _filled(n, [_size(town, allocation) for town in towns], lows, highs)
    whole = [int(part) for part in ideal]
    by_remainder = sorted(range(len(towns)), key=lambda i: whole[i] - ideal[i])
    for position in by_remainder[: n - sum(whole)]:
        whole[position] += 1
    return tuple(whole)


def _z(expected: Expected) -> float:
    return NormalDist().inv_cdf((1 + expected.confidence) / 2)


def _exact(rate: float) -> Fraction:
    """Read a rate as the decimal that was typed: 0.85 is 85/100, not the nearest binary number."""
    return Fraction(str(rate))


def _size(town: Town, allocation: Allocation) -> Fraction:
    match allocation:
        case Allocation.PROPORTIONAL:
            return Fraction(town.people)
        case Allocation.NEYMAN:
            return town.people * Fraction(sqrt(town.share * (1 - town.share)))
        case Allocation.SQUARE_ROOT:
            return Fraction(sqrt(town.people))


def _filled(
    n: int, sizes: Sequence[Fraction], lows: Sequence[int], highs: Sequence[int]
) -> list[Fraction]:
    """Return level * size for each, cut off at its ends, at the level where they add up to n."""

    def parts(level: Fraction) -> list[Fraction]:
        return [
            min(Fraction(high), max(Fraction(low), level * size))
            for size, low, high in zip(sizes, lows, highs, strict=True)
        ]

    # Between two levels at which some town reaches an end, the sum grows in a straight line.
    ends = [
        Fraction(end) / size
        for size, low, high in zip(sizes, lows, highs, strict=True)
        for end in (low, high)
    ]
    below, above = Fraction(0), Fraction(0)
    for level in sorted({Fraction(0), *ends}):
        below, above = above, level
        if sum(parts(above)) >= n:
            break
    less, more = sum(parts(below)), sum(parts(above))
    if less == more:
        return parts(above)
    return parts(below + (above - below) * (n - less) / (more - less))
