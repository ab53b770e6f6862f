"""Whether two rates differ by more than chance: between surveys, areas, groups and a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.designs import Drawn, Estimate, covariance, ratios, standard_error
from analysis.intervals import Interval, student

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """The second figure minus the first, with its error and the chance of such a one by itself.

    `p` is two-sided, of Student's distribution with `freedom` degrees; None where neither figure
    has an error, so that there is nothing to weigh the difference against.
    """

    value: float
    error: float
    freedom: float
    p: float | None
    interval: Interval


@dataclass(frozen=True, slots=True)
class TestResult:
    """A test statistic, its degrees of freedom (of F: both), and its p value."""

    statistic: float
    freedom: tuple[float, ...]
    p: float


def between_surveys(first: Estimate, second: Estimate, confidence: float = 0.95) -> Difference:
    """Compare figures of two surveys that were drawn independently, such as two years.

    Example: R survey puts both waves into one design with waves times townships as strata, and
    gets the same.
    """
    error = sqrt(first.error**2 + second.error**2)
    return _difference(
        second.value - first.value, error, first.freedom + second.freedom, confidence
    )


def between_domains(
    drawn: Drawn,
    amounts: npt.ArrayLike,
    first: Flags,
    second: Flags,
    *,
    confidence: float = 0.95,
) -> Difference:
    """Compare the means of two groups of one survey, who may live in the same villages.

    Raises
        ZeroDivisionError: a group is empty.
        LonelyCluster: a stratum has one cluster, and the design refuses to guess.
    """
    domains = np.column_stack([first, second])
    y = np.where(domains, np.asarray(amounts, dtype=float)[:, None], 0.0)
    contrast = ratios(drawn, y, domains).combined([-1, 1])
    error = standard_error(drawn, contrast)
    freedom = drawn.freedom(first | second)
    return _difference(float(contrast.values[0]), error, freedom, confidence)


def between_counts(
    first: tuple[int, int], second: tuple[int, int], *, corrected: bool = False
) -> TestResult:
    """Compare two shares of simple samples, each (positive, n), by Pearson's chi-squared.

    Parameters
        corrected: with Yates's continuity correction.

    Raises
        ValueError: nobody or everybody is positive, so that there is nothing to compare.

    Source: R `prop.test`.
    """
    (x1, n1), (x2, n2) = first, second
    pooled = (x1 + x2) / (n1 + n2)
    if not 0 < pooled < 1:
        raise ValueError("everybody says the same")
    distance = abs(x1 / n1 - x2 / n2)
    scale = 1 / n1 + 1 / n2
    if corrected:
        distance -= min(0.5 * scale, distance)
    statistic = distance**2 / (pooled * (1 - pooled) * scale)
    return TestResult(statistic, (1.0,), _chi_squared(statistic, 1))


def share_difference(
    first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95
) -> Interval:
    """Return the interval of first minus second share of simple samples; R `prop.test`'s."""
    (x1, n1), (x2, n2) = first, second
    p1, p2 = x1 / n1, x2 / n2
    error = sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return student(p1 - p2, error, inf, confidence)


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the exact two-sided p value of two shares, for few people; R `fisher.test`."""
    (x1, n1), (x2, n2) = first, second
    positive, ways = x1 + x2, comb(n1 + n2, x1 + x2)
    counts = range(max(0, positive - n2), min(n1, positive) + 1)
    chances = {x: comb(n1, x) * comb(n2, positive - x) for x in counts}
    # In whole numbers, so that equally rare tables are not told apart by rounding.
    return sum(chance for chance in chances.values() if chance <= chances[x1]) / ways


def paired(only_first: int, only_second: int) -> TestResult:
    """Compare two questions that the same people answered: McNemar's test, not corrected.

    Parameters
        only_first, only_second: how many are positive on one question and not on the other.

    Raises
        ValueError: nobody answered the two differently.
    """
    if not only_first + only_second:
        raise ValueError("everybody answered both alike")
    statistic = (only_first - only_second) ** 2 / (only_first + only_second)
    return TestResult(statistic, (1.0,), _chi_squared(statistic, 1))


def below_target(positive: int, n: int, target: float) -> float:
    """Return the chance of so few positive answers if the true rate were the target.

    Small: the target was missed. The exact binomial tail, R `binom.test(alternative = "less")`.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - see analysis.intervals

    return float(bdtr(positive, n, target))


