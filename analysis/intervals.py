"""How sure a rate is: confidence intervals for a proportion (STATISTICS.md §2).

scipy is imported by the functions that need its special functions, when they are called: Wilson's
interval, which is what the pages show, does without, and a start need not wait for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import asin, comb, exp, inf, log, pi, sin, sqrt
from statistics import NormalDist


class IntervalMethod(StrEnum):
    """The formula behind an interval, named in every report that prints one."""

    WILSON = "wilson"
    WILSON_CORRECTED = "wilson_corrected"
    WILSON_POOLED = "wilson_pooled_design_effect"
    CLOPPER_PEARSON = "clopper_pearson"
    AGRESTI_COULL = "agresti_coull"
    JEFFREYS = "jeffreys"
    WALD = "wald"
    KORN_GRAUBARD = "korn_graubard"
    LOGIT = "logit"
    ARCSINE = "arcsine"
    STUDENT = "student"
    HYPERGEOMETRIC = "hypergeometric"
    CENSUS = "census"


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a confidence interval as fractions: 0 to 1 for a share, -1 to 1 for NPS.

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
    z = _z(successes, n, confidence)
    share = successes / n
    centre = (successes + z * z / 2) / (n + z * z)
    half = z * sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)
    return _within(centre - half, centre + half, confidence, IntervalMethod.WILSON)


def wilson_corrected(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval with continuity correction; parameters as for `wilson`.

    Source: Newcombe (1998), Statistics in Medicine 17:857-872, method 4; equals R
    `prop.test(correct = TRUE)`. Wider than needed; some reports ask for it.
    """
    z = _z(successes, n, confidence)

    def root(sign: int) -> float:
        # The rate, moved by half a person towards the end in question.
        share = (successes + sign / 2) / n
        if not 0 < share < 1:
            return max(0, sign)
        half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return (share + z * z / (2 * n) + sign * half) / (1 + z * z / n)

    return _within(root(-1), root(1), confidence, IntervalMethod.WILSON_CORRECTED)


def clopper_pearson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the exact interval, whose coverage is never below the nominal one.

    Parameters and errors as for `wilson`.

    Source: Clopper and Pearson (1934), Biometrika 26:404-413; equals R `binom.test`.
    """
    _z(successes, n, confidence)
    low, high = _beta_ends(successes, n, confidence, 0, 1)
    return Interval(low, high, confidence, IntervalMethod.CLOPPER_PEARSON)


def jeffreys(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the Bayesian interval with the prior Beta(1/2, 1/2); it reaches 0 at 0 and 1 at n.

    Parameters and errors as for `wilson`.

    Source: Brown, Cai and DasGupta (2001), Statistical Science 16:101-133.
    """
    _z(successes, n, confidence)
    low, high = _beta_ends(successes, n, confidence, 0.5, 0.5)
    return Interval(low, high, confidence, IntervalMethod.JEFFREYS)


