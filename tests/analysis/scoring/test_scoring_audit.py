"""The audit computes its findings from the encoded figures: a changed figure changes them."""

import pytest

from analysis.scoring.audit import FindingKind, audit, is_reachable
from analysis.scoring.rubric import parse

CLEAN = """
id = "clean"
title = "无矛盾"
scope = "complete"
full_marks = "10"
source = { document = "文件", place = "附件" }
rounding = { mode = "down", places = 2 }
grades = [
  { name = "优", lower = "8", lower_inclusive = true, upper = "10", upper_inclusive = true },
  { name = "差", lower = "0", lower_inclusive = true, upper = "8", upper_inclusive = false },
]

[published]
grade = "优"
level_counts = [{ level = 1, count = 2, place = "正文" }, { level = 2, count = 2, place = "正文" }]
columns = [{ place = "表1", amounts = ["1.5", "2.25"], total = "3.75" }]
amounts = [{ name = "资金", stated = [
  { place = "正文", amount = "3.75" },
  { place = "表1", amount = "3.75" },
] }]
figures = [{ place = "正文", figures = [
  { name = "平均每次人数", number = "32.5", numerator = 65, base = 2 },
] }]
total = { points = "9.42", out_of = "10", place = "附件" }
subtotals = [
  { path = ["产出"], points = "5", out_of = "5", place = "正文" },
  { path = ["效益"], points = "4.42", out_of = "5", place = "正文" },
]

[[indicators]]
code = "1"
path = ["产出"]
name = "覆盖率"
weight = "5"
criteria = "达到80%得5分"
rule = { kind = "proportional", full = "5", target = "0.80" }
[indicators.published]
annex = { points = "5", place = "附件" }
text = { points = "5", place = "正文" }
measurements = [{ place = "正文", at_least = true, figures = [{ percent = "80%" }] }]

[[indicators]]
code = "2"
path = ["效益"]
name = "健康状况"
weight = "5"
criteria = "达到80%得5分"
rule = { kind = "proportional", full = "5", target = "0.80" }
[indicators.published]
annex = { points = "4.42", place = "附件" }
text = { points = "4.42", place = "正文" }
measurements = [{ place = "表4", figures = [{ percent = "70.87%", numerator = 73, base = 103 }] }]
tables = [{ place = "表4", n = 103, percent_total = "100%", rows = [
  { answer = "改善", count = 73, percent = "70.87%" },
  { answer = "没有改善", count = 30, percent = "29.13%" },
] }]
"""


def findings(text: str) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.code) for finding in audit(parse(text, "试"))]


def test_a_report_without_contradictions_has_no_findings() -> None:
    assert findings(CLEAN) == []