def above_target(positive: int, n: int, target: float) -> float:
    """Return the chance of so many positive answers if the true rate were the target.

    Small: the target was passed. R `binom.test(alternative = "greater")`.
    """
    return below_target(n - positive, n, 1 - target)


def independence(drawn: Drawn, rows: "pd.Series[Any]", columns: "pd.Series[Any]") -> TestResult:
    """Test whether the answers to two questions hang together, in a drawn sample.

    Parameters
        rows, columns: one code per person, none missing.

    Returns
        Pearson's chi-squared with Rao and Scott's second-order correction, as F.

    Raises
        ValueError: one of the two has a single answer, or a missing one.
        LonelyCluster: a stratum has one cluster, and the design refuses to guess.

    Source: Rao and Scott (1984), Annals of Statistics 12:46-60; equals R survey
    `svychisq(statistic = "F")`.
    """
    cells = _indicators(rows), _indicators(columns)
    r, c = (table.shape[1] for table in cells)
    joint = np.einsum("ni,nj->nij", *cells).reshape(len(rows), r * c)
    shares = ratios(drawn, joint, np.ones_like(joint))
    p, n = shares.values, len(rows)
    table = p.reshape(r, c)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    pearson = n * ((table - expected) ** 2 / expected).sum()
    contrasts = _interactions(r, c)
    scaled = contrasts / np.where(p > 0, p, np.inf)[:, None]
    simple = contrasts.T @ scaled / n
    effects = np.linalg.solve(simple, scaled.T @ covariance(drawn, shares) @ scaled)
    traced = np.trace(effects)
    freedom = float(traced**2 / np.trace(effects @ effects))
    below = freedom * drawn.freedom(np.ones(n, dtype=bool))
    from scipy.special import fdtrc  # noqa: PLC0415 - see analysis.intervals

    statistic = float(pearson / traced)
    return TestResult(statistic, (freedom, below), float(fdtrc(freedom, below, statistic)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p values for having made several comparisons; in the given order.

    The chance that any of the differences called real is none stays below the level.

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70; R `p.adjust`.

    Example: of three comparisons the smallest p counts three times, the next twice.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    corrected, highest = dict.fromkeys(order, 0.0), 0.0
    for rank, position in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[position]))
        corrected[position] = highest
    return tuple(corrected[position] for position in range(len(order)))


def _difference(value: float, error: float, freedom: float, confidence: float) -> Difference:
    from scipy.special import stdtr  # noqa: PLC0415 - see analysis.intervals

    p = float(2 * stdtr(freedom, -abs(value) / error)) if error else None
    return Difference(value, error, freedom, p, student(value, error, freedom, confidence))


def _chi_squared(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc  # noqa: PLC0415 - see analysis.intervals

    return float(chdtrc(freedom, statistic))


def _indicators(codes: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    if codes.isna().any() or codes.nunique() < 2:
        raise ValueError(f"{codes.name} has a missing answer, or one answer only")
    return pd.get_dummies(codes.astype("object")).to_numpy(dtype=float)


def _interactions(rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Return what is left of a table's cells when rows and columns have explained their part."""
    row = np.kron(np.eye(rows), np.ones((columns, 1)))
    column = np.kron(np.ones((rows, 1)), np.eye(columns))
    main = np.hstack([row, column])
    cells = np.kron(np.eye(rows)[:, 1:], np.eye(columns)[:, 1:])
    left: npt.NDArray[np.float64] = cells - main @ np.linalg.lstsq(main, cells, rcond=None)[0]
    return left
