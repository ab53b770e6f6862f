"""Score sheets: points with their working, ranges instead of zeros, grades only when settled."""

import json
from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest

from analysis.scoring.feed import (
    Content,
    Count,
    Interval,
    Judgement,
    Measurement,
    PartContent,
    Parts,
    Rate,
    Ratio,
    Ticks,
)
from analysis.scoring.rubric import Rubric, load_bundled, parse
from analysis.scoring.score import Line, Range, ScoreError, State, score

BEIAN = load_bundled("beian-2020-public-health")
SUINING = load_bundled("suining-2022-public-health")
RESIDENTS = load_bundled("public-health-2021")
LONGHUA = load_bundled("longhua-2020-medical-insurance")
CITY = load_bundled("beian-2020-city-management")
POVERTY = load_bundled("beian-2020-poverty-relief")
HUOQIU = load_bundled("huoqiu-2020-ankang-code")

TWO = """
id = "two"
title = "两项"
scope = "complete"
full_marks = "10"
source = { document = "文件", place = "附件" }
rounding = { mode = "half_up", places = 2 }
grades = [
  { name = "优", lower = "9", lower_inclusive = true, upper = "10", upper_inclusive = true },
  { name = "中", lower = "5", lower_inclusive = true, upper = "8", upper_inclusive = true },
  { name = "差", lower = "0", lower_inclusive = true, upper = "5", upper_inclusive = false },
]
[[indicators]]
code = "1"
path = ["产出"]
name = "覆盖率"
weight = "4"
criteria = "按比例"
rule = { kind = "proportional", full = "4", target = "1" }
[[indicators]]
code = "2"
path = ["效益", "社会效益"]
name = "满意度"
weight = "6"
criteria = "达到90%得6分"
[indicators.rule]
kind = "deduct"
full = "6"
target = "0.9"
per_step = "0.2"
step = "1"
partial_step = "proportional"
"""
PAIR = parse(TWO, "两项")


def rate(
    code: str, numerator: int, base: int, value: str = "", ends: tuple[float, float] | None = None
) -> Measurement:
    interval = None
    if ends is not None:
        low, high = (Decimal(f"{end:.12f}") for end in ends)
        interval = Interval(low, high, "wilson", Decimal("0.95"))
    exact = Fraction(value) if value else Fraction(numerator, base)
    return Measurement(code, Rate(numerator, base, exact, "满意人数占比", interval))


def ratio(code: str, value: str, **conditions: int) -> Measurement:
    return Measurement(code, Ratio(Decimal(value)), conditions=conditions)


