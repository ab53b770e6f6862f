"""How a sample was drawn, and what that does to the error of an estimate (STATISTICS.md §2).

Taylor linearisation: an estimate is replaced by the sum of what each row adds to it (its
influence), and the variance of that sum follows from the strata, the clusters inside them and how
much of each was drawn. Rows outside a domain stay, with an influence of 0: which villages were
drawn does not depend on who is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.weights import Margins, indicators, rake

Floats = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.intp]


_NOTHING_LEFT = 1e-24
"""A variance this small against the squares that it is made of is rounding."""


class Sample(StrEnum):
    """How people came into the sample, which decides whether there is a sampling error."""

    CENSUS = "census"
    SIMPLE = "simple"
    DRAWN = "drawn"
    SELF_SELECTED = "self_selected"


class Lonely(StrEnum):
    """What to do about a stratum with one cluster, which says nothing of its own variance.

    `adjust` takes its distance from the mean of the whole sample, `average` gives it the average
    variance of the other strata, `collapse` puts it together with a neighbour, and `certainty`
    says that it was taken on purpose and adds nothing.
    """

    REFUSE = "refuse"
    ADJUST = "adjust"
    AVERAGE = "average"
    COLLAPSE = "collapse"
    CERTAINTY = "certainty"


class LonelyCluster(ValueError):  # noqa: N818 - the stratum's state, which somebody must judge
    """Strata with a single cluster, and nobody has said what to do about them."""

    def __init__(self, strata: Sequence[str]) -> None:
        self.strata = tuple(strata)
        super().__init__(f"one cluster only in {'、'.join(strata)}")


@dataclass(frozen=True, slots=True)
class Design:
    """How the sample was drawn, and the confidence (0 to 1) of its intervals.

    For a simple sample `population` is how many people there are to ask. The rest is for a drawn
    one and names columns of the frame: the `weight` (if there is none, weights follow from
    `sizes`), the `stratum`, and for each stage of drawing the cluster (the largest first; each row
    is its own where there are none) and how many of these the stratum or the cluster above holds.
    `margins` are counts of people by the categories of a column, to which the weights are raked.
    """

    sample: Sample
    confidence: float = 0.95
    population: int | None = None
    weight: str | None = None
    stratum: str | None = None
    clusters: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    lonely: Lonely = Lonely.REFUSE
    margins: Margins = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A figure from a drawn sample, with its error.

    `n` rows are in its base. `design_effect` is the variance against that of a simple sample of
    `n` drawn with replacement; None where the answers do not vary. `weight_sum` is the number of
    people that the base stands for, if the weights are people.
    """

    value: float
    error: float
    freedom: int
    n: int
    design_effect: float | None
    weight_sum: float

    @property
    def effective_n(self) -> float:
        """The size of the simple sample that would know as much."""
        return self.n / self.design_effect if self.design_effect else float(self.n)

    @property
    def design_effect_without_replacement(self) -> float | None:
        """The design effect against a simple sample without replacement, as R prints it."""
        if self.design_effect is None:
            return None
        return self.design_effect * self.weight_sum / (self.weight_sum - self.n)


