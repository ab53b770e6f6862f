"""What sampling leaves open of a rate: its interval, with more interviews, and several together.

Wilson's interval is computed again here, in decimals, because the module needs nothing but the
standard library; `analysis.intervals` is for frames and has numpy's neighbours.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from statistics import NormalDist

from analysis.scoring.feed import Measurement, Parts, Rate
from analysis.scoring.rules import Checklist, Rule, rises

HALF = Decimal("0.5")
QUARTER = Decimal("0.25")


def rates_of(measurement: Measurement) -> tuple[Rate, ...]:
    """Return the rates of a measurement: itself, or those of its parts."""
    content = measurement.content
    measured = content.parts.values() if isinstance(content, Parts) else (content,)
    return tuple(each for each in measured if isinstance(each, Rate))


def with_rates(
    rule: Rule, measurement: Measurement, change: Callable[[Rule | None, Rate], Rate]
) -> Measurement:
    """Return the measurement with every rate changed; `change` also gets the rate's own rule."""
    match measurement.content:
        case Rate() as rate:
            return replace(measurement, content=change(rule, rate))
        case Parts(parts):
            rules = _rules_of_parts(rule)
            changed = {
                name: change(rules.get(name), found) if isinstance(found, Rate) else found
                for name, found in parts.items()
            }
            return replace(measurement, content=Parts(changed))
        case _:
            return measurement


def _rules_of_parts(rule: Rule) -> Mapping[str, Rule | None]:
    return {part.id: part.rule for part in rule.parts} if isinstance(rule, Checklist) else {}


def at_end(rule: Rule, measurement: Measurement, *, is_best: bool) -> Measurement:
    """Return the measurement with every rate at the end of its interval that earns most, or least.

    A rule over a rate only rises or only falls, and a list adds its parts and then cuts the sum;
    so the extremes of the points lie where each part is at its own best or worst end.
    """

    def ended(own: Rule | None, rate: Rate) -> Rate:
        if rate.interval is None:
            return rate
        is_high = is_best == (own is None or rises(own))
        return replace(rate, value=Fraction(rate.interval.high if is_high else rate.interval.low))

    return with_rates(rule, measurement, ended)


def people(rate: Rate) -> int:
    """Return how many people the rate is of; a base without them counts people itself."""
    return rate.base if rate.respondents is None else rate.respondents


# Wilson's interval, read back and with more people


def effective_size(rate: Rate) -> Decimal | None:
    """Return how many yes and no answers of a simple sample would give as wide an interval.

    Wilson's half width w at share p solves, with a = z²/n, the quadratic
    (w² - 1/4) a² + (2 w² - p (1 - p)) a + w² = 0, which has one positive root. So a design
    effect, a composite of several questions and a finite population are all in the answer,
    whatever the method of the interval. None where the interval has no width (nothing is left
    open), all the width there is (nothing is known), or no confidence between 0 and 1.
    """
    interval = rate.interval
    if interval is None or not 0 < interval.confidence < 1:
        return None
    with localcontext() as context:
        context.prec = 40
        width = (interval.high - interval.low) / 2
        if not 0 < width < HALF:
            return None
        share = _decimal(rate.value)
        square, linear = width**2 - QUARTER, 2 * width**2 - share * (1 - share)
        root = (-linear - (linear**2 - 4 * square * width**2).sqrt()) / (2 * square)
        return _z(interval.confidence) ** 2 / root


def with_size(rate: Rate, size: Decimal) -> Rate:
    """Return the rate with Wilson's interval at this effective size, at its own confidence.

    Source: Wilson (1927), JASA 22:209-212. The intervals of a growing size lie inside each other.
    """
    if rate.interval is None:
        return rate
    with localcontext() as context:
        context.prec = 40
        share, z = _decimal(rate.value), _z(rate.interval.confidence)
        square = z**2
        centre = (share * size + square / 2) / (size + square)
        half = z * (size * share * (1 - share) + square / 4).sqrt() / (size + square)
        low, high = max(Decimal(0), centre - half), min(Decimal(1), centre + half)
    return replace(rate, interval=replace(rate.interval, low=low, high=high))


def with_more(rate: Rate, factor: Fraction) -> Rate:
    """Return the rate as if so many times the people had been asked and answered alike.

    The design effect stays; of a finite population no advantage is taken. A rate whose interval
    cannot be read back stays as it is.
    """
    size = effective_size(rate)
    return rate if size is None else with_size(rate, size * _decimal(factor))


def _decimal(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


@lru_cache(maxsize=32)
def _z(confidence: Decimal) -> Decimal:
    return Decimal(NormalDist().inv_cdf(float((1 + confidence) / 2)))


# Several together


def apart(surveys: Mapping[str, frozenset[str]]) -> tuple[frozenset[str], ...]:
    """Return the groups of indicators whose errors are independent of each other.

    Parameters: by indicator code, the surveys that its rates are from.
    Rates of one survey are from the same people and stay in one group. Where a rate names no
    survey, or one indicator takes rates from several, nothing says who is independent of whom,
    and all are one group.
    """
    named = set(surveys.values())
    if any(len(each) != 1 or "" in each for each in named):
        return (frozenset(surveys),)
    return tuple(
        frozenset(code for code, found in surveys.items() if found == survey)
        for survey in dict.fromkeys(surveys.values())
    )


def surveys_of(measurement: Measurement) -> frozenset[str]:
    """Return the surveys of the rates that carry an interval."""
    return frozenset(rate.survey for rate in rates_of(measurement) if rate.interval)


def together(steps: Sequence[Decimal]) -> Decimal:
    """Return how far independent steps reach together: the root of their squares, rounded up.

    Source: the method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine
    27:1693-1702, for sums). Exact in units of the last place of the steps.

    >>> together([Decimal("0.30"), Decimal("0.40")])
    Decimal('0.50')
    """
    if len(steps) == 1:
        return steps[0]
    places = max((-int(step.as_tuple().exponent) for step in steps), default=0)
    squares = sum(int(step.scaleb(places)) ** 2 for step in steps)
    root = isqrt(squares)
    return Decimal(root + (root * root < squares)).scaleb(-places)


def smallest(is_enough: Callable[[int], bool], most: int) -> int | None:
    """Return the smallest number from 1 to `most` that is enough, None where none is.

    Whatever is enough must stay enough for every larger number.
    """
    if most < 1:
        return None
    below, above = _bracket(is_enough, most)
    if above is None:
        return None
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if is_enough(middle) else (middle, above)
    return above


def _bracket(is_enough: Callable[[int], bool], most: int) -> tuple[int, int | None]:
    below = 0
    for tried in _doubling(most):
        if is_enough(tried):
            return below, tried
        below = tried
    return below, None


def _doubling(most: int) -> Iterator[int]:
    tried = 1
    while tried < most:
        yield tried
        tried *= 2
    yield most


def persons_asked(measurements: Iterable[Measurement]) -> int:
    """Return how many people stand behind the intervals: of each survey those it asked.

    One survey's rates are of about the same people, so that the largest number stands for all.
    """
    asked: dict[str, int] = {}
    for measurement in measurements:
        for rate in rates_of(measurement):
            if rate.interval:
                asked[rate.survey] = max(asked.get(rate.survey, 0), people(rate))
    return sum(asked.values())
