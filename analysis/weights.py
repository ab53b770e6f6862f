"""Weights that make a sample look like the population: post-stratification and raking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

Margins = Mapping[str, Mapping[Any, float]]  # a category is a code, or the id of an area
"""For each column, how many people the population has in each of its categories."""

TOLERANCE = 1e-10
MOST_ROUNDS = 1000
_TOTALS_AGREE = 1e-6


class MarginError(ValueError):
    """Margins that no weights can meet, with the column at fault."""

    def __init__(self, column: str, reason: str) -> None:
        self.column = column
        super().__init__(f"{column}: {reason}")


@dataclass(frozen=True, slots=True, eq=False)
class Raked:
    """Weights that meet the margins, and what they cost.

    `lowest` and `highest` are the range of new over old weight, against their mean. `loss` is
    Kish's: the share by which the variance grows because the weights differ. With trimmed weights
    the margins are met as nearly as the trimming allows; `distance` is the greatest relative
    departure from them that is left.
    """

    weights: Floats
    rounds: int
    lowest: float
    highest: float
    loss: float
    trimmed: int
    distance: float


def rake(
    frame: pd.DataFrame, start: Floats, margins: Margins, *, most: float | None = None
) -> Raked:
    """Fit weights to the margins, one after another until all are met; with one, post-stratify.

    Parameters
        start: the weights of the design, above 0.
        margins: people by category; all columns must add up to the same total.
        most: no weight may end above `most` times the mean weight; None leaves them free.

    Raises
        MarginError: a row without a category, categories of sample and population that differ, a
            category without people, totals that differ, weights that do not settle.
        ValueError: `most` is not above 1.

    Source: Deming and Stephan (1940), Annals of Mathematical Statistics 11:427-444. Margins are
    met to 1e-10 of their size.
    """
    if most is not None and most <= 1:
        raise ValueError(f"weights cannot all be at most {most} times their mean")
    cells = {column: _cells(frame, column, counts) for column, counts in margins.items()}
    total = _total(margins)
    weights, trimmed = start * (total / start.sum()), 0
    for rounds in range(1, MOST_ROUNDS + 1):
        for codes, counts in cells.values():
            weights = weights * (counts / np.bincount(codes, weights))[codes]
        if most is not None:
            weights, trimmed = _trimmed(weights, most * total / len(weights))
        distance = max(_distance(weights, *cell) for cell in cells.values())
        if distance < TOLERANCE or (trimmed and rounds == MOST_ROUNDS):
            return _report(weights, start, rounds, trimmed, distance)
    raise MarginError("、".join(margins), f"weights do not settle in {MOST_ROUNDS} rounds")


def kish_loss(weights: Floats) -> float:
    """Return the share by which unequal weights raise the variance: 0 where all are equal.

    Source: Kish (1965), Survey Sampling, §11.7.
    """
    return float(len(weights) * (weights**2).sum() / weights.sum() ** 2 - 1)


def indicators(frame: pd.DataFrame, margins: Margins) -> Floats:
    """Return a column of 0 and 1 for each category of each margin."""
    columns = [
        (frame[name] == category).to_numpy(dtype=float)
        for name, counts in margins.items()
        for category in counts
    ]
    return np.column_stack(columns)


def _cells(
    frame: pd.DataFrame, column: str, counts: Mapping[Any, float]
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return each row's category as a number, and the people of each. Raises `MarginError`."""
    if frame[column].isna().any():
        raise MarginError(column, f"missing in {int(frame[column].isna().sum())} rows")
    sampled = set(frame[column])
    if unknown := sampled - set(counts):
        raise MarginError(column, f"the population has no {sorted(map(str, unknown))}")
    if absent := set(counts) - sampled:
        raise MarginError(column, f"nobody in the sample is {sorted(map(str, absent))}")
    if empty := [str(category) for category, people in counts.items() if not people > 0]:
        raise MarginError(column, f"no people in {sorted(empty)}")
    codes = frame[column].map({category: code for code, category in enumerate(counts)})
    return codes.to_numpy(dtype=np.intp), np.array(list(counts.values()), dtype=float)


def _total(margins: Margins) -> float:
    (first, total), *others = ((name, sum(counts.values())) for name, counts in margins.items())
    for name, other in others:
        if abs(other - total) > _TOTALS_AGREE * total:
            raise MarginError(name, f"adds up to {other:g}, but {first} to {total:g}")
    return total


def _trimmed(weights: Floats, ceiling: float) -> tuple[Floats, int]:
    above = weights > ceiling * (1 + TOLERANCE)
    return np.minimum(weights, ceiling), int(above.sum())


def _distance(weights: Floats, codes: npt.NDArray[np.intp], counts: Floats) -> float:
    return float(np.abs(np.bincount(codes, weights) / counts - 1).max())


def _report(weights: Floats, start: Floats, rounds: int, trimmed: int, distance: float) -> Raked:
    change = weights / start
    change = change / change.mean()
    return Raked(
        weights=weights,
        rounds=rounds,
        lowest=float(change.min()),
        highest=float(change.max()),
        loss=kish_loss(weights),
        trimmed=trimmed,
        distance=distance,
    )