def wilson(hits: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    share, square = hits / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    return middle - half, middle + half


def line_of(rubric: Rubric, measurement: Measurement) -> Line:
    return score(rubric, [measurement]).line(measurement.indicator)


@pytest.mark.parametrize(
    ("rubric", "hits", "n", "shown", "low", "high"),
    [(RESIDENTS, 51, 60, "4.00", "1.78", "5.00"), (SUINING, 88, 100, "4.50", "0.59", "7.00")],
)
def test_the_interval_goes_through_the_rule(
    rubric: Rubric, hits: int, n: int, shown: str, low: str, high: str
) -> None:
    line = line_of(rubric, rate("satisfaction", hits, n, ends=wilson(hits, n)))
    assert str(line.shown) == shown
    assert line.interval == Range(Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("rubric", "measurement", "working"),
    [
        (
            SUINING,
            rate("satisfaction", 88, 100),
            (
                "社会公众满意度 88/100 = 88.00% 低于 95% 7.00 个百分点，"
                "每 1 个百分点扣 0.5 分，扣 3.50 分，得 4.50 / 8 分"
            ),
        ),
        (
            SUINING,
            rate("satisfaction", 10, 100),
            (
                "社会公众满意度 10/100 = 10.00% 低于 95% 85.00 个百分点，"
                "每 1 个百分点扣 0.5 分，扣 8.00 分，扣完为止，得 0.00 / 8 分"
            ),
        ),
        (
            BEIAN,
            rate("C25", 91, 103),
            "健康管理费用负担 91/103 = 88.35%，达到目标 80%，得满分 8 分",
        ),
        (
            BEIAN,
            rate("C31", 82, 103),
            "政策知晓度 82/103 = 79.61% 低于 85%，得分 = 79.61% ÷ 85% × 5 = 4.68 分",
        ),
        (
            BEIAN,
            rate("C32", 300, 412, value="1/2"),
            "基本公卫服务满意度 50.00% 低于 60%，不得分",
        ),
        (
            BEIAN,
            ratio("C13", "0.97"),
            (
                "糖尿病患者健康管理率 97.00% 低于 100%，"
                "得分 = (97.00% - 65%) ÷ (105% - 65%) × 2 = 1.60 分"
            ),
        ),
        (
            BEIAN,
            ratio("C08", "0.88"),
            "早孕建册率 88.00% 低于 90%，得分 = 88.00% ÷ 85% × 1，超过满分，得满分 1 分",
        ),
        (
            BEIAN,
            ratio("C21", "0.97"),
            "传染病疫情报告率 97.00%，在“≥ 95%，< 100%”一档，得 1.00 / 2 分",
        ),
        (
            BEIAN,
            ratio("C09", "0.81", untrue_files=2),
            (
                "产后访视率 81.00% 低于 90%，得分 = 81.00% ÷ 90% × 2；"
                "不真实档案 2 份，扣 1.00 分，得 0.80 分"
            ),
        ),
        (
            BEIAN,
            ratio("C02", "0.95", untrue_files=4),
            (
                "健康档案合格率 95.00%，达到目标 90%，得满分 2 分；"
                "不真实档案 4 份，扣 2.00 分，得 0.00 分"
            ),
        ),
        (
            BEIAN,
            ratio("C10", "0.83", base_not_provided=True),
            (
                "老年人健康管理率 83.00%，达到目标 70%，得满分 2 分；"
                "不能提供辖区各基层医疗机构年内辖区内65岁及以上常住居民数，扣 2.00 分，得 0.00 分"
            ),
        ),
        (
            BEIAN,
            Measurement("C24", Count(2)),
            "“报告内容”按 2 例扣 0.4 分，得 0.60 / 1 分",
        ),
        (BEIAN, Measurement("C24", Count(0)), "各项齐全，得 1.00 / 1 分"),
        (
            BEIAN,
            Measurement("C22", Ticks({"ready": False})),
            "没有做到“有事件的有处置服务记录，没有事件的有报告管理制度”，扣 2 分，得 0.00 / 2 分",
        ),
        (
            POVERTY,
            Measurement("6", Judgement(Decimal(42), "评价组", "专项资金使用扣 3")),
            "评价组评定：专项资金使用扣 3，得 42.00 / 45 分",
        ),
        (
            HUOQIU,
            Measurement(
                "3",
                Parts(
                    {
                        "claimed": Ratio(Decimal("0.7")),
                        "verified": Ratio(Decimal(52), Decimal(10)),
                        "shown": Ratio(Decimal("2.9")),
                    }
                ),
            ),
            (
                "“申领率”得 6 / 12 分；“人均核验数”得 12 / 12 分；“人均亮码数”得 0 / 12 分，"
                "得 18.00 / 36 分"
            ),
        ),
        (
            HUOQIU,
            Measurement(
                "2",
                Parts({"materials": True, "province": 1, "city": 0, "publicity": True}),
            ),
            (
                "“省级以上媒体宣传少于 1 篇（次）”按 1 例扣 1.5 分；"
                "合计超过 10 分，按 10 分计，得 10.00 / 10 分"
            ),
        ),
        (
            SUINING,
            Measurement("07", Parts({"standard": True, "control": True, "fraud": 3})),
            (
                "“项目重复申报或虚报冒领资金”按 3 例扣 2 分；"
                "“项目重复申报或虚报冒领资金”扣完后还有 1 分，在总分上扣，得 4.00 / 6 分"
            ),
        ),
        (
            LONGHUA,
            Measurement("09", Count(7)),
            "资金使用合规性 7 项，在“≥ 7 项，< 8 项”一档，得 8.00 / 9 分",
        ),
        (
            LONGHUA,
            ratio("05", "1.005"),
            (
                "“三公”控制费率 100.50% 高于 100% 0.50 个百分点，"
                "每 0.1 个百分点扣 0.1 分，扣 0.50 分，得 2.50 / 3 分"
            ),
        ),
        (LONGHUA, ratio("13", "0.95"), "项目质量达标率 95.00% 不高于 95%，不得分"),
        (
            CITY,
            ratio("B13", "1.05"),
            (
                "“三公经费”控制率 105.00% 高于 100%，"
                "得分 = (120% - 105.00%) ÷ (120% - 100%) × 1 = 0.75 分"
            ),
        ),
        (
            CITY,
            ratio("B31", "1.02"),
            "在职人员控制率 102.00%，在“> 100%”一档，得 0.00 / 1 分",
        ),
        (
            POVERTY,
            Measurement("8", Judgement(Decimal(2), "评价组", "挂钩帮扶")),
            "评价组评定：挂钩帮扶，加 2.00 分（最多加 3 分）",
        ),
        (
            POVERTY,
            Measurement("9", Parts({"no_directive": True, "national": 1, "provincial": 2})),
            (
                "“国家相关部门发现的问题”按 1 例扣 0.5 分；"
                "“省级相关部门发现的问题”按 2 例扣 0.4 分，减 0.90 分（最多减 15 分）"
            ),
        ),
    ],
)
def test_the_working_is_one_sentence(
    rubric: Rubric, measurement: Measurement, working: str
) -> None:
    assert line_of(rubric, measurement).working == working


def test_exact_points_stay_beside_the_shown_ones() -> None:
    line = line_of(BEIAN, rate("C28", 73, 103))
    assert line.points == Fraction(5) * Fraction(73, 103) / Fraction(4, 5)
    assert str(line.shown) == "4.42"


def test_a_composite_rate_is_its_value_and_not_its_counts() -> None:
    line = line_of(BEIAN, rate("C31", 90, 103, value="1/2"))
    assert line.working.startswith("政策知晓度 50.00% 低于 85%")


def test_nothing_measured_is_missing_and_never_zero() -> None:
    sheet = score(PAIR, [])
    assert {line.state for line in sheet.lines} == {State.MISSING}
    assert {line.shown for line in sheet.lines} == {None}
    assert sheet.total is not None
    assert sheet.total.points == Range(Decimal(0), Decimal(10))
    assert sheet.total.missing == ("1", "2")


def test_sums_show_what_is_certain_and_what_is_possible() -> None:
    sheet = score(PAIR, [ratio("1", "0.75")])
    sums = {each.path: (str(each.points.low), str(each.points.high)) for each in sheet.subtotals}
    assert sums == {
        ("产出",): ("3.00", "3.00"),
        ("效益",): ("0.00", "6.00"),
        ("效益", "社会效益"): ("0.00", "6.00"),
    }
    assert sheet.total is not None
    assert sheet.total.points == Range(Decimal(3), Decimal(9))


@pytest.mark.parametrize(
    ("coverage", "satisfied", "settled", "possible"),
    [
        ("1", "0.9", "优", ("优",)),
        ("1", "0.7", "中", ("中",)),
        ("1", "0.85", None, ("优",)),
        ("0", "0.8", "差", ("差",)),
    ],
)
def test_a_complete_sheet_has_a_grade_unless_its_total_falls_into_a_gap(
    coverage: str, satisfied: str, settled: str | None, possible: tuple[str, ...]
) -> None:
    grade = score(PAIR, [ratio("1", coverage), ratio("2", satisfied)]).grade
    assert grade is not None
    assert (grade.settled, grade.possible) == (settled or "优", possible)


def test_a_total_in_a_gap_of_the_scale_has_no_grade() -> None:
    grade = score(PAIR, [ratio("1", "0.75"), ratio("2", "0.88")]).grade
    assert grade is not None
    assert (grade.settled, grade.possible) == (None, ("无法定级",))


def test_a_grade_stays_open_while_an_indicator_is_missing() -> None:
    grade = score(PAIR, [ratio("2", "0.9")]).grade
    assert grade is not None
    assert (grade.settled, grade.possible) == (None, ("优", "中", "无法定级"))


def test_a_grade_is_settled_when_what_is_missing_cannot_change_it() -> None:
    grade = score(PAIR, [ratio("2", "0.6")]).grade
    assert grade is not None
    assert grade.settled == "差"


def test_the_sheet_says_whether_sampling_error_could_change_the_grade() -> None:
    sheet = score(PAIR, [ratio("1", "1"), rate("2", 85, 100, ends=(0.6, 0.95))])
    assert sheet.total is not None
    assert sheet.grade is not None
    assert sheet.total.sampled == Range(Decimal(4), Decimal(10))
    assert sheet.grade.settled == "优"
    assert sheet.grade.sampled == ("优", "中", "差", "无法定级")


def test_a_total_that_may_fall_into_a_gap_brings_a_question() -> None:
    inside = score(PAIR, [ratio("1", "0.75"), ratio("2", "0.88")]).grade
    near = score(PAIR, [ratio("2", "0.9")]).grade
    assert inside is not None
    assert near is not None
    assert inside.questions == (
        "总分 8.60 分可能落在“中”与“优”之间的空档，等级标准没有规定，应按哪一档？",
    )
    assert [question[:8] for question in near.questions] == ["总分 6.00–"]


ADJUSTED = (
    TWO.replace("grades = [", 'adjustments = { most_bonus = "1" }\ngrades = [')
    + """
[[indicators]]
code = "3"
name = "创新"
weight = "3"
role = "bonus"
criteria = "酌情加1-3分"
rule = { kind = "judgement", full = "3", least = "1" }
[[indicators]]
code = "4"
name = "违规"
weight = "2"
role = "penalty"
criteria = "每起扣0.5分，最多扣2分"
rule = { kind = "checklist", full = "2", parts = [{ id = "a", name = "违规", per_case = "0.5" }] }
[[indicators]]
code = "5"
name = "控制"
weight = "1"
criteria = "每起扣1分，扣完后在总分上扣"
[indicators.rule]
kind = "checklist"
parts = [{ id = "a", name = "冒领", points = "1", per_case = "1", overflows = true }]
"""
)


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        ([], "-2.00", "12.00"),
        ([Measurement("4", Count(0))], "0.00", "12.00"),
        ([Measurement("4", Count(3))], "-1.50", "10.50"),
        ([Measurement("4", Count(9))], "-2.00", "10.00"),
        ([Measurement("3", Judgement(Decimal(3), "甲", "乙"))], "-1.00", "12.00"),
        ([Measurement("5", Count(1))], "-2.00", "11.00"),
        ([Measurement("5", Count(3))], "-4.00", "9.00"),
    ],
)
def test_bonus_penalty_and_overflow_move_the_total_and_not_its_full_marks(
    given: list[Measurement], low: str, high: str
) -> None:
    total = score(parse(ADJUSTED, "加减分"), given).total
    assert total is not None
    assert (str(total.points.low), str(total.points.high)) == (low, high)
    assert total.weight == 11


