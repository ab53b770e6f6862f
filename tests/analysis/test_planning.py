import doctest
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis import planning
from analysis.planning import (
    Allocation,
    Expected,
    Town,
    allocate,
    interviews,
    margin,
    reach,
    sample_size,
    sample_size_for_points,
    size_to_detect,
)
from analysis.scoring.rubric import load_bundled
from analysis.scoring.rules import points

ORACLE = json.loads(
    Path(__file__).with_name("oracle").joinpath("binom_expected.json").read_text("utf-8")
)
TOWNSHIP = Expected(0.85, design_effect=1.25, population=20_000)
TOWNS = st.lists(
    st.builds(Town, st.just("镇"), st.integers(1, 30_000), st.floats(0.01, 0.99)),
    min_size=1,
    max_size=31,
)


def suining(rate: Fraction) -> Fraction:
    """Score by the rule of Suining 2022: each percentage point below the target costs a half."""
    rubric = load_bundled("suining-2022-public-health")
    (indicator,) = (one for one in rubric.indicators if one.measure == "satisfaction")
    return points(indicator.rule, rate).value


@pytest.mark.parametrize("case", ORACLE["cochran_sample_size"], ids=str)
def test_sample_sizes_equal_r(case: Mapping[str, Any]) -> None:
    expected = Expected(case["p"], population=case["N"])
    assert interviews(case["moe"], expected) == pytest.approx(case["n"], rel=1e-8)
    assert sample_size(case["moe"], expected) == case["n_ceil"]


@pytest.mark.parametrize("case", ORACLE["power_prop_test"], ids=str)
def test_sizes_that_show_a_rise_equal_r(case: Mapping[str, Any]) -> None:
    found = size_to_detect(case["p1"], case["p2"])
    assert found - 1 < case["n_per_group"] <= found


@pytest.mark.parametrize(("within", "each", "all_towns"), [(0.05, 242, 7502), (0.10, 62, 1922)])
def test_31_townships_need_what_the_simulation_said(
    within: float, each: int, all_towns: int
) -> None:
    assert sample_size(within, TOWNSHIP) == each
    assert 31 * each == all_towns
    assert margin(each, TOWNSHIP) <= within < margin(each - 1, TOWNSHIP)


@pytest.mark.parametrize("answers", [21, 30])
def test_30_people_cannot_carry_a_point_per_percent(answers: int) -> None:
    found = reach(answers, TOWNSHIP, lambda rate: rate * 100)
    assert found.off_by > 12
    assert margin(answers, TOWNSHIP) > 0.14


def test_the_response_is_added_before_rounding() -> None:
    half = Expected(0.85, design_effect=1.25, population=20_000, response=0.5)
    assert interviews(0.05, half) == interviews(0.05, TOWNSHIP)
    assert sample_size(0.10, half) == 123  # 2 * 61.04, not 2 * 62


def test_the_planner_answers_in_points() -> None:
    needed = sample_size_for_points(Fraction(1, 2), TOWNSHIP, suining)
    assert needed is not None
    assert reach(needed, TOWNSHIP, suining).off_by <= Fraction(1, 2)
    assert reach(needed - 1, TOWNSHIP, suining).off_by > Fraction(1, 2)
    half = Expected(0.85, design_effect=1.25, population=20_000, response=0.5)
    assert sample_size_for_points(Fraction(1, 2), half, suining) == 2 * needed


def test_a_rule_that_jumps_at_the_expected_rate_needs_everybody_or_cannot_be_met() -> None:
    def passed(rate: Fraction) -> Fraction:
        return Fraction(5 * (rate >= Fraction(85, 100)))

    endless = Expected(0.85)
    village = Expected(0.85, population=300)
    assert sample_size_for_points(Fraction(1, 2), endless, passed) is None
    assert sample_size_for_points(Fraction(1, 2), village, passed) == 300
    assert reach(300, village, passed).off_by == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"share": 85}, "85 is not between"),
        ({"share": 0.85, "design_effect": 0}, "design effect of 0"),
        ({"share": 0.85, "response": 0}, "response of 0"),
        ({"share": 0.85, "population": 0}, "nobody"),
        ({"share": 0.85, "confidence": 95}, "confidence of 95"),
    ],
)
def test_what_is_no_plan_is_refused(wrong: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Expected(**wrong)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="margin of 0"):
        sample_size(0, TOWNSHIP)
    with pytest.raises(ValueError, match="no answers"):
        margin(0, TOWNSHIP)
    with pytest.raises(ValueError, match="no answers"):
        reach(0, TOWNSHIP, suining)
    with pytest.raises(ValueError, match="only 20000"):
        reach(20_001, TOWNSHIP, suining)
    with pytest.raises(ValueError, match="known to -1"):
        sample_size_for_points(Fraction(-1), TOWNSHIP, suining)
    with pytest.raises(ValueError, match="no people"):
        Town("空镇", 0)
    with pytest.raises(ValueError, match="rate of 1"):
        Town("满镇", 100, 1)
    with pytest.raises(ValueError, match="equal rates"):
        size_to_detect(0.8, 0.8)


@given(
    towns=TOWNS,
    n=st.integers(0, 5000),
    allocation=st.sampled_from(Allocation),
    floor=st.integers(0, 60),
    cap=st.none() | st.integers(0, 400),
)
def test_an_allocation_adds_up_within_floor_and_cap(
    towns: Sequence[Town], n: int, allocation: Allocation, floor: int, cap: int | None
) -> None:
    highs = [min(town.people, 10**9 if cap is None else cap) for town in towns]
    assume(all(floor <= high for high in highs))
    if not floor * len(towns) <= n <= sum(highs):
        with pytest.raises(ValueError, match="is not between"):
            allocate(n, towns, allocation, floor=floor, cap=cap)
        return
    found = allocate(n, towns, allocation, floor=floor, cap=cap)
    assert sum(found) == n
    assert all(floor <= part <= high for part, high in zip(found, highs, strict=True))


def test_each_allocation_leans_as_it_should() -> None:
    towns = [Town("大", 16_000, 0.9), Town("中", 4_000, 0.5), Town("小", 1_000, 0.5)]
    assert allocate(210, towns, Allocation.PROPORTIONAL) == (160, 40, 10)
    assert allocate(210, towns, Allocation.SQUARE_ROOT) == (120, 60, 30)  # as 4 : 2 : 1
    assert allocate(146, towns, Allocation.NEYMAN) == (96, 40, 10)  # sqrt(.09), sqrt(.25) twice


def test_a_town_smaller_than_its_floor_is_named() -> None:
    with pytest.raises(ValueError, match="小镇 cannot have 30"):
        allocate(60, [Town("大镇", 9000), Town("小镇", 20)], Allocation.PROPORTIONAL, floor=30)


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(planning).failed == 0
