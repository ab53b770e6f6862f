import doctest
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import response_rates as module
from analysis.response_rates import Dispositions, estimated_eligibility, response_rates

ORACLE = json.loads(Path(__file__).with_name("oracle").joinpath("aapor.json").read_text("utf-8"))
NAMES = {
    "I": "complete",
    "P": "partial",
    "R": "refused",
    "NC": "no_contact",
    "O": "other",
    "UH": "unknown_household",
    "UO": "unknown_other",
    "NE": "not_eligible",
}
RATES = [f"RR{number}" for number in range(1, 7)]
counts = st.integers(0, 10_000)
dispositions = st.builds(Dispositions, *[counts] * 8)


def of(case: dict[str, int]) -> Dispositions:
    return Dispositions(**{NAMES[letter]: count for letter, count in case.items()})


@pytest.mark.parametrize("name", RATES)
def test_rates_equal_those_of_outcomerate(name: str) -> None:
    rates = response_rates(of(ORACLE["case"]), Fraction(str(ORACLE["e"])))
    assert float(rates[name] or 0) == pytest.approx(ORACLE["expected_3dp"][name], abs=5e-4)


@pytest.mark.parametrize("name", RATES)
def test_rates_equal_those_of_responserates(name: str) -> None:
    rates = response_rates(of(ORACLE["second"]["case"]))
    expected = ORACLE["second"]["expected_pct_1dp"][name]
    assert float(100 * (rates[name] or 0)) == pytest.approx(expected, abs=0.05)


def test_eligibility_is_estimated_from_those_known() -> None:
    case = of(ORACLE["case"])
    assert estimated_eligibility(case) == Fraction(9, 10)
    assert response_rates(case) == response_rates(case, Fraction(9, 10))


def test_nothing_asked_is_not_0() -> None:
    assert set(response_rates(Dispositions()).values()) == {None}
    assert estimated_eligibility(Dispositions(unknown_other=5)) is None


def test_nobody_who_answered_is_0_of_those_asked() -> None:
    rates = response_rates(Dispositions(unknown_other=5))
    assert [rates["RR1"], rates["RR3"], rates["RR5"]] == [Fraction(0), None, None]


@given(dispositions, st.fractions(0, 1))
def test_rates_are_shares_and_grow_as_they_are_told_to(
    found: Dispositions, eligibility: Fraction
) -> None:
    rates = response_rates(found, eligibility)
    known = [rate for rate in rates.values() if rate is not None]
    assert all(0 <= rate <= 1 for rate in known)
    for odd, even in (("RR1", "RR2"), ("RR3", "RR4"), ("RR5", "RR6")):
        assert (rates[odd] or 0) <= (rates[even] or 0)
    if rates["RR5"] is not None:
        assert (rates["RR1"] or 0) <= (rates["RR3"] or 0) <= rates["RR5"]


@pytest.mark.parametrize("eligibility", [Fraction(-1, 2), Fraction(3, 2)])
def test_what_is_no_share_is_refused(eligibility: Fraction) -> None:
    with pytest.raises(ValueError, match="no share"):
        response_rates(Dispositions(complete=1), eligibility)


def test_a_count_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match="below 0"):
        response_rates(Dispositions(complete=-1))


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0