def test_the_intervals_of_the_parts_go_through_their_rules() -> None:
    interval = Interval(Decimal("0.55"), Decimal("0.85"), "wilson", Decimal("0.95"))
    claimed = Rate(70, 100, Fraction(7, 10), "申领率", interval)
    found: dict[str, PartContent] = {
        "claimed": claimed,
        "verified": Ratio(Decimal(5)),
        "shown": Ratio(Decimal(5)),
    }
    line = line_of(HUOQIU, Measurement("3", Parts(found)))
    assert str(line.shown) == "24.00"
    assert line.interval == Range(Decimal("18.00"), Decimal("30.00"))


def test_where_less_is_better_the_interval_is_still_in_order() -> None:
    line = line_of(CITY, rate("B31", 100, 100, ends=(0.96, 1.0)))
    assert line.interval == Range(Decimal("1.00"), Decimal("1.00"))
    falling = parse(
        TWO.replace(
            'partial_step = "proportional"', 'partial_step = "whole"\nbetter = "low"'
        ).replace('target = "0.9"', 'target = "0.1"'),
        "越低越好",
    )
    assert line_of(falling, rate("2", 20, 100, ends=(0.1, 0.3))).interval == Range(
        Decimal("2.00"), Decimal("6.00")
    )


def test_a_reading_that_asks_for_another_measurement_is_left_out() -> None:
    assert line_of(CITY, ratio("C16", "1")).alternatives == ()


