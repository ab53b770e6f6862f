"""What a sample leaves open: intervals of points and totals, the next step, more interviews."""

import doctest
import json
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis import planning
from analysis.intervals import korn_graubard, wilson
from analysis.scoring import sampling
from analysis.scoring.feed import Content, Interval, Measurement, Parts, Rate, Ratio
from analysis.scoring.rubric import Rubric, load_bundled, parse
from analysis.scoring.rules import Rule, points, rises
from analysis.scoring.score import Range, ScoreSheet, score
from analysis.scoring.uncertainty import Outlook, Settling, sheet_dict, uncertainty
from tests.analysis.scoring.test_scoring_rules import FALLING, RATE_RULES

RESIDENTS = load_bundled("public-health-2021")
SUINING = load_bundled("suining-2022-public-health")
CITY = load_bundled("beian-2020-city-management")

HEAD = """
id = "three"
title = "三项"
scope = "complete"
full_marks = "20"
source = { document = "文件", place = "附件" }
rounding = { mode = "half_up", places = 2 }
grades = [
  { name = "优", lower = "18", lower_inclusive = true },
  { name = "良", lower = "15", lower_inclusive = true, upper = "18", upper_inclusive = false },
  { name = "中", lower = "0", lower_inclusive = true, upper = "14", upper_inclusive = true },
]
"""
ONE = """
[[indicators]]
code = "{code}"
name = "{name}"
weight = "{full}"
{role}
criteria = "达到90%得满分，每低1个百分点扣0.2分"
[indicators.rule]
kind = "deduct"
full = "{full}"
target = "0.9"
per_step = "0.2"
step = "1"
partial_step = "proportional"
"""


def indicator(code: str, name: str = "满意度", full: str = "10", role: str = "") -> str:
    return ONE.format(code=code, name=name, full=full, role=role)


PAIR = parse(HEAD + indicator("1") + indicator("2", "知晓率"), "两项")


def rate(hits: int, n: int, survey: str = "7", design_effect: float = 1.0) -> Rate:
    found = wilson(hits / design_effect, n / design_effect)
    low, high = (Decimal(f"{end:.12f}") for end in (found.low, found.high))
    interval = Interval(low, high, "wilson", Decimal("0.95"))
    return Rate(hits, n, Fraction(hits, n), "满意人数占比", interval, survey=survey)


def sheet_of(rubric: Rubric, **contents: Content) -> ScoreSheet:
    return score(rubric, [Measurement(code.strip("_"), each) for code, each in contents.items()])


def outlook(rubric: Rubric, code: str, content: Content) -> Outlook:
    return uncertainty(score(rubric, [Measurement(code, content)])).by_code[code]


def sampled(sheet: ScoreSheet) -> tuple[str, str]:
    assert sheet.total is not None
    assert sheet.total.sampled is not None
    return str(sheet.total.sampled.low), str(sheet.total.sampled.high)


# The interval of points


@pytest.mark.parametrize(
    ("rubric", "hits", "n", "shown", "low", "high"),
    [(RESIDENTS, 51, 60, "4.00", "1.78", "5.00"), (SUINING, 88, 100, "4.50", "0.59", "7.00")],
)
def test_the_examples_of_the_documents(
    rubric: Rubric, hits: int, n: int, shown: str, low: str, high: str
) -> None:
    line = sheet_of(rubric, satisfaction=rate(hits, n)).line("satisfaction")
    assert (str(line.shown), line.interval) == (shown, Range(Decimal(low), Decimal(high)))


