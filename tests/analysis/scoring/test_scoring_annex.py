"""The score sheet as an annex: levels that run over rows, what was measured, what was deducted."""

from decimal import Decimal
from fractions import Fraction

import pytest

from analysis.scoring.annex import Cell, Row, annex
from analysis.scoring.feed import Content, Count, Judgement, Measurement, Parts, Rate, Ratio, Ticks
from analysis.scoring.rubric import Rubric, bundled, load_bundled
from analysis.scoring.score import score

BEIAN = load_bundled("beian-2020-public-health")
SUINING = load_bundled("suining-2022-public-health")
POVERTY = load_bundled("beian-2020-poverty-relief")
HUOQIU = load_bundled("huoqiu-2020-ankang-code")
LONGHUA = load_bundled("longhua-2020-medical-insurance")

OTHER_WEIGHT = "扣 0.48 分（评分标准最多给 1 分，分值印的是 3 分）"


def row_of(rubric: Rubric, code: str, content: Content, **conditions: int) -> Row:
    sheet = score(rubric, [Measurement(code, content, conditions=conditions)])
    return next(row for row in annex(sheet).rows if row.line.indicator.code == code)


@pytest.mark.parametrize("name", bundled())
def test_the_cells_of_every_bundled_rubric_fill_their_table(name: str) -> None:
    rubric = load_bundled(name)
    laid_out = annex(score(rubric, []))
    area = sum(cell.rows * cell.columns for row in laid_out.rows for cell in row.cells)
    assert area == laid_out.depth * len(rubric.indicators)
    assert [row.levels[-1] for row in laid_out.rows] == [each.name for each in rubric.indicators]


def test_a_level_runs_over_all_its_indicators() -> None:
    first, second = annex(score(BEIAN, [])).rows[:2]
    assert first.cells == (
        Cell("项目产出", 24, 1),
        Cell("居民健康档案管理", 2, 1),
        Cell("健康档案建档率", 1, 1),
    )
    assert len(second.cells) == 1


@pytest.mark.parametrize(
    ("rubric", "code", "content", "measured", "deduction"),
    [
        (BEIAN, "C31", Rate(82, 103, Fraction(82, 103), "d"), "82/103 = 79.61%", "扣 0.32 分"),
        (BEIAN, "C32", Rate(300, 412, Fraction(4, 5), "d"), "80.00%", "不扣分"),
        (BEIAN, "C08", Ratio(Decimal("0.45")), "45.00%", OTHER_WEIGHT),
        (BEIAN, "C08", Ratio(Decimal(9), Decimal(20)), "9/20 = 45.00%", OTHER_WEIGHT),
        (BEIAN, "C24", Count(2), "2 例", "扣 0.40 分"),
        (LONGHUA, "09", Count(7), "7 项", "扣 1.00 分"),
        (
            BEIAN,
            "C22",
            Ticks({"ready": False}),
            "有事件的有处置服务记录，没有事件的有报告管理制度：没有做到",
            "扣 2.00 分",
        ),
        (
            SUINING,
            "07",
            Parts({"standard": True, "control": False, "fraud": 3}),
            (
                "已制定或具有项目质量要求或标准：做到；"
                "采取了质量检查、验收等控制措施或手段：没有做到；项目重复申报或虚报冒领资金：3 例"
            ),
            "扣 4.00 分；另在总分上扣 1.00 分",
        ),
        (
            HUOQIU,
            "3",
            Parts(
                {
                    "claimed": Rate(70, 100, Fraction(7, 10), "d"),
                    "verified": Ratio(Decimal(52), Decimal(10)),
                    "shown": Ratio(Decimal("2.9")),
                }
            ),
            "申领率：70/100 = 70.00%；人均核验数：52/10 = 5.2 次；人均亮码数：2.9 次",
            "扣 18.00 分",
        ),
        (
            POVERTY,
            "6",
            Judgement(Decimal(42), "评价组", "专项资金使用扣 3"),
            "评价组评定 42 分：专项资金使用扣 3",
            "扣 3.00 分",
        ),
        (
            POVERTY,
            "8",
            Judgement(Decimal(2), "评价组", "挂钩帮扶"),
            "评价组评定 2 分：挂钩帮扶",
            "",
        ),
    ],
)
def test_what_was_measured_and_what_it_cost(
    rubric: Rubric, code: str, content: Content, measured: str, deduction: str
) -> None:
    row = row_of(rubric, code, content)
    assert (row.measured, row.deduction) == (measured, deduction)


def test_counts_by_part_and_the_facts_of_conditions_are_told() -> None:
    row = row_of(BEIAN, "C09", Ratio(Decimal("0.81")), untrue_files=2)
    assert row.measured == "81.00%；不真实档案：2 例"
    parts = row_of(POVERTY, "9", Parts({"no_directive": True, "national": 1, "provincial": 0}))
    assert parts.measured.endswith("国家相关部门发现的问题：1 例；省级相关部门发现的问题：0 例")


def test_what_was_not_measured_has_no_deduction() -> None:
    row = annex(score(BEIAN, [])).rows[0]
    assert (row.measured, row.deducted, row.deduction) == ("", None, "")


def test_the_rounding_is_told() -> None:
    row = row_of(BEIAN, "C31", Rate(82, 103, Fraction(82, 103), "d"))
    assert row.rounding == "得分取 2 位小数，只舍不入；率不先取位"