K = FindingKind


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'annex = { points = "4.42"',
            'annex = { points = "4.43"',
            [
                (K.TEXT_AGAINST_TABLE, "2"),
                (K.ROUNDING_DIFFERENCE, "2"),
                (K.SUM_OF_SCORES, ""),
                (K.SUM_OF_SCORES, ""),
            ],
        ),
        (
            'annex = { points = "4.42"',
            'annex = { points = "5"',
            [
                (K.TEXT_AGAINST_TABLE, "2"),
                (K.SCORE_AGAINST_RULE, "2"),
                (K.SUM_OF_SCORES, ""),
                (K.SUM_OF_SCORES, ""),
            ],
        ),
        (
            'percent = "70.87%", numerator = 73, base',
            'percent = "70.87%", numerator = 74, base',
            [(K.SCORE_AGAINST_RULE, "2"), (K.PERCENTAGE_AGAINST_COUNTS, "2")],
        ),
        (
            'percent = "70.87%", numerator = 73, base',
            'percent = "97.22%", base',
            [(K.SCORE_AGAINST_RULE, "2"), (K.IMPOSSIBLE_PERCENTAGE, "2")],
        ),
        (
            "count = 30",
            "count = 31",
            [("frequencies_against_n", "2"), (K.PERCENTAGE_AGAINST_COUNTS, "2")],
        ),
        (
            '"29.13%"',
            '"29.14%"',
            [(K.IMPOSSIBLE_PERCENTAGE, "2"), (K.PERCENTAGE_AGAINST_COUNTS, "2")],
        ),
        (
            'measurements = [{ place = "正文", at_least = true, figures = [{ percent = "80%" }] }]',
            "",
            [(K.SCORE_WITHOUT_MEASUREMENT, "1")],
        ),
        (
            'figures = [{ percent = "80%" }]',
            'figures = [{ percent = "79%" }]',
            [(K.SCORE_NOT_DETERMINED, "1")],
        ),
        (
            'annex = { points = "5", place = "附件" }',
            'annex = { points = "5", place = "附件" }\nname_in_text = "受益率"',
            [(K.TEXT_AGAINST_TABLE, "1")],
        ),
        (
            'at_least = true, figures = [{ percent = "80%" }] }',
            'figures = [{ percent = "85%" }] }, { place = "表", figures = [{ percent = "83%" }] }',
            [(K.TEXT_AGAINST_TABLE, "1")],
        ),
        (
            'at_least = true, figures = [{ percent = "80%" }] }',
            (
                'figures = [{ percent = "85%" }] }, '
                '{ place = "表", figures = [{ percent = "85.3%" }] }'
            ),
            [],
        ),
        ("level = 2, count = 2", "level = 2, count = 3", [(K.INDICATOR_COUNT, "")]),
        ("level = 1, count = 2", "level = 1, count = 1", [(K.INDICATOR_COUNT, "")]),
        ('"2.25"], total', '"2.26"], total', [(K.COLUMN_DOES_NOT_ADD, "")]),
        (
            'place = "表1", amount = "3.75"',
            'place = "表1", amount = "3.7"',
            [(K.TEXT_AGAINST_TABLE, "")],
        ),
        ('number = "32.5"', 'number = "41"', [(K.PERCENTAGE_AGAINST_COUNTS, "")]),
        ('number = "32.5"', 'number = "32"', []),
        (
            'percent_total = "100%"',
            'percent_total = "99%"',
            [(K.COLUMN_DOES_NOT_ADD, "2")],
        ),
        (
            'text = { points = "5"',
            'deducted = { points = "0.5", place = "明细" }\ntext = { points = "5"',
            [(K.SCORE_AGAINST_DEDUCTION, "1")],
        ),
        (
            'text = { points = "5"',
            'deducted = { points = "0", place = "明细" }\ntext = { points = "5"',
            [],
        ),
        (
            'annex = { points = "5", place = "附件" }\n',
            "",
            [],
        ),
        ('full_marks = "10"', 'full_marks = "100"', [(K.SUM_OF_WEIGHTS, ""), (K.GRADE_GAP, "")]),
        (
            'out_of = "5", place = "正文" },\n]',
            'out_of = "6", place = "正文" },\n]',
            [(K.SUM_OF_WEIGHTS, "")],
        ),
        ('total = { points = "9.42"', 'total = { points = "9.41"', [(K.SUM_OF_SCORES, "")] * 3),
        ('grade = "优"', 'grade = "差"', [(K.GRADE_AGAINST_SCALE, "")]),
        ('upper = "8"', 'upper = "7"', [(K.GRADE_GAP, "")]),
        (
            'lower = "8", lower_inclusive = true',
            'lower = "8", lower_inclusive = false',
            [(K.GRADE_GAP, "")],
        ),
        ('scope = "complete"\nfull_marks = "10"', 'scope = "partial"\nfull_marks = "10"', []),
    ],
)
def test_a_changed_figure_is_found(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    assert old in CLEAN
    assert findings(CLEAN.replace(old, new, 1)) == expected


FIRST_RULE = 'rule = { kind = "proportional", full = "5", target = "0.80" }'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            'rule = { kind = "proportional", full = "4", target = "0.80" }',
            [(K.WEIGHT_AGAINST_CRITERIA, "1"), (K.SCORE_AGAINST_RULE, "1")],
        ),
        (
            'rule = { kind = "proportional", full = "6", target = "0.80" }',
            [(K.WEIGHT_AGAINST_CRITERIA, "1"), (K.SCORE_AGAINST_RULE, "1")],
        ),
        (
            'rule = { kind = "proportional", full = "5", target = "0.80", full_at = "0.85" }',
            [(K.LINE_MISSES_TARGET, "1")],
        ),
        ('rule = { kind = "unknown", reason = "错行" }', [(K.NOT_COMPUTABLE, "1")]),
        ('rule = { kind = "judgement", full = "5" }', []),
        (
            'rule = { kind = "checklist", parts = [{ id = "a", name = "甲", points = "4" }] }',
            [(K.PARTS_AGAINST_WEIGHT, "1")],
        ),
        (
            (
                'rule = { kind = "checklist", full = "5", parts = ['
                '{ id = "a", name = "甲", points = "4" }, '
                '{ id = "b", name = "乙", points = "2" }] }'
            ),
            [(K.PARTS_AGAINST_WEIGHT, "1")],
        ),
        ('rule = { kind = "checklist", full = "5", parts = [{ id = "a", name = "甲" }] }', []),
        (
            FIRST_RULE
            + '\nreadings = [{ id = "附表", reason = "另有档次", criteria = "达到80%得4分", '
            'rule = { kind = "proportional", full = "4", target = "0.80" } }]',
            [(K.WEIGHT_AGAINST_CRITERIA, "1")],
        ),
    ],
)
def test_criteria_are_compared_with_the_weight(rule: str, expected: list[tuple[str, str]]) -> None:
    assert findings(CLEAN.replace(FIRST_RULE, rule, 1)) == expected