@dataclass(frozen=True, slots=True, eq=False)
class Influences:
    """Figures with what each row adds to each of them: a row per person, a column per figure.

    They are kept together because figures from the same people do not err independently.
    """

    values: Floats
    rows: Floats

    def combined(self, coefficients: npt.ArrayLike) -> "Influences":
        """Return the sum of the figures, each times its coefficient, as one figure."""
        factors = np.asarray(coefficients, dtype=float).reshape(-1, 1)
        return Influences(self.values @ factors, self.rows @ factors)


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """One stage of drawing; the first two arrays have an entry per row of the frame.

    `drawn` and `held` have one per stratum: how many units came into the sample, and out of how
    many (infinite where that is not known).
    """

    stratum: _Codes
    unit: _Codes
    drawn: Floats
    held: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A design laid out over the rows of a frame. `start` are the weights before raking."""

    weights: Floats
    start: Floats
    margins: Floats | None
    stages: tuple[_Stage, ...]
    lonely: Lonely
    names: tuple[str, ...]

    def freedom(self, rows: npt.NDArray[np.bool_]) -> int:
        """Return clusters minus strata among these rows: the degrees of freedom of a domain."""
        first = self.stages[0]
        return len(set(first.unit[rows])) - len(set(first.stratum[rows]))


def lay_out(frame: pd.DataFrame, design: Design) -> Drawn:
    """Read a drawn design off its columns.

    Raises
        ValueError: a weight that is not above 0, a cluster or a stratum that is missing, a size
            that is smaller than what was drawn or differs within its stratum, sizes for some
            stages only, no rows.
        MarginError: the margins cannot be met.
        LonelyCluster: as late as a variance is computed, for it may not be needed.
    """
    if frame.empty:
        raise ValueError("an empty frame has no design")
    labels = _codes(frame[design.stratum]) if design.stratum else np.zeros(len(frame), np.intp)
    names = _names(frame, design)
    stages = _stages(frame, design, labels)
    start = _start(frame, design, stages)
    if design.lonely is Lonely.COLLAPSE:
        stages = (_collapsed(stages[0]), *stages[1:])
    if not design.margins:
        return Drawn(start, start, None, stages, design.lonely, names)
    raked = rake(frame, start, design.margins)
    columns = indicators(frame, design.margins)
    return Drawn(raked.weights, start, columns, stages, design.lonely, names)


def totals(drawn: Drawn, amounts: npt.ArrayLike) -> Influences:
    """Return weighted totals; `amounts` has a column per figure, 0 outside its domain."""
    table = _table(amounts)
    return Influences(drawn.weights @ table, table * drawn.weights[:, None])


def ratios(drawn: Drawn, amounts: npt.ArrayLike, bases: npt.ArrayLike) -> Influences:
    """Return weighted totals over weighted totals: Hájek's mean where `bases` marks a domain.

    Parameters
        amounts, bases: a column per figure, both 0 outside its domain.

    Raises
        ZeroDivisionError: the base of a figure holds nobody.

    Source: Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, §5.6.
    """
    y, d = _table(amounts), _table(bases)
    base = drawn.weights @ d
    if not base.all():
        raise ZeroDivisionError("nobody is in the base")
    values = (drawn.weights @ y) / base
    return Influences(values, drawn.weights[:, None] * (y - values * d) / base)


def covariance(drawn: Drawn, influences: Influences) -> Floats:
    """Return the covariance matrix of figures under the design.

    Raises
        LonelyCluster: a stratum has one cluster, and the design refuses to guess.

    Source: Lumley (2010), Complex Surveys, §2 and 3; equals R survey `svyrecvar`, for raked
    weights R `calibrate(calfun = "raking")`.
    """
    rows = _residuals(drawn, influences.rows)
    result = np.zeros((rows.shape[1], rows.shape[1]))
    share = np.ones(len(drawn.stages[0].drawn))
    for position, stage in enumerate(drawn.stages):
        result += _stage_covariance(stage, rows, share, drawn)
        if not np.isfinite(stage.held).all():
            break  # drawn with replacement, or as if: the first stage holds all the variance
        if position + 1 < len(drawn.stages):
            # What a later stage adds counts as often as its clusters were drawn.
            share = _per_stratum(
                drawn.stages[position + 1], (share * stage.drawn / stage.held)[stage.stratum]
            )
    return result


def standard_error(drawn: Drawn, influences: Influences) -> float:
    """Return the standard error of the only figure. Raises `LonelyCluster`.

    It is exactly 0 where the sample does not vary inside its strata: what rounding leaves there
    would claim a simple sample of 10³⁰ people, for which no interval can be computed.
    """
    (variance,) = covariance(drawn, influences).ravel()
    # What the margins fix does not vary: what is left of it is rounding, and an effective size
    # computed from that would be endless.
    rounding = _NOTHING_LEFT * float(np.square(influences.rows).sum())
    return float(np.sqrt(variance)) if variance > rounding else 0.0


def mean(
    drawn: Drawn, amounts: npt.ArrayLike, domain: npt.NDArray[np.bool_] | None = None
) -> Estimate:
    """Return the weighted mean of an amount over a domain (everybody, unless said otherwise).

    Amounts outside the domain are not looked at and may be missing.

    Raises
        ZeroDivisionError: the domain is empty.
        LonelyCluster: a stratum has one cluster, and the design refuses to guess.
    """
    inside = np.ones(len(drawn.weights), dtype=bool) if domain is None else domain
    y = np.where(inside, np.asarray(amounts, dtype=float), 0.0)
    return summarise(drawn, ratios(drawn, y, inside), y, inside)


def summarise(
    drawn: Drawn,
    influences: Influences,
    amounts: npt.ArrayLike,
    domain: npt.NDArray[np.bool_],
) -> Estimate:
    """Return one figure with its error; its design effect is judged by these amounts of people.

    Parameters
        amounts: what each person in the domain is worth; for a composite over several questions
            the person's mean.

    Raises
        LonelyCluster: a stratum has one cluster, and the design refuses to guess.
    """
    error = standard_error(drawn, influences)
    weights = drawn.weights[domain]
    n = len(weights)
    values = np.asarray(amounts, dtype=float)[domain]
    spread = np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)
    simple = spread / (n - 1) if n > 1 else 0.0
    return Estimate(
        value=float(influences.values[0]),
        error=error,
        freedom=drawn.freedom(domain),
        n=n,
        design_effect=float(error**2 / simple) if simple > 0 and error > 0 else None,
        weight_sum=float(weights.sum()),
    )


def _table(amounts: npt.ArrayLike) -> Floats:
    table = np.asarray(amounts, dtype=float)
    return table.reshape(-1, 1) if table.ndim == 1 else table


def _codes(labels: pd.Series) -> _Codes:
    if labels.isna().any():
        raise ValueError(f"{labels.name} is missing in some rows")
    return pd.factorize(labels, sort=True)[0]


def _names(frame: pd.DataFrame, design: Design) -> tuple[str, ...]:
    if not design.stratum:
        return ("—",)
    return tuple(str(name) for name in pd.factorize(frame[design.stratum], sort=True)[1])


def _stages(frame: pd.DataFrame, design: Design, stratum: _Codes) -> tuple[_Stage, ...]:
    units = [_codes(frame[column]) for column in design.clusters] or [np.arange(len(frame))]
    sizes: list[str | None] = list(design.sizes) or [None] * len(units)
    if len(sizes) != len(units):
        raise ValueError(f"{len(units)} stages of drawing, but {len(sizes)} sizes")
    found = []
    for label, size in zip(units, sizes, strict=True):
        unit = _within(stratum, label)
        found.append(_stage(frame, stratum, unit, size))
        stratum = unit
    return tuple(found)


def _within(outer: _Codes, inner: _Codes) -> _Codes:
    """Give every pair a number: village 1 of one township is not village 1 of another."""
    return np.unique(outer * (inner.max() + 1) + inner, return_inverse=True)[1]


def _stage(frame: pd.DataFrame, stratum: _Codes, unit: _Codes, size: str | None) -> _Stage:
    pairs = np.unique(np.column_stack([stratum, unit]), axis=0)
    drawn = np.bincount(pairs[:, 0]).astype(float)
    if size is None:
        return _Stage(stratum, unit, drawn, np.full(len(drawn), np.inf))
    held = frame[size].to_numpy(dtype=float)
    first = np.unique(stratum, return_index=True)[1]
    if (held != held[first][stratum]).any():
        raise ValueError(f"{size} differs within a stratum")
    if (held[first] < drawn).any():
        raise ValueError(f"{size} is smaller than what was drawn")
    return _Stage(stratum, unit, drawn, held[first])


def _start(frame: pd.DataFrame, design: Design, stages: Sequence[_Stage]) -> Floats:
    """Return the given weights, or how many people each row stands for by the sizes."""
    if design.weight:
        weights = frame[design.weight].to_numpy(dtype=float)
    elif design.sizes:
        weights = np.prod([(s.held / s.drawn)[s.stratum] for s in stages], axis=0)
    else:
        weights = np.ones(len(frame))
    if not (weights > 0).all() or not np.isfinite(weights).all():
        raise ValueError("every weight must be above 0")
    return weights


def _collapsed(stage: _Stage) -> _Stage:
    """Put every stratum with one cluster together with the one before it in the names' order."""
    target = np.arange(len(stage.drawn))
    is_lonely = _is_lonely(stage)
    for previous, current in pairwise(range(len(target))):
        if is_lonely[current] or (is_lonely[previous] and previous == 0):
            target[current] = target[previous]
    merged = np.unique(target, return_inverse=True)[1]
    return replace(
        stage,
        stratum=merged[stage.stratum],
        drawn=np.bincount(merged, stage.drawn).astype(float),
        held=np.bincount(merged, stage.held).astype(float),
    )


