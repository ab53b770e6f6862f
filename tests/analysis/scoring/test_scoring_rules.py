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
    Better,
    Checklist,
    Condition,
    ConditionKind,
    Deduct,
    Judged,
    Judgement,
    Part,
    PartialStep,
    Parts,
    PartValue,
    Points,
    Proportional,
    Rounding,
    RoundingMode,
    Rule,
    RuleError,
    Unknown,
    Value,
    full_points,
    points,
    range_of_stated,
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
# 三公经费控制率：≤100%得满分，≥120%得0分，区间内按比例
CONTROL = line("1", "1", zero="1.2", full_at="1")
# 目标值0，每增加0.1个百分点扣0.1分
VIOLATIONS = Deduct(F(2), F(0), F("0.1"), F("0.1"), PartialStep.STARTED, Better.LOW)
# 在职人员控制率≤100%得满分，有超出不得分
STAFF = bands(("1", False, "0"), ("0", True, "1"))
PER_HEAD = Bands((Band(F(5), True, F(12)), Band(F(3), True, F(6)), Band(F(0), True, F(0))), "次")
ALL_OR_NOTHING = Checklist((Part("a", "甲"), Part("b", "乙")), F(1))
CAPPED = Checklist((Part("a", "甲", F(8)), Part("b", "乙", F(4), F("1.5"))), F(10))
VETO = Checklist((Part("a", "甲", F(3)), Part("b", "不存在挪用")))
POT = Checklist((Part("a", "批示"), Part("b", "国家", per_case=F("0.5"))), F(15))
OVERFLOWING = Checklist((Part("a", "甲", F(4)), Part("b", "冒领", F(2), F(1), overflows=True)))
MIXED = Checklist(
    (
        Part(
            "rate", "申领率", rule=bands(("0.8", True, "12"), ("0.6", True, "6"), ("0", True, "0"))
        ),
        Part("heads", "人均核验数", rule=PER_HEAD),
        Part("judged", "整改", rule=Judgement(F(2))),
        Part("tick", "公示", F(4)),
        Part("cases", "缺篇", F(3), F("1.5")),
    )
)
SEEN = Judged(F(1), "评价组", "未全面整改")


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
        (MISSING, Parts({"a": 0, "b": 0}), F("1.5")),
        (MISSING, Parts({"a": 2, "b": 0}), F("1.3")),
        (MISSING, Parts({"a": 9, "b": 1}), F("0.9")),
        (MET, Parts({"a": True, "b": False}), F("0.5")),
        (Judgement(F(45)), Judged(F(42), "评价组", "专项资金使用扣 3"), F(42)),
        (Judgement(F(3), least=F(1)), Judged(F(0), "评价组", "没有创新"), F(0)),
        (Judgement(F(3), least=F(1)), Judged(F(1), "评价组", "一般"), F(1)),
        (CONTROL, F("0.9"), F(1)),
        (CONTROL, F(1), F(1)),
        (CONTROL, F("1.05"), F("0.75")),
        (CONTROL, F("1.2"), F(0)),
        (CONTROL, F("1.3"), F(0)),
        (VIOLATIONS, F(0), F(2)),
        (VIOLATIONS, F("0.0005"), F("1.9")),
        (VIOLATIONS, F("0.0015"), F("1.8")),
        (VIOLATIONS, F("0.5"), F(0)),
        (STAFF, F(1), F(1)),
        (STAFF, F("1.0001"), F(0)),
        (PER_HEAD, F(5), F(12)),
        (PER_HEAD, F("4.99"), F(6)),
        (ALL_OR_NOTHING, Parts({"a": True, "b": True}), F(1)),
        (ALL_OR_NOTHING, Parts({"a": True, "b": False}), F(0)),
        (CAPPED, Parts({"a": True, "b": 0}), F(10)),
        (CAPPED, Parts({"a": True, "b": 2}), F(9)),
        (CAPPED, Parts({"a": False, "b": 9}), F(0)),
        (VETO, Parts({"a": True, "b": True}), F(3)),
        (VETO, Parts({"a": True, "b": False}), F(0)),
        (POT, Parts({"a": True, "b": 0}), F(15)),
        (POT, Parts({"a": True, "b": 3}), F("13.5")),
        (POT, Parts({"a": True, "b": 99}), F(0)),
        (POT, Parts({"a": False, "b": 0}), F(0)),
        (OVERFLOWING, Parts({"a": True, "b": 2}), F(4)),
        (OVERFLOWING, Parts({"a": True, "b": 5}), F(4)),
        (
            MIXED,
            Parts({"rate": F("0.7"), "heads": F("5.2"), "judged": SEEN, "tick": True, "cases": 1}),
            F("24.5"),
        ),
    ],
)
def test_a_rule_gives_exact_points(rule: Rule, value: Value, expected: F) -> None:
    assert points(rule, value).value == expected


