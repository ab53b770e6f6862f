"""Each kind of rule by a table of cases, and what holds for all values."""

import doctest
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.scoring import rules
from analysis.scoring.rules import (
    Band,
    Bands,
    Checklist,
    Condition,
    ConditionKind,
    Counts,
    Deduct,
    Judged,
    Judgement,
    Part,
    PartialStep,
    Points,
    Proportional,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Ticks,
    Unknown,
    full_points,
    points,
    under_conditions,
)

F = Fraction
SHARES = st.fractions(min_value=0, max_value=1, max_denominator=2000)


def line(full: str, target: str, **more: str) -> Proportional:
    return Proportional(
        F(full),
        F(target),
        zero=F(more.get("zero", "0")),
        full_at=F(more.get("full_at", target)),
        cutoff=F(more["cutoff"]) if "cutoff" in more else None,
        cutoff_inclusive="inclusive" in more,
    )


def deduct(partial_step: PartialStep = PartialStep.PROPORTIONAL) -> Deduct:
    return Deduct(F(8), F("0.95"), F("0.5"), F(1), partial_step)


def bands(*rows: tuple[str, bool, str]) -> Bands:
    return Bands(tuple(Band(F(lower), inclusive, F(given)) for lower, inclusive, given in rows))


SATISFACTION = line("10", "0.80", cutoff="0.60")
EARLY = line("1", "0.90", full_at="0.85")
HYPERTENSION = line("2", "1", zero="0.60", full_at="1", cutoff="0.65")
DIABETES = line("2", "1", zero="0.65", full_at="1.05", cutoff="0.65")
REPORTED = bands(("1", True, "2"), ("0.95", True, "1"), ("0", True, "0"))
OPEN = bands(("0.9", False, "2"), ("0", True, "0"))
MISSING = Checklist((Part("a", "甲", F("0.5"), F("0.1")), Part("b", "乙", F(1), F("0.1"))))
MET = Checklist((Part("a", "甲", F("0.5")), Part("b", "乙", F("1.5"))))


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (line("8", "0.80"), F(91, 103), F(8)),
        (line("5", "0.80"), F(73, 103), F(5) * F(73, 103) / F("0.80")),
        (line("5", "0.80"), F("0.80"), F(5)),
        (line("5", "0.80"), F(0), F(0)),
        (SATISFACTION, F("0.60"), F("7.5")),
        (SATISFACTION, F("0.5999"), F(0)),
        (line("4", "1", cutoff="0.95", inclusive="yes"), F("0.95"), F(0)),
        (line("4", "1", cutoff="0.95", inclusive="yes"), F("0.96"), F("3.84")),
        (EARLY, F("0.34"), F("0.4")),
        (EARLY, F("0.89"), F(1)),
        (HYPERTENSION, F(1), F(2)),
        (HYPERTENSION, F("0.80"), F(1)),
        (HYPERTENSION, F("0.65"), F("0.25")),
        (HYPERTENSION, F("0.6499"), F(0)),
        (line("2", "1", zero="0.60"), F("0.5"), F(0)),
        (DIABETES, F("1.01"), F(2)),
        (DIABETES, F("0.85"), F(1)),
        (deduct(), F("0.88"), F("4.5")),
        (deduct(), F("0.95"), F(8)),
        (deduct(), F("0.9450"), F("7.75")),
        (deduct(PartialStep.WHOLE), F("0.9450"), F(8)),
        (deduct(PartialStep.WHOLE), F("0.9300"), F(7)),
        (deduct(PartialStep.STARTED), F("0.9450"), F("7.5")),
        (deduct(PartialStep.STARTED), F("0.9300"), F(7)),
        (deduct(), F("0.10"), F(0)),
        (deduct(), F("0.79"), F(0)),
        (REPORTED, F(1), F(2)),
        (REPORTED, F("0.9999"), F(1)),
        (REPORTED, F("0.95"), F(1)),
        (REPORTED, F(0), F(0)),
        (OPEN, F("0.9"), F(0)),
        (OPEN, F("0.9001"), F(2)),
        (MISSING, Counts({"a": 0, "b": 0}), F("1.5")),
        (MISSING, Counts({"a": 2, "b": 0}), F("1.3")),
        (MISSING, Counts({"a": 9, "b": 1}), F("0.9")),
        (MET, Ticks({"a": True, "b": False}), F("0.5")),
        (Judgement(F(45)), Judged(F(42), "评价组", "专项资金使用扣 3"), F(42)),
    ],
)
def test_a_rule_gives_exact_points(
    rule: Rule, value: F | Counts | Ticks | Judged, expected: F
) -> None:
    assert points(rule, value).value == expected


