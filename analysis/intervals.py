"""How sure a rate is: confidence intervals for a proportion (STATISTICS.md §2)."""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist


class IntervalMethod(StrEnum):
    """The formula behind an interval, named in every report that prints one."""

    WILSON = "wilson"


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a confidence interval as fractions, 0 to 1.

    The ends are floats: they carry a square root. Only counts and rates are exact.
    """

    low: float
    high: float
    confidence: float
    method: IntervalMethod


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a proportion, without continuity correction.

    Parameters
        successes: 0 to n; need not be whole when `n` is an effective sample size.
        n: number of observations or effective sample size, above 0.
        confidence: coverage, above 0 and below 1.

    Raises
        ValueError: an argument outside its range.

    Source: Wilson (1927), JASA 22:209-212; equals R `prop.test(correct = FALSE)`.
    Its coverage stays near the nominal one for small n and for rates near 0 and 1, where the
    textbook (Wald) interval leaves the range or has no width.

    Example: 82 of 103 knew of the free services (Beian 2020, table 7).

    >>> interval = wilson(82, 103)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.7083, 0.8626)
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is no proportion")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (successes + z * z / 2) / (n + z * z)
    half = z * sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)
    # At 0 and at n one end is the rate itself; rounding errors must not push it past.
    return Interval(
        max(0.0, centre - half), min(1.0, centre + half), confidence, IntervalMethod.WILSON
    )