def agresti_coull(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return Wald's interval around Wilson's centre; parameters and errors as for `wilson`.

    Source: Agresti and Coull (1998), The American Statistician 52:119-126.
    """
    z = _z(successes, n, confidence)
    people = n + z * z
    share = (successes + z * z / 2) / people
    half = z * sqrt(share * (1 - share) / people)
    return _within(share - half, share + half, confidence, IntervalMethod.AGRESTI_COULL)


def wald(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the textbook interval, to recompute what others published; never to publish.

    Its ends may leave 0 to 1, and at 0 and n it has no width. Parameters as for `wilson`.
    """
    z = _z(successes, n, confidence)
    share = successes / n
    half = z * sqrt(share * (1 - share) / n)
    return Interval(share - half, share + half, confidence, IntervalMethod.WALD)


def hypergeometric(successes: int, n: int, population: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a share among few people, some of whom were asked.

    All shares K / `population` that neither tail of the hypergeometric distribution rules out.
    Counted in whole numbers, so meant for a village, not for a county.

    Raises
        ValueError: an argument outside its range.
    """
    _z(successes, n, confidence)
    if population < n:
        raise ValueError(f"{n} asked of only {population}")
    tail = (1 - confidence) / 2

    def chance(satisfied: int, counts: range) -> float:
        ways = sum(comb(satisfied, k) * comb(population - satisfied, n - k) for k in counts)
        return ways / comb(population, n)

    possible = [
        satisfied
        for satisfied in range(successes, population - n + successes + 1)
        if chance(satisfied, range(successes, n + 1)) > tail
        and chance(satisfied, range(successes + 1)) > tail
    ]
    return Interval(
        min(possible) / population,
        max(possible) / population,
        confidence,
        IntervalMethod.HYPERGEOMETRIC,
    )


def korn_graubard(
    share: float, error: float, n: int, freedom: int, confidence: float = 0.95
) -> Interval:
    """Return the exact interval at the effective sample size of a design.

    Parameters
        share: the weighted rate, 0 to 1.
        error: its standard error under the design, 0 or more.
        n: rows in the base.
        freedom: design degrees of freedom, at least 1.

    Returns
        The interval at share * (1 - share) / error², corrected for the degrees of freedom. Without
        variance (everybody answers alike) the effective size says nothing, and n is taken.

    Raises
        ValueError: an argument outside its range.

    Source: Korn and Graubard (1998), Survey Methodology 24:193-201; equals R survey
    `svyciprop(method = "beta")`.
    """
    _z(share * n, n, confidence)
    size = share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else n
    if n > 1:
        size *= (_t(n - 1, confidence) / _t(freedom, confidence)) ** 2
    low, high = _beta_ends(share * size, size, confidence, 0, 1)
    return Interval(low, high, confidence, IntervalMethod.KORN_GRAUBARD)


def logit(share: float, error: float, freedom: float, confidence: float = 0.95) -> Interval:
    """Return the t interval on the log odds; equals R survey `svyciprop(method = "xlogit")`.

    Raises
        ValueError: a share of 0 or 1, which has no odds.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no odds")
    centre, half = log(share / (1 - share)), error / (share * (1 - share))
    return _transformed(
        centre, half, freedom, confidence, lambda x: 1 / (1 + exp(-x)), IntervalMethod.LOGIT
    )


def arcsine(share: float, error: float, freedom: float, confidence: float = 0.95) -> Interval:
    """Return the t interval on the angle, which steadies the variance.

    Equals R survey `svyciprop(method = "asin")` as long as the angles stay between 0 and a right
    angle. Beyond, R folds them back, so that the interval may not hold its rate; here they stop.

    Raises
        ValueError: a share of 0 or 1, where the error of the angle is not defined.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no angle with an error")
    centre, half = asin(sqrt(share)), error / (2 * sqrt(share * (1 - share)))
    return _transformed(
        centre,
        half,
        freedom,
        confidence,
        lambda x: sin(min(pi / 2, max(0.0, x))) ** 2,
        IntervalMethod.ARCSINE,
    )


def student(value: float, error: float, freedom: float, confidence: float = 0.95) -> Interval:
    """Return value ± t * error: for means, scores and differences, which no 0 and 1 bound.

    Parameters
        freedom: design degrees of freedom; `math.inf` gives the normal distribution.
    """
    return _transformed(value, error, freedom, confidence, lambda x: x, IntervalMethod.STUDENT)


def in_population(n: float, population: float) -> float:
    """Return the effective sample size when `n` of `population` people were asked.

    Infinite when all were: then nothing was left to chance. Raises `ValueError` when more were
    asked than there are.
    """
    if n > population:
        raise ValueError(f"{n} asked of only {population}")
    return n / (1 - n / population) if n < population else inf


def _z(successes: float, n: float, confidence: float) -> float:
    """Check the arguments that all intervals share, and return the normal quantile."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is no proportion")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _t(freedom: float, confidence: float) -> float:
    if freedom == inf:
        return NormalDist().inv_cdf((1 + confidence) / 2)
    from scipy.special import stdtrit  # noqa: PLC0415 - see the top of this module

    return float(stdtrit(freedom, (1 + confidence) / 2))


def _beta_ends(
    successes: float, n: float, confidence: float, below: float, above: float
) -> tuple[float, float]:
    """Return quantiles of two Beta distributions; at 0 and n one end is the rate itself."""
    from scipy.special import betaincinv  # noqa: PLC0415 - see the top of this module

    tail, failures = (1 - confidence) / 2, n - successes
    low = betaincinv(successes + below, failures + above, tail) if successes > 0 else 0.0
    high = betaincinv(successes + above, failures + below, 1 - tail) if failures > 0 else 1.0
    return float(low), float(high)


def _within(low: float, high: float, confidence: float, method: IntervalMethod) -> Interval:
    # At 0 and at n one end is the rate itself; rounding errors must not push it past.
    return Interval(max(0.0, low), min(1.0, high), confidence, method)


def _transformed(
    centre: float,
    error: float,
    freedom: float,
    confidence: float,
    back: Callable[[float], float],
    method: IntervalMethod,
) -> Interval:
    half = _t(freedom, confidence) * error if error else 0.0
    return Interval(back(centre - half), back(centre + half), confidence, method)