@pytest.mark.parametrize(
    ("rule", "value", "reason"),
    [
        (Unknown("标准错行"), F(1), "标准错行"),
        (SATISFACTION, Counts({}), "率或比值"),
        (SATISFACTION, F(-1), "不能小于 0"),
        (REPORTED, F(-1), "不能小于 0"),
        (MISSING, Ticks({"a": True, "b": True}), "缺失数"),
        (MET, Counts({"a": 0, "b": 0}), "是否做到"),
        (MET, F(1), "是否做到"),
        (MET, Ticks({"a": True}), "缺少“乙”"),
        (MET, Ticks({"a": True, "b": True, "c": True}), "没有 c"),
        (MISSING, Counts({"a": -1, "b": 0}), "不能小于 0"),
        (Judgement(F(45)), F(1), "由人评定"),
        (Judgement(F(45)), Judged(F(42), "评价组", " "), "理由"),
        (Judgement(F(45)), Judged(F(42), "", "理由"), "评定人"),
        (Judgement(F(45)), Judged(F(46), "评价组", "理由"), "超出"),
        (Judgement(F(45)), Judged(F(-1), "评价组", "理由"), "超出"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    rule: Rule, value: F | Counts | Ticks | Judged, reason: str
) -> None:
    with pytest.raises(RuleError, match=reason):
        points(rule, value)


UNTRUE = Condition("untrue", "不真实档案", ConditionKind.COUNT, zero_from=4, each=F("0.5"))
NO_BASE = Condition("no_base", "不能提供人数", ConditionKind.TICK, zero_from=1)


@pytest.mark.parametrize(
    ("before", "facts", "after"),
    [
        ("1.6", {}, "1.6"),
        ("1.6", {"untrue": 0, "no_base": False}, "1.6"),
        ("1.6", {"untrue": 2}, "0.6"),
        ("0.4", {"untrue": 2}, "0"),
        ("2", {"untrue": 3}, "2"),
        ("2", {"untrue": 4}, "0"),
        ("2", {"no_base": True}, "0"),
    ],
)
def test_conditions_cost_points(before: str, facts: dict[str, int], after: str) -> None:
    scored = under_conditions(Points(F(before), ()), F(2), (UNTRUE, NO_BASE), facts)
    assert scored.value == F(after)
    assert len(scored.steps) == (before != after)


RATE_RULES: list[Rule] = [
    SATISFACTION,
    EARLY,
    HYPERTENSION,
    DIABETES,
    REPORTED,
    OPEN,
    *(deduct(partial_step) for partial_step in PartialStep),
]


@pytest.mark.parametrize("rule", RATE_RULES)
@given(one=SHARES, other=SHARES)
def test_points_lie_between_zero_and_full_and_never_fall_when_the_rate_rises(
    rule: Rule, one: F, other: F
) -> None:
    low, high = sorted((one, other))
    full = full_points(rule)
    assert full is not None
    assert 0 <= points(rule, low).value <= points(rule, high).value <= full


@given(rate=st.fractions(F("0.80"), 1, max_denominator=2000))
def test_whole_steps_deduct_whole_steps_and_started_ones_at_most_one_more(rate: F) -> None:
    given_points = {kind: points(deduct(kind), rate).value for kind in PartialStep}
    whole, started = given_points[PartialStep.WHOLE], given_points[PartialStep.STARTED]
    assert ((8 - whole) / F("0.5")).denominator == 1
    assert whole >= given_points[PartialStep.PROPORTIONAL] >= started >= whole - F("0.5")


@given(cases=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_checklist_never_goes_below_zero(cases: tuple[int, int]) -> None:
    assert 0 <= points(MISSING, Counts({"a": cases[0], "b": cases[1]})).value <= F("1.5")


def test_the_examples_in_the_docstrings_run() -> None:
    results = [doctest.testmod(module) for module in (rules, sys.modules["analysis.scoring.audit"])]
    assert [(result.failed, result.attempted) for result in results] == [(0, 2), (0, 1)]


def test_the_points_of_unknown_criteria_are_unknown() -> None:
    assert full_points(Unknown("错行")) is None


@pytest.mark.parametrize(
    ("mode", "exact", "shown"),
    [
        ("down", "2.6352", "2.63"),
        ("down", "4.4296", "4.42"),
        ("down", "1.7355", "1.73"),
        ("half_up", "1.7355", "1.74"),
        ("half_up", "0.125", "0.13"),
        ("half_even", "0.125", "0.12"),
        ("half_even", "0.375", "0.38"),
        ("down", "8", "8.00"),
    ],
)
def test_shown_points_follow_the_mode(mode: str, exact: str, shown: str) -> None:
    assert str(Rounding(RoundingMode(mode), 2).show(F(exact))) == shown


@given(exact=st.fractions(min_value=0, max_value=100), places=st.integers(0, 4))
def test_half_up_is_never_less_than_down_and_both_are_near(exact: F, places: int) -> None:
    down = F(Rounding(RoundingMode.DOWN, places).show(exact))
    half_up = F(Rounding(RoundingMode.HALF_UP, places).show(exact))
    unit = F(1, 10**places)
    assert down <= exact < down + unit
    assert half_up - unit / 2 <= exact < half_up + unit / 2
    assert half_up in (down, down + unit)


def test_a_rate_is_rounded_first_only_where_the_rubric_says_so() -> None:
    exact = Rounding(RoundingMode.DOWN, 2)
    first = Rounding(RoundingMode.DOWN, 2, round_rate_first=2)
    assert exact.enter(F(82, 103)) == F(82, 103)
    assert first.enter(F(82, 103)) == F(Decimal("0.7961"))