@pytest.mark.parametrize(
    ("rule", "value", "reason"),
    [
        (Unknown("标准错行"), F(1), "标准错行"),
        (SATISFACTION, Parts({}), "率或比值"),
        (SATISFACTION, F(-1), "不能小于 0"),
        (REPORTED, F(-1), "不能小于 0"),
        (MISSING, Parts({"a": True, "b": True}), "缺失数"),
        (MET, Parts({"a": 0, "b": 0}), "是否做到"),
        (MET, F(1), "各项的情况"),
        (MIXED, Parts(dict.fromkeys(("rate", "heads", "judged", "tick", "cases"), 1)), "率或比值"),
        (
            MIXED,
            Parts({"rate": F(1), "heads": F(1), "judged": F(1), "tick": True, "cases": 1}),
            "由人评定",
        ),
        (Judgement(F(3), least=F(1)), Judged(F("0.5"), "评价组", "理由"), "下限"),
        (MET, Parts({"a": True}), "缺少“乙”"),
        (MET, Parts({"a": True, "b": True, "c": True}), "没有 c"),
        (MISSING, Parts({"a": -1, "b": 0}), "不能小于 0"),
        (Judgement(F(45)), F(1), "由人评定"),
        (Judgement(F(45)), Judged(F(42), "评价组", " "), "理由"),
        (Judgement(F(45)), Judged(F(42), "", "理由"), "评定人"),
        (Judgement(F(45)), Judged(F(46), "评价组", "理由"), "超出"),
        (Judgement(F(45)), Judged(F(-1), "评价组", "理由"), "超出"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(rule: Rule, value: Value, reason: str) -> None:
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


def test_what_a_part_loses_beyond_its_points_overflows() -> None:
    scored = points(OVERFLOWING, Parts({"a": True, "b": 5}))
    assert (scored.value, scored.overflow) == (F(4), F(3))
    assert points(OVERFLOWING, Parts({"a": True, "b": 2})).overflow == 0
    assert under_conditions(scored, F(6), (NO_BASE,), {"no_base": True}).overflow == 3


@pytest.mark.parametrize(
    ("rule", "stated", "at_least", "fewest", "most"),
    [
        (MET, {}, False, "0", "2"),
        (MET, {"a": False}, False, "0", "1.5"),
        (MET, {"b": True}, False, "1.5", "2"),
        (MISSING, {"a": 2, "b": 1}, False, "1.2", "1.2"),
        (MISSING, {"a": 2, "b": 0}, True, "1", "1.3"),
        (VETO, {"a": True}, False, "0", "3"),
        (POT, {"b": 2}, False, "0", "14"),
        (CAPPED, {"b": 0}, False, "4", "10"),
        (MIXED, {"rate": F("0.7"), "judged": SEEN}, False, "7", "26"),
    ],
)
def test_a_statement_about_some_parts_allows_a_range(
    rule: Checklist, stated: dict[str, PartValue], at_least: bool, fewest: str, most: str
) -> None:
    assert range_of_stated(rule, stated, at_least=at_least) == (F(fewest), F(most))


FALLING: list[Rule] = [
    CONTROL,
    VIOLATIONS,
    STAFF,
    *(Deduct(F(3), F("0.5"), F("0.1"), F(1), step, Better.LOW) for step in PartialStep),
]
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


@pytest.mark.parametrize("rule", FALLING)
@given(one=st.fractions(0, 2, max_denominator=2000), other=st.fractions(0, 2, max_denominator=2000))
def test_where_less_is_better_points_never_rise_with_the_rate(rule: Rule, one: F, other: F) -> None:
    low, high = sorted((one, other))
    full = full_points(rule)
    assert full is not None
    assert full >= points(rule, low).value >= points(rule, high).value >= 0


@given(rate=st.fractions(F("0.80"), 1, max_denominator=2000))
def test_whole_steps_deduct_whole_steps_and_started_ones_at_most_one_more(rate: F) -> None:
    given_points = {kind: points(deduct(kind), rate).value for kind in PartialStep}
    whole, started = given_points[PartialStep.WHOLE], given_points[PartialStep.STARTED]
    assert ((8 - whole) / F("0.5")).denominator == 1
    assert whole >= given_points[PartialStep.PROPORTIONAL] >= started >= whole - F("0.5")


@given(cases=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_checklist_never_goes_below_zero(cases: tuple[int, int]) -> None:
    assert 0 <= points(MISSING, Parts({"a": cases[0], "b": cases[1]})).value <= F("1.5")


LISTS = [MISSING, CAPPED, POT, OVERFLOWING, VETO, ALL_OR_NOTHING]


@pytest.mark.parametrize("rule", LISTS)
@given(counts=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_list_stays_between_zero_and_full_and_never_rises_with_the_cases(
    rule: Checklist, counts: tuple[int, int]
) -> None:
    def value(more: int) -> F:
        found: dict[str, PartValue] = {
            part.id: count + more if part.per_case else count % 2 == 0
            for part, count in zip(rule.parts, counts, strict=True)
        }
        return points(rule, Parts(found)).value

    assert 0 <= value(1) <= value(0) <= rule.full


@given(rate=st.fractions(0, 1, max_denominator=500), least=st.booleans())
def test_a_list_is_within_what_a_statement_of_its_parts_allows(rate: F, least: bool) -> None:
    found: dict[str, PartValue] = {
        "rate": rate,
        "heads": rate * 8,
        "judged": SEEN,
        "tick": least,
        "cases": 1,
    }
    earned = points(MIXED, Parts(found)).value
    for told, value in found.items():
        fewest, most = range_of_stated(MIXED, {told: value}, at_least=least)
        assert fewest <= earned <= most


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