def test_a_score_above_its_weight_is_found() -> None:
    text = CLEAN.replace('annex = { points = "5"', 'annex = { points = "6"', 1)
    assert (K.SCORE_ABOVE_WEIGHT, "1") in findings(text)


def test_a_finding_names_both_figures() -> None:
    text = CLEAN.replace('annex = { points = "4.42"', 'annex = { points = "4.43"')
    found = next(each for each in audit(parse(text, "试")) if each.kind is K.ROUNDING_DIFFERENCE)
    assert found.to_dict() == {
        "kind": "rounding_difference",
        "indicator": "2",
        "place": "附件",
        "printed": "4.43",
        "recomputed": "4.42 分",
        "effect": {
            "points": {"low": "-0.01", "high": "-0.01"},
            "total": {"low": "9.41", "high": "9.41"},
            "grades": ["优"],
        },
        "text": "附件印的得分是 4.43 分，本文件的进位方式给出 4.42 分"
        "（精确值 4.4296），只差在进位方式",
    }


@pytest.mark.parametrize(
    ("percent", "base", "reachable"),
    [
        ("97.22%", 103, False),
        ("97.22%", 36, True),
        ("79.61%", 103, True),
        ("17.91%", 103, False),
        ("78.2%", 5456, True),
        ("0%", 7, True),
        ("100%", 7, True),
        ("99.9%", 7, False),
        ("33.3%", 3, True),
        ("66.6%", 3, True),
        ("66.7%", 3, True),
    ],
)
def test_a_percentage_must_be_reachable_with_its_n(
    percent: str, base: int, reachable: bool
) -> None:
    assert is_reachable(percent, base) is reachable


PARTS = """
[[indicators]]
code = "1"
path = ["过程"]
name = "制度"
weight = "6"
criteria = "①制度，2分；②一例不符扣0.5分，2分；③申领率达到80%得2分"
[indicators.rule]
kind = "checklist"
[[indicators.rule.parts]]
id = "rules"
name = "制度"
points = "2"
[[indicators.rule.parts]]
id = "faults"
name = "不符"
points = "2"
per_case = "0.5"
[[indicators.rule.parts]]
id = "rate"
name = "申领率"
rule = { kind = "proportional", full = "2", target = "0.80" }
[indicators.published]
annex = { points = "4.5", place = "附件" }
[[indicators.published.measurements]]
place = "正文"
parts = { rules = true, faults = 1, rate = { percent = "40.00%", numerator = 4, base = 10 } }
"""
HEAD = """
id = "parts"
title = "分项"
scope = "complete"
full_marks = "6"
source = { document = "文件", place = "附件" }
rounding = { mode = "half_up", places = 2 }
"""