def test_a_partial_rubric_has_no_total_and_no_grade() -> None:
    partial = parse(TWO.replace('"complete"', '"partial"'), "部分")
    sheet = score(partial, [ratio("2", "0.9")])
    assert (sheet.subtotals, sheet.total, sheet.grade) == ((), None, None)


def test_lost_criteria_are_never_computed() -> None:
    line = line_of(LONGHUA, rate("satisfaction", 60, 60))
    assert (line.state, line.points, line.shown) == (State.UNKNOWN, None, None)
    assert line.working.startswith("无法计分：")


def test_a_condition_without_its_fact_leaves_the_indicator_unscored() -> None:
    line = line_of(BEIAN, ratio("C12", "0.98"))
    assert line.state is State.MISSING
    assert line.working.startswith("没有提供“不真实档案”")


def test_the_other_reading_is_shown_beside_the_default() -> None:
    line = line_of(CITY, rate("C22", 85, 100))
    assert str(line.shown) == "4.00"
    assert [(each.reading, str(each.shown)) for each in line.alternatives] == [("附件1", "3.00")]


def test_the_published_score_is_compared_with_its_reason() -> None:
    differences = line_of(BEIAN, rate("C31", 82, 103)).differences
    assert differences[0] == "测量值不同：文件印的是 97.22%，本次是 79.61%"
    assert differences[1].startswith("得分不同：文件印的是 5 分，重算得 4.68 分。")
    assert "两者不能同时成立" in differences[1]


