import doctest
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import intervals
from analysis.intervals import (
    Interval,
    IntervalMethod,
    agresti_coull,
    arcsine,
    clopper_pearson,
    hypergeometric,
    in_population,
    jeffreys,
    korn_graubard,
    logit,
    student,
    wald,
    wilson,
    wilson_corrected,
)

ORACLE = json.loads(
    Path(__file__).with_name("oracle").joinpath("binom_expected.json").read_text("utf-8")
)
METHODS: dict[str, Callable[[int, int, float], Interval]] = {
    "wilson": wilson,
    "wilson_cc": wilson_corrected,
    "clopper_pearson": clopper_pearson,
    "agresti_coull": agresti_coull,
    "jeffreys": jeffreys,
    "wald": wald,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("case", ORACLE["one_sample"], ids=lambda c: f"{c['x']}/{c['n']}")
def test_intervals_equal_r(case: dict[str, Any], name: str) -> None:
    interval = METHODS[name](case["x"], case["n"], case["level"])
    assert [interval.low, interval.high] == pytest.approx(case[name], rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("case", ORACLE["hypergeometric"], ids=lambda c: f"{c['x']}/{c['n']}")
def test_few_people_have_an_exact_interval(case: dict[str, Any]) -> None:
    interval = hypergeometric(case["x"], case["n"], case["N"])
    assert [interval.low, interval.high] == pytest.approx([case["p_low"], case["p_high"]])
    with pytest.raises(ValueError, match="only"):
        hypergeometric(case["x"], case["n"], case["n"] - 1)


def test_whoever_asks_all_is_sure() -> None:
    assert in_population(60, 60) == float("inf")
    assert in_population(60, 120) == 120
    with pytest.raises(ValueError, match="61 asked of only 60"):
        in_population(61, 60)


def test_infinite_freedom_is_the_normal_distribution() -> None:
    assert student(0.07, 0.03, float("inf")).high == pytest.approx(0.07 + 1.959963985 * 0.03)


def test_without_variance_a_design_still_has_an_interval() -> None:
    interval = korn_graubard(1.0, 0.0, 50, 30)
    assert interval.high == 1
    assert 0.9 < interval.low < clopper_pearson(50, 50).high


@pytest.mark.parametrize("method", [logit, arcsine])
def test_transformed_intervals_do_not_exist_at_the_ends(method: Callable[..., Interval]) -> None:
    with pytest.raises(ValueError, match="share of 0"):
        method(0.0, 0.1, 5)


def test_the_interval_says_how_it_was_made() -> None:
    interval = wilson(51, 60, 0.9)
    assert (interval.confidence, interval.method) == (0.9, IntervalMethod.WILSON)


def test_confidence_is_95_unless_said() -> None:
    assert wilson(51, 60) == wilson(51, 60, 0.95)


@given(
    n=st.floats(0.5, 1e6),
    share=st.floats(0, 1),
    confidence=st.floats(0.5, 0.999),
)
def test_an_interval_stays_in_range_and_holds_its_rate(
    n: float, share: float, confidence: float
) -> None:
    interval = wilson(share * n, n, confidence)
    assert 0 <= interval.low <= share + 1e-9
    assert share - 1e-9 <= interval.high <= 1


@given(n=st.floats(1, 1e5), share=st.floats(0, 1))
def test_more_people_narrow_it(n: float, share: float) -> None:
    few, many = wilson(share * n, n), wilson(share * n * 4, n * 4)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 10), (11, 10), (0, -1)])
def test_what_is_no_proportion_is_refused(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_a_fraction(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence)


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(intervals).failed == 0
