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
indicator_count = 2
indicator_count_place = "正文"
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
tables = [{ place = "表4", n = 103, rows = [
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
        ('"29.13%"', '"30.10%"', [(K.PERCENTAGE_AGAINST_COUNTS, "2")]),
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
        ("indicator_count = 2", "indicator_count = 3", [(K.INDICATOR_COUNT, "")]),
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