def test_another_measurement_explains_another_score() -> None:
    differences = line_of(BEIAN, rate("C25", 41, 103)).differences
    assert differences[-1] == "得分不同：文件印的是 8 分，重算得 3.98 分。两次的测量值不同"


def test_agreement_leaves_no_differences() -> None:
    assert line_of(BEIAN, rate("C28", 73, 103)).differences == ()


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        ([ratio("9", "1")], "没有这个指标"),
        ([ratio("1", "1"), ratio("1", "1")], "两个测量值"),
        ([Measurement("1", Ticks({}))], "率或比值"),
        ([Measurement("1", Parts({"a": True}))], "率或比值"),
        ([Measurement("1", Count(3))], "一个总数"),
        ([Measurement("1", Judgement(Decimal(1), "甲", "乙"))], "率或比值"),
        ([ratio("1", "1", untrue_files=2)], "没有名为 untrue_files 的条件"),
    ],
)
def test_a_measurement_that_does_not_fit_is_refused(
    measurements: list[Measurement], reason: str
) -> None:
    with pytest.raises(ScoreError, match=reason):
        score(PAIR, measurements)


@pytest.mark.parametrize(
    ("measurement", "reason"),
    [
        (ratio("C09", "0.8", untrue_files=True), "份数"),
        (ratio("C10", "0.8", base_not_provided=1), "是或否"),
        (Measurement("C03", Count(2)), "分项给出"),
        (Measurement("C03", Count(parts={"print": 1})), "缺少"),
    ],
)
def test_a_fact_of_the_wrong_kind_is_refused(measurement: Measurement, reason: str) -> None:
    with pytest.raises(ScoreError, match=reason):
        score(BEIAN, [measurement])


def test_the_sheet_for_json_holds_fractions_as_text() -> None:
    sheet = score(BEIAN, [rate("C31", 82, 103, ends=wilson(82, 103)), ratio("C08", "0.34")])
    read = json.loads(json.dumps(sheet.to_dict(), ensure_ascii=False))
    line = next(each for each in read["indicators"] if each["code"] == "C31")
    assert Fraction(line["points"]) == Fraction(5) * Fraction(82, 103) / Fraction(85, 100)
    assert (line["shown"], line["state"]) == ("4.68", "scored")
    assert line["measurement"]["value"] == "82/103"
    assert line["published"]["scores"][0] == {"place": "附件1", "points": "5"}
    assert read["total"]["certain"] == "5.08"
    assert read["published"] == {"total": "90.31", "grade": "优秀"}
    assert read["grade"]["settled"] is None


CONTENTS: list[Content] = [Ratio(Decimal(1)), Rate(1, 1, Fraction(1), "d")]


@pytest.mark.parametrize("content", CONTENTS)
def test_a_ratio_and_a_rate_are_scored_alike(content: Content) -> None:
    assert line_of(PAIR, Measurement("1", content)).points == 4


def test_an_unknown_line_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        score(PAIR, []).line("9")