@pytest.mark.parametrize(
    ("old", "new", "kinds", "recomputed"),
    [
        ("", "", [], ""),
        ("faults = 1", "faults = 2", [K.SCORE_AGAINST_RULE], "4.00 分"),
        ("faults = 1, ", "", [K.SCORE_NOT_DETERMINED], "3.00–5.00 分"),
        ("rules = true, ", "", [K.SCORE_NOT_DETERMINED], "2.50–4.50 分"),
        ("rules = true", "rules = false", [K.SCORE_AGAINST_RULE], "2.50 分"),
        ("parts = {", "at_least = true\nparts = {", [K.SCORE_NOT_DETERMINED], "3.00–4.50 分"),
        ('"40.00%"', '"45.00%"', [K.IMPOSSIBLE_PERCENTAGE, K.PERCENTAGE_AGAINST_COUNTS], ""),
    ],
)
def test_what_a_report_says_of_the_parts_is_scored(
    old: str, new: str, kinds: list[K], recomputed: str
) -> None:
    found = audit(parse(HEAD + PARTS.replace(old, new, 1), "试"))
    assert [each.kind for each in found] == kinds
    assert not recomputed or found[0].recomputed == recomputed


SCORED = 'annex = { points = "4.42", place = "附件" }\ntext = { points = "4.42", place = "正文" }\n'


@pytest.mark.parametrize(
    ("total", "bound"), [("9.42", ""), ("5", ""), ("10", ""), ("4.99", "5"), ("10.01", "10")]
)
def test_a_total_that_no_open_score_can_lead_to_is_found(total: str, bound: str) -> None:
    text = CLEAN.replace(SCORED, "").replace(
        'total = { points = "9.42"', f'total = {{ points = "{total}"'
    )
    found = [each for each in audit(parse(text, "试")) if each.kind is K.TOTAL_OUT_OF_REACH]
    assert [each.recomputed for each in found] == ([bound] if bound else [])


ADJUSTED = """
[[indicators]]
code = "3"
path = ["加减分"]
name = "创新"
weight = "3"
role = "bonus"
criteria = "酌情加1-3分"
rule = { kind = "judgement", full = "3", least = "1" }
published = { annex = { points = "3", place = "附件" } }
[[indicators]]
code = "4"
path = ["加减分"]
name = "违规"
weight = "4"
role = "penalty"
criteria = "每起扣0.5分，最多扣4分"
rule = { kind = "checklist", full = "4", parts = [{ id = "a", name = "违规", per_case = "0.5" }] }
[indicators.published]
annex = { points = "1.5", place = "附件" }
measurements = [{ place = "正文", parts = { a = 3 } }]
"""


@pytest.mark.parametrize(
    ("caps", "cases", "total", "expected"),
    [
        ("", "3", "10.92", []),
        ('adjustments = { most_bonus = "2" }', "3", "9.92", []),
        ('adjustments = { most_penalty = "1" }', "3", "11.42", []),
        ("", "3", "12.42", [(K.SUM_OF_SCORES, "")]),
        ("", "4", "10.92", [(K.SCORE_AGAINST_RULE, "4")]),
    ],
)
def test_bonuses_and_penalties_count_in_the_total_and_not_in_the_weights(
    caps: str, cases: str, total: str, expected: list[tuple[str, str]]
) -> None:
    text = CLEAN.replace("grades = [", f"{caps}\ngrades = [", 1) + ADJUSTED
    text = text.replace(', upper = "10", upper_inclusive = true', "")
    text = text.replace('text = { points = "5", place = "正文" }\n', "")
    text = text.replace('total = { points = "9.42"', f'total = {{ points = "{total}"')
    text = text.replace("a = 3", f"a = {cases}").replace(
        "level = 1, count = 2", "level = 1, count = 3"
    )
    text = text.replace("level = 2, count = 2", "level = 2, count = 4")
    found = audit(parse(text, "试"))
    assert [(each.kind.value, each.code) for each in found] == [
        (kind, code) for kind, code in expected
    ]
    effects = [each.effect for each in found if each.code == "4"]
    assert [effect and effect.change.low for effect in effects] == [-0.5] * len(effects)