def _is_lonely(stage: _Stage) -> npt.NDArray[np.bool_]:
    is_lonely: npt.NDArray[np.bool_] = (stage.drawn == 1) & (stage.held != 1)
    return is_lonely


def _per_stratum(stage: _Stage, by_row: Floats) -> Floats:
    """Return a figure of the stage above for each stratum of this one."""
    first = np.unique(stage.stratum, return_index=True)[1]
    return by_row[first]


def _residuals(drawn: Drawn, rows: Floats) -> Floats:
    """Take out of the influences what the margins explain: raked weights no longer err in it."""
    if drawn.margins is None:
        return rows
    root = np.sqrt(drawn.start)[:, None]
    values = rows / drawn.weights[:, None]
    fitted = np.linalg.lstsq(drawn.margins * root, values * root, rcond=None)[0]
    return (values - drawn.margins @ fitted) * drawn.weights[:, None]


def _stage_covariance(stage: _Stage, rows: Floats, share: Floats, drawn: Drawn) -> Floats:
    """Return what drawing at one stage adds to the variance."""
    units = np.zeros((stage.unit.max() + 1, rows.shape[1]))
    np.add.at(units, stage.unit, rows)
    above = np.zeros(len(units), dtype=np.intp)
    above[stage.unit] = stage.stratum
    sums = np.zeros((len(stage.drawn), rows.shape[1]))
    np.add.at(sums, above, units)
    is_lonely = _is_lonely(stage)
    if is_lonely.any() and drawn.lonely in {Lonely.REFUSE, Lonely.COLLAPSE}:
        raise LonelyCluster(_lonely_names(stage, is_lonely, drawn))
    centres = sums / stage.drawn[:, None]
    if drawn.lonely is Lonely.ADJUST:
        centres[is_lonely] = 0.0
    left = 1 - stage.drawn / stage.held
    factor = share * left * np.where(stage.drawn > 1, stage.drawn / (stage.drawn - 1).clip(1), 1.0)
    if drawn.lonely is Lonely.AVERAGE and is_lonely.any():
        factor = factor * len(is_lonely) / (len(is_lonely) - is_lonely.sum())
    deviations = units - centres[above]
    return (deviations * factor[above][:, None]).T @ deviations


def _lonely_names(stage: _Stage, is_lonely: npt.NDArray[np.bool_], drawn: Drawn) -> Sequence[str]:
    if stage is drawn.stages[0] and len(drawn.names) == len(is_lonely):
        return [drawn.names[code] for code in np.flatnonzero(is_lonely)]
    return [f"{int(is_lonely.sum())} clusters of a later stage"]
