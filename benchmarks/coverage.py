"""`python -m benchmarks.coverage`: how often the intervals hold the true rate.

A 95 % interval should do so 19 times in 20. Simple samples are enumerated, so their coverage is
exact; samples of villages are simulated from a fixed seed, so that two runs can be compared.
"""

from collections.abc import Callable, Iterator
from math import comb

import numpy as np
import pandas as pd

from analysis.designs import Design, Sample, lay_out, mean
from analysis.intervals import (
    Interval,
    agresti_coull,
    clopper_pearson,
    jeffreys,
    korn_graubard,
    wald,
    wilson,
)

SIMPLE: dict[str, Callable[[int, int], Interval]] = {
    "wilson": wilson,
    "clopper_pearson": clopper_pearson,
    "agresti_coull": agresti_coull,
    "jeffreys": jeffreys,
    "wald": wald,
}
SIZES = (20, 30, 60, 100, 240)
RATES = (0.70, 0.85, 0.95, 0.99)
SURVEYS = 500
TOWNSHIPS, VILLAGES, DRAWN_VILLAGES, PEOPLE, DRAWN_PEOPLE = 31, 12, 3, 800, 7


def main() -> None:
    """Print both tables."""
    for line in (*simple_lines(), "", *drawn_lines()):
        print(line)


def simple_lines() -> Iterator[str]:
    """Yield the exact coverage of each interval by sample size and true rate."""
    yield "Simple samples, nominal 95 %, coverage in %"
    yield f"{'n':>5} {'rate':>6}" + "".join(f"{name:>17}" for name in SIMPLE)
    for n in SIZES:
        for rate in RATES:
            covered = [100 * _exact_coverage(method, n, rate) for method in SIMPLE.values()]
            yield f"{n:>5} {rate:>6.2f}" + "".join(f"{share:>17.1f}" for share in covered)


def drawn_lines() -> Iterator[str]:
    """Yield the coverage for villages drawn in townships, where neighbours answer alike."""
    yield f"Villages drawn in {TOWNSHIPS} townships, {SURVEYS} surveys, nominal 95 %"
    yield f"{'villages differ':>16}{'korn_graubard':>17}{'wilson, as if simple':>23}"
    for spread in (0.0, 0.35, 0.7):
        held = np.mean([_holds(spread, seed) for seed in range(SURVEYS)], axis=0)
        yield f"{spread:>16.2f}{100 * held[0]:>17.1f}{100 * held[1]:>23.1f}"


def _exact_coverage(method: Callable[[int, int], Interval], n: int, rate: float) -> float:
    held = 0.0
    for x in range(n + 1):
        interval = method(x, n)
        if interval.low <= rate <= interval.high:
            held += comb(n, x) * rate**x * (1 - rate) ** (n - x)
    return held


def _holds(spread: float, seed: int) -> tuple[bool, bool]:
    """Draw one survey, and say whether each of the two intervals holds the true rate."""
    chance = np.random.default_rng(seed)
    log_odds = 1.4 + chance.normal(0, spread, (TOWNSHIPS, VILLAGES))
    rates = 1 / (1 + np.exp(-log_odds))
    drawn = [
        (town, village)
        for town in range(TOWNSHIPS)
        for village in chance.choice(VILLAGES, DRAWN_VILLAGES, replace=False)
    ]
    frame = pd.DataFrame(
        [(t, v, chance.random() < rates[t, v]) for t, v in drawn for _ in range(DRAWN_PEOPLE)],
        columns=["town", "village", "positive"],
    ).assign(person=lambda rows: range(len(rows)), villages=VILLAGES, people=PEOPLE)
    design = Design(
        Sample.DRAWN,
        stratum="town",
        clusters=("village", "person"),
        sizes=("villages", "people"),
    )
    found = mean(lay_out(frame, design), frame["positive"])
    positive, n, truth = int(frame["positive"].sum()), len(frame), rates.mean()
    intervals = (
        korn_graubard(found.value, found.error, n, found.freedom),
        wilson(positive, n),
    )
    first, second = (interval.low <= truth <= interval.high for interval in intervals)
    return bool(first), bool(second)


if __name__ == "__main__":
    main()