def extremes(rule: Rule, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Look at the ends, and at and beside every hundredth and thousandth between them."""
    grid = [Fraction(each, 1000) for each in range(floor(low * 1000), ceil(high * 1000) + 1)]
    beside = Fraction(1, 10**9)
    looked = [low, high, *(each + move for each in grid for move in (-beside, 0, beside))]
    found = [points(rule, each).value for each in looked if low <= each <= high]
    return min(found), max(found)


@pytest.mark.parametrize("rule", [*RATE_RULES, *FALLING])
@given(ends=st.tuples(*[st.fractions(0, 1, max_denominator=300)] * 2))
def test_no_point_of_an_interval_earns_more_or_less_than_its_ends(
    rule: Rule, ends: tuple[Fraction, Fraction]
) -> None:
    low, high = min(ends), max(ends)
    assume(high - low < Fraction(1, 5))
    worst, best = (low, high) if rises(rule) else (high, low)
    assert extremes(rule, low, high) == (points(rule, worst).value, points(rule, best).value)


BOTH_WAYS = parse(
    HEAD
    + """
[[indicators]]
code = "1"
name = "两头"
weight = "10"
criteria = "好评多、投诉少"
[indicators.rule]
kind = "checklist"
full = "9"
[[indicators.rule.parts]]
id = "praise"
name = "好评率"
rule = { kind = "proportional", full = "5", target = "1" }
[[indicators.rule.parts]]
id = "complaint"
name = "投诉率"
[indicators.rule.parts.rule]
kind = "deduct"
full = "5"
target = "0.1"
per_step = "1"
step = "1"
partial_step = "whole"
better = "low"
""",
    "两头",
)


@given(
    praise=st.integers(0, 60),
    complaint=st.integers(0, 60),
    shares=st.tuples(st.fractions(0, 1), st.fractions(0, 1)),
)
def test_parts_in_both_directions_reach_their_extremes_and_not_more(
    praise: int, complaint: int, shares: tuple[Fraction, Fraction]
) -> None:
    found = {"praise": rate(praise, 60), "complaint": rate(complaint, 60)}
    line = score(BOTH_WAYS, [Measurement("1", Parts(found))]).line("1")
    assert line.interval is not None
    assert line.shown is not None
    assert line.interval.low <= line.shown <= line.interval.high

    def at(values: Sequence[Fraction]) -> Decimal:
        moved = {name: Rate(1, 1, value, "d") for name, value in zip(found, values, strict=True)}
        return score(BOTH_WAYS, [Measurement("1", Parts(moved))]).line("1").shown or Decimal(0)

    ends = [
        (Fraction(each.interval.low), Fraction(each.interval.high))
        for each in found.values()
        if each.interval
    ]
    inside = [low + share * (high - low) for (low, high), share in zip(ends, shares, strict=True)]
    assert line.interval.low <= at(inside) <= line.interval.high
    corners = [at((one, other)) for one in ends[0] for other in ends[1]]
    assert line.interval == Range(min(corners), max(corners))


@given(hits=st.integers(0, 60), n=st.integers(60, 200), effect=st.floats(1, 4))
def test_a_wider_interval_of_the_rate_never_narrows_the_points(
    hits: int, n: int, effect: float
) -> None:
    near, wide = (
        sheet_of(RESIDENTS, satisfaction=rate(hits, n, design_effect=each)).line("satisfaction")
        for each in (1.0, effect)
    )
    assert near.interval is not None
    assert wide.interval is not None
    assert near.shown is not None
    assert wide.interval.low <= near.interval.low <= near.shown
    assert near.shown <= near.interval.high <= wide.interval.high


def test_the_points_of_a_rate_outside_its_weighted_interval_are_in_the_range() -> None:
    weighted = Interval(Decimal("0.86"), Decimal("0.88"), "korn_graubard", Decimal("0.95"))
    found = Rate(90, 100, Fraction(9, 10), "d", weighted)
    line = sheet_of(RESIDENTS, satisfaction=found).line("satisfaction")
    assert line.interval == Range(Decimal("4.20"), Decimal("5.00"))


def test_every_other_reading_has_its_own_interval() -> None:
    line = sheet_of(RESIDENTS, satisfaction=rate(51, 60)).line("satisfaction")
    assert [(each.reading, str(each.shown), each.interval) for each in line.alternatives] == [
        ("不足一步不扣", "4.00", Range(Decimal("1.80"), Decimal("5.00"))),
        ("不足一步按一步扣", "4.00", Range(Decimal("1.60"), Decimal("5.00"))),
    ]


# The total


def test_rates_of_one_survey_move_together() -> None:
    sheet = sheet_of(PAIR, _1=rate(80, 100), _2=rate(70, 100))
    ends = [line.interval for line in sheet.lines if line.interval]
    low, high = sum(each.low for each in ends), sum(each.high for each in ends)
    assert sampled(sheet) == (str(low), str(high))
    assert sheet.total is not None
    assert sheet.total.surveys == 1


def test_rates_of_two_surveys_are_joined_as_independent() -> None:
    one, other = rate(80, 100, "7"), rate(70, 100, "8")
    sheet = sheet_of(PAIR, _1=one, _2=other)
    assert [
        (str(line.interval.low), str(line.interval.high)) for line in sheet.lines if line.interval
    ] == [
        ("6.22", "9.33"),
        ("4.08", "7.62"),
    ]
    # 14.00 less the root of 1.78² + 1.92², and more by the root of 1.33² + 1.62²
    assert sampled(sheet) == ("11.38", "16.10")
    assert sheet.total is not None
    assert sheet.total.surveys == 2


@pytest.mark.parametrize("survey", ["", "7"])
def test_a_rate_that_names_no_survey_may_be_of_any(survey: str) -> None:
    sheet = sheet_of(PAIR, _1=rate(80, 100, survey), _2=rate(70, 100, ""))
    assert sampled(sheet) == ("10.30", "16.95")


def test_the_cap_of_bonuses_holds_in_the_interval_of_the_total() -> None:
    capped = parse(
        HEAD.replace("grades", 'adjustments = { most_bonus = "1" }\ngrades')
        + indicator("1")
        + indicator("2", full="5", role='role = "bonus"'),
        "加分",
    )
    sheet = sheet_of(capped, _1=Ratio(Decimal("0.8")), _2=rate(80, 100))
    assert str(sheet.line("2").shown) == "3.00"
    assert sampled(sheet) == ("9.00", "9.00")


@given(
    counts=st.tuples(*[st.integers(0, 50)] * 2),
    surveys=st.tuples(*[st.sampled_from(["a", "b", ""])] * 2),
)
def test_the_interval_of_a_total_lies_between_its_points_and_all_ends(
    counts: tuple[int, int], surveys: tuple[str, str]
) -> None:
    one, other = (rate(each, 50, survey) for each, survey in zip(counts, surveys, strict=True))
    sheet = sheet_of(PAIR, _1=one, _2=other)
    assert sheet.total is not None
    assert sheet.total.sampled is not None
    ends = [line.interval for line in sheet.lines if line.interval]
    found, low, high = sheet.total.sampled, sheet.total.points.low, sheet.total.points.high
    assert sum(each.low for each in ends) <= found.low <= low
    assert high <= found.high <= sum(each.high for each in ends)
    assert found.low <= low - max(
        line.shown - line.interval.low
        for line in sheet.lines
        if line.shown is not None and line.interval
    )


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        (["3.00", "4.00"], "5.00"),
        (["0.01", "0.01"], "0.02"),
        (["1.00"], "1.00"),
        (["0.0", "0.0"], "0.0"),
    ],
)
def test_independent_steps_are_joined_by_the_root_of_their_squares_rounded_up(
    steps: list[str], reached: str
) -> None:
    assert str(sampling.together([Decimal(step) for step in steps])) == reached


# The next step


def test_one_more_person_who_is_not_satisfied() -> None:
    found = outlook(RESIDENTS, "satisfaction", rate(51, 60))
    assert [(each.people, each.numerator, str(each.points)) for each in found.shifts] == [
        (-1, 50, "3.67"),
        (1, 52, "4.33"),
    ]
    assert found.sentences[:2] == (
        "再多 1 人不满意（50/60），得分变为 3.67 分",
        "再多 1 人满意（52/60），得分变为 4.33 分",
    )


@pytest.mark.parametrize(
    ("hits", "sentences"),
    [
        (
            85,
            (
                "再多 1 人不满意，得分不变；再多 6 人不满意（79/100），得分变为 3.00 分",
                "再多 1 人满意，得分不变；再多 5 人满意（90/100），得分变为 5.00 分",
            ),
        ),
        (
            80,
            (
                "再多 1 人不满意（79/100），得分变为 3.00 分",
                "再多 1 人满意，得分不变；再多 10 人满意（90/100），得分变为 5.00 分",
            ),
        ),
        (
            100,
            ("再多 1 人不满意，得分不变；再多 11 人不满意（89/100），得分变为 4.00 分",),
        ),
        (
            95,
            (
                "再多 1 人不满意，得分不变；再多 6 人不满意（89/100），得分变为 4.00 分",
                "不论再多几人满意，得分都不变",
            ),
        ),
    ],
)
def test_the_first_people_who_reach_another_band(hits: int, sentences: tuple[str, ...]) -> None:
    assert outlook(CITY, "C22", rate(hits, 100)).sentences[:-1] == sentences


def test_the_first_people_who_change_the_grade() -> None:
    found = uncertainty(sheet_of(PAIR, _1=rate(80, 100), _2=Ratio(Decimal("0.87"))))
    (only,) = found.outlooks
    assert [(each.people, str(each.points), each.grades) for each in only.shifts] == [
        (-13, "5.40", ("无法定级",)),
        (-1, "7.80", ("良",)),
        (1, "8.20", ("良",)),
        (3, "8.60", ("优",)),
    ]
    assert "再多 3 人满意（83/100），等级变为“优”" in only.sentences


def test_a_gap_of_the_scale_is_a_grade_that_may_be_reached() -> None:
    sheet = sheet_of(PAIR, _1=rate(70, 100), _2=Ratio(Decimal("0.87")))
    assert sheet.grade is not None
    assert sheet.grade.possible == ("良",)
    shifts = uncertainty(sheet).by_code["1"].shifts
    assert (shifts[0].people, shifts[0].grades) == (-3, ("无法定级",))


@given(hits=st.integers(0, 40), other=st.integers(0, 100))
def test_the_first_change_is_the_first(hits: int, other: int) -> None:
    sheet = sheet_of(PAIR, _1=rate(hits, 40), _2=Ratio(Decimal(other) / 100))
    now = sheet.grade
    assert now is not None
    changed = [
        people
        for people in range(1, 41 - hits)
        if (
            moved := sheet_of(
                PAIR, _1=rate(hits + people, 40), _2=Ratio(Decimal(other) / 100)
            ).grade
        )
        and moved.possible != now.possible
    ]
    shifts = uncertainty(sheet).by_code["1"].shifts
    found = [each.people for each in shifts if each.people > 0 and each.grades != now.possible]
    assert found[:1] == changed[:1]


def test_a_mean_of_rates_is_not_counted_in_people() -> None:
    found = outlook(RESIDENTS, "satisfaction", Rate(150, 180, Fraction(5, 7), "d", respondents=60))
    assert found.shifts == ()
    assert found.sentences[0].startswith("这个率由几道题平均、折算或加权得出")


def test_a_list_of_parts_is_settled_by_interviews_but_not_counted_in_people() -> None:
    found = {"praise": rate(48, 60), "complaint": rate(3, 60)}
    several = outlook(BOTH_WAYS, "1", Parts(found))
    assert several.sentences[0] == "得分由清单的几个部分合成，不逐人推算"
    assert several.settling.more


def test_answers_of_the_same_people_are_not_called_people() -> None:
    found = outlook(
        RESIDENTS, "satisfaction", Rate(153, 180, Fraction(17, 20), "d", respondents=60)
    )
    assert found.sentences[0] == "再多 1 次回答不满意（152/180），得分变为 3.89 分"


def test_other_indicators_are_named_by_what_they_count() -> None:
    found = uncertainty(sheet_of(PAIR, _2=rate(80, 100)))
    assert found.outlooks[0].sentences[0].startswith("再多 1 人不知晓")
    complaints = outlook(CITY, "B31", rate(100, 100)).sentences
    assert complaints[0] == "不论分子再少几人，得分都不变"


# More interviews


@pytest.mark.parametrize(
    ("hits", "n", "effect"), [(51, 60, 1.0), (51, 60, 2.0), (45, 50, 1.0), (87, 120, 1.4)]
)
def test_more_interviews_are_those_that_the_planner_names(hits: int, n: int, effect: float) -> None:
    """The planner of `analysis` is an independent path: floats, and a search of its own."""
    rule = RESIDENTS.indicator("satisfaction").rule
    found = outlook(RESIDENTS, "satisfaction", rate(hits, n, design_effect=effect))
    expected = planning.Expected(hits / n, design_effect=effect)
    wanted = planning.sample_size_for_points(
        Fraction(1, 2), expected, lambda share: points(rule, share).value
    )
    assert wanted is not None
    assert found.settling.more is not None
    # The sheet rounds its points to 0.01, the planner does not.
    assert abs(n + found.settling.more - wanted) <= 0.02 * wanted


def test_what_is_known_closely_enough_needs_no_more() -> None:
    found = outlook(RESIDENTS, "satisfaction", rate(5800, 6000))
    assert found.settling == Settling(0, "")
    assert found.sentences[-1] == "得分已知到 ±0.5 分以内，不必增加访问"


def test_a_rate_at_a_step_is_not_settled_by_interviews() -> None:
    found = outlook(CITY, "C22", rate(80, 100))
    assert found.settling.more is None
    assert found.sentences[-1].endswith("测量值正在得分跳变处，无法只靠增加访问解决")


def test_a_self_selected_sample_says_why_there_is_no_number() -> None:
    note = "自愿参与样本，不能推断抽样误差"
    found = outlook(RESIDENTS, "satisfaction", Rate(51, 60, Fraction(17, 20), "d", None, note))
    assert found.settling == Settling(None, note)
    assert found.sentences[-1] == f"能否确定到 ±0.5 分：{note}"


@pytest.mark.parametrize(("low", "confidence"), [("0", "0.95"), ("0.8", "1"), ("0.8", "95")])
def test_an_interval_that_cannot_be_read_back_gives_no_number(low: str, confidence: str) -> None:
    interval = Interval(Decimal(low), Decimal(1), "own", Decimal(confidence))
    found = outlook(RESIDENTS, "satisfaction", Rate(51, 60, Fraction(17, 20), "d", interval))
    assert found.settling.more is None
    assert "不能由它推算样本量" in found.settling.reason


@given(hits=st.integers(0, 200), n=st.integers(1, 200), effect=st.floats(1, 3))
def test_the_effective_size_is_read_back_from_wilson(hits: int, n: int, effect: float) -> None:
    assume(hits <= n)
    size = sampling.effective_size(rate(hits, n, design_effect=effect))
    assert size is not None
    assert float(size) == pytest.approx(n / effect, rel=1e-6)


def test_the_effective_size_of_another_method_is_that_of_an_equally_wide_one() -> None:
    other = korn_graubard(0.85, 0.05, 100, 20)
    low, high = Decimal(str(other.low)), Decimal(str(other.high))
    found = Rate(85, 100, Fraction(17, 20), "d", Interval(low, high, "kg", Decimal("0.95")))
    size = sampling.effective_size(found)
    assert size is not None
    again = sampling.with_size(found, size).interval
    assert again is not None
    assert float(again.high - again.low) == pytest.approx(other.high - other.low, rel=1e-9)


def test_the_number_of_interviews_that_settles_the_grade() -> None:
    sheet = sheet_of(PAIR, _1=rate(80, 100), _2=Ratio(Decimal("0.87")))
    found = uncertainty(sheet)
    assert found.grades == ("优", "良")
    assert found.settling is not None
    more = found.settling.more
    assert more is not None
    assert found.sentences[-2:] == (
        "计入抽样误差，等级可能改变，可能是：优、良",
        f"要使抽样误差不再影响等级，按现在的率约需再访问 {more} 人",
    )
    for asked, is_settled in ((more, True), (more - 1, False)):
        n = 100 + asked
        low, high = wilson(0.8 * n, n).low, wilson(0.8 * n, n).high
        interval = Interval(Decimal(str(low)), Decimal(str(high)), "wilson", Decimal("0.95"))
        again = sheet_of(
            PAIR, _1=Rate(80, 100, Fraction(4, 5), "d", interval), _2=Ratio(Decimal("0.87"))
        )
        assert again.grade is not None
        assert (len(again.grade.sampled) == 1) is is_settled


def test_a_total_on_the_border_of_a_grade_is_not_settled_by_interviews() -> None:
    sheet = sheet_of(PAIR, _1=rate(83, 100), _2=Ratio(Decimal("0.87")))
    assert sheet.total is not None
    assert str(sheet.total.points.low) == "18.00"
    found = uncertainty(sheet)
    assert found.settling is not None
    assert found.settling.more is None or found.settling.more > 1_000_000


def test_a_grade_that_sampling_cannot_change_needs_no_more() -> None:
    found = uncertainty(sheet_of(PAIR, _1=rate(10, 100), _2=Ratio(Decimal("0.5"))))
    assert found.settling == Settling(0, "")
    assert found.sentences[-2] == "计入抽样误差，等级不变：中"


def test_several_surveys_grow_by_the_same_factor() -> None:
    found = uncertainty(sheet_of(PAIR, _1=rate(80, 100, "7"), _2=rate(87, 100, "8")))
    assert found.settling is not None
    assert found.settling.more
    assert found.sentences[0] == (
        "总分的区间：同一调查测得的各项误差按同升同降相加，这是偏宽的算法；"
        "不同调查的误差按相互独立合并（各调查的偏离平方和开方，即 MOVER 法）"
    )
    assert found.sentences[-1].endswith("（各调查按同一倍数增加，合计）")


def test_what_is_missing_must_be_measured_first() -> None:
    found = uncertainty(sheet_of(PAIR, _1=rate(80, 100)))
    assert found.settling == Settling(None, "还有指标缺测量，等级未定，先补齐测量")


def test_without_samples_nothing_is_said() -> None:
    found = uncertainty(sheet_of(PAIR, _1=Ratio(Decimal(1)), _2=Ratio(Decimal(1))))
    assert (found.outlooks, found.total, found.settling, found.sentences) == ((), None, None, ())


def test_the_whole_is_json() -> None:
    sheet = sheet_of(PAIR, _1=rate(80, 100), _2=Ratio(Decimal("0.87")))
    read = json.loads(json.dumps(sheet_dict(sheet), ensure_ascii=False))
    assert read["total"]["sampled"] == read["uncertainty"]["total"]
    assert read["total"]["independent_surveys"] == 1
    (found,) = read["uncertainty"]["indicators"]
    assert found["shifts"][1]["points"] == "7.80"
    assert read["uncertainty"]["more_interviews"]["more"] == uncertainty(sheet).settling.more  # type: ignore[union-attr]


def test_the_examples_in_the_code_run() -> None:
    assert doctest.testmod(sampling).failed == 0
