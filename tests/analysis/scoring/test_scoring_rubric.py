"""Rubric files: what is read, and what is refused with file, key and reason."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from analysis.scoring.rubric import RubricError, Span, bundled, load, load_bundled, parse
from analysis.scoring.rules import Proportional, RoundingMode

HEAD = """
id = "test"
title = "试评价"
scope = "complete"
full_marks = "10"
[source]
document = "文件"
place = "附件"
[rounding]
mode = "half_up"
places = 2
[[grades]]
name = "优"
lower = "9"
lower_inclusive = true
[[grades]]
name = "差"
lower = "0"
lower_inclusive = true
upper = "9"
upper_inclusive = false
"""
INDICATOR = """
[[indicators]]
code = "1"
path = ["效益"]
name = "满意度"
weight = "10"
criteria = "满意度达到80%得10分"
[indicators.rule]
kind = "proportional"
full = "10"
target = "0.80"
"""
FULL = HEAD + INDICATOR
DEDUCT = (
    'kind = "deduct"\nfull = "10"\ntarget = "0.9"\nper_step = "1"\nstep = "1"\n'
    'partial_step = "proportional"'
)
PROPORTIONAL = 'kind = "proportional"\nfull = "10"\ntarget = "0.80"'


def with_rule(text: str) -> str:
    return FULL.replace(PROPORTIONAL, text)


def with_bands(*bands: str) -> str:
    return with_rule(f'kind = "bands"\nbands = [{", ".join(bands)}]')


def band(lower: str, points: str, inclusive: str = "true") -> str:
    return f'{{ lower = "{lower}", inclusive = {inclusive}, points = "{points}" }}'


JUDGED = 'kind = "judgement", full = "1"'


def with_part(text: str, full: str = "") -> str:
    head = f'kind = "checklist"\nfull = "{full}"' if full else 'kind = "checklist"'
    return with_rule(f"{head}\nparts = [{{ {text} }}]")


def test_a_rubric_is_read() -> None:
    rubric = parse(FULL, "试.toml")
    indicator = rubric.indicator("1")
    assert (indicator.weight, indicator.path, indicator.measure) == (Decimal(10), ("效益",), None)
    rule = indicator.rule
    assert isinstance(rule, Proportional)
    assert (rule.target, rule.full_at, rule.zero) == (Fraction(4, 5), Fraction(4, 5), Fraction(0))
    assert rubric.grades[1].span == Span(Decimal(0), True, Decimal(9), False)


def test_an_indicator_may_round_in_its_own_way() -> None:
    text = FULL + '\n[indicators.rounding]\nmode = "down"\nplaces = 1\nround_rate_first = 2\n'
    rounding = parse(text, "试.toml").indicator("1").rounding
    assert (rounding.mode, rounding.places, rounding.round_rate_first) == (RoundingMode.DOWN, 1, 2)


def test_an_unknown_code_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        parse(FULL, "试.toml").indicator("2")


BROKEN = [
    (FULL.replace('weight = "10"\n', ""), "indicators[0].weight", "缺少"),
    (FULL.replace('weight = "10"', "weight = 10.0"), "indicators[0].weight", "写成文字"),
    (FULL.replace('weight = "10"', 'weight = "-1"'), "indicators[0].weight", "写成文字"),
    (FULL + INDICATOR, "indicators[1].code", "代码 1 重复"),
    (HEAD, "indicators", "一个指标也没有"),
    (FULL.replace('"proportional"', '"linear"'), "indicators[0].rule.kind", "不认识"),
    (FULL.replace("target =", "treshold ="), "indicators[0].rule.target", "缺少"),
    (FULL + 'goal = "1"\n', "indicators[0].rule.goal", "不认识的键"),
    (FULL.replace('name = "满意度"', 'naem = "满意度"'), "indicators[0].name", "缺少"),
    (FULL.replace('scope = "complete"', 'scope = "half"'), "scope", "complete、partial"),
    (FULL.replace('"half_up"', '"up"'), "rounding.mode", "half_up"),
    (FULL.replace("places = 2", 'places = "2"'), "rounding.places", "整数"),
    (FULL + 'zero = "0.80"\n', "indicators[0].rule", "高于零分的取值"),
    (FULL + 'full_at = "0"\n', "indicators[0].rule", "高于零分的取值"),
    (FULL + 'cutoff = "0.6"\n', "indicators[0].rule.cutoff_inclusive", "缺少"),
    (FULL + 'cutoff = "0.8"\ncutoff_inclusive = true\n', "indicators[0].rule", "低于目标值"),
    (FULL.replace('full = "10"', 'full = "0"'), "indicators[0].rule", "大于 0"),
    (with_rule(DEDUCT.replace('"0.9"', '"0"')), "indicators[0].rule", "高于零分的取值"),
    (with_rule(DEDUCT.replace('step = "1"', 'step = "0"')), "indicators[0].rule", "大于 0"),
    (
        with_rule(DEDUCT.replace('\npartial_step = "proportional"', "")),
        "indicators[0].rule.partial_step",
        "缺少",
    ),
    (
        with_rule(DEDUCT.replace('"proportional"', '"half"')),
        "indicators[0].rule.partial_step",
        "whole",
    ),
    (with_bands(), "indicators[0].rule", "至少要有一档"),
    (with_bands(band("0.9", "5")), "indicators[0].rule", "从 0 起"),
    (with_bands(band("0.9", "5"), band("0", "0", "false")), "indicators[0].rule", "从 0 起"),
    (with_bands(band("0", "0"), band("0.9", "5")), "indicators[0].rule", "从高到低"),
    (
        with_bands(band("0.9", "5"), band("0.9", "4"), band("0", "0")),
        "indicators[0].rule",
        "重叠",
    ),
    (
        with_bands(band("0.9", "5"), band("0.8", "6"), band("0", "0")),
        "indicators[0].rule",
        "要么越高越多",
    ),
    (with_rule('kind = "checklist"'), "indicators[0].rule", "至少要有一项"),
    (
        with_rule(
            'kind = "checklist"\nparts = [{ id = "a", name = "甲", points = "5" }, '
            '{ id = "a", name = "乙", points = "5" }]'
        ),
        "indicators[0].rule",
        "重复",
    ),
    (with_part('id = "a", name = "甲"'), "indicators[0].rule", "写明整张清单的分值"),
    (with_part('id = "a", name = "甲", points = "0"'), "indicators[0].rule", "大于 0"),
    (
        with_part('id = "a", name = "甲", points = "1", per_case = "0"'),
        "indicators[0].rule",
        "每缺一例",
    ),
    (
        with_part(f'id = "a", name = "甲", points = "1", rule = {{ {JUDGED} }}'),
        "indicators[0].rule",
        "不能再写分值",
    ),
    (
        with_part('id = "a", name = "甲", points = "1", overflows = true'),
        "indicators[0].rule",
        "在总分上继续扣",
    ),
    (
        with_part('id = "a", name = "甲", rule = { kind = "checklist" }'),
        "indicators[0].rule.parts[0].rule.kind",
        "proportional、deduct、bands、judgement",
    ),
    (with_part('id = "a", name = "甲", points = "1"', "2"), "indicators[0].rule", "不能高于各项"),
    (with_rule('kind = "judgement"\nfull = "5"\nleast = "6"'), "indicators[0].rule", "下限"),
    (FULL + 'better = "low"\n', "indicators[0].rule.better", "不认识的键"),
    (
        FULL.replace('target = "0.80"', 'target = "1"') + 'zero = "1.2"\nfull_at = "1"\n'
        'cutoff = "1.1"\ncutoff_inclusive = true\n',
        "indicators[0].rule",
        "零分的取值就是界限",
    ),
    (FULL.replace('weight = "10"', 'weight = "10"\nrole = "extra"'), "indicators[0].role", "bonus"),
    (
        FULL.replace('weight = "10"', 'weight = "10"\nrole = "penalty"'),
        "indicators[0].rule",
        "减分项",
    ),
    (
        FULL
        + '\n[indicators.published]\nmeasurements = [{ place = "表", parts = { a = true } }]\n',
        "indicators[0].published.measurements[0].parts",
        "只有清单",
    ),
    (
        with_part('id = "a", name = "甲", points = "1"')
        + '\n[indicators.published]\nmeasurements = [{ place = "表", parts = { b = true } }]\n',
        "indicators[0].published.measurements[0].parts",
        "没有 b 这一项",
    ),
    (
        with_part('id = "a", name = "甲", points = "1"')
        + '\n[indicators.published]\nmeasurements = [{ place = "表", parts = { a = 1 } }]\n',
        "indicators[0].published.measurements[0].parts",
        "是否做到",
    ),
    (
        FULL + '\n[published]\nsubtotals = [{ path = ["效益"], place = "附件" }]\n',
        "published.subtotals[0].points",
        "得分或者满分",
    ),
    (
        FULL + '\n[published]\ncolumns = [{ place = "表", amounts = ["1", "x"], total = "1" }]\n',
        "published.columns[0].amounts",
        "小数",
    ),
    (
        FULL + '\n[[indicators.published.measurements]]\nplace = "表"\n'
        'figures = [{ percent = "8%", number = "8" }]\n',
        "indicators[0].published.measurements[0].figures[0].number",
        "只能有一样",
    ),
    (
        FULL + '\n[[indicators.published.measurements]]\nplace = "表"\n'
        'figures = [{ amount = "8", of = "0" }]\n',
        "indicators[0].published.measurements[0].figures[0].base",
        "基数不能是 0",
    ),
    (with_rule('kind = "unknown"'), "indicators[0].rule.reason", "缺少"),
    (FULL.replace('upper = "9"', 'upper = "9.5"'), "grades[1]", "重叠"),
    (FULL.replace("upper_inclusive = false", "upper_inclusive = true"), "grades[1]", "重叠"),
    (FULL.replace('upper = "9"', 'upper = "0"'), "grades[1].upper", "高于下限"),
    (
        FULL
        + '\n[[indicators.conditions]]\nid = "x"\nname = "假"\nkind = "count"\nzero_from = 0\n',
        "indicators[0].conditions[0]",
        "至少是 1",
    ),
    (
        FULL + '\n[[indicators.published.measurements]]\nplace = "表"\n',
        "indicators[0].published.measurements[0].figures",
        "只能有一样",
    ),
    (
        FULL
        + '\n[[indicators.published.measurements]]\nplace = "表"\nfigures = [{ percent = "88" }]\n',
        "indicators[0].published.measurements[0].figures[0].percent",
        "照印的百分数",
    ),
    (
        FULL
        + '\n[[indicators.published.measurements]]\nplace = "表"\nfigures = [{ numerator = 8 }]\n',
        "indicators[0].published.measurements[0].figures[0].percent",
        "分子和基数",
    ),
    (
        FULL + '\n[[indicators.published.measurements]]\nplace = "表"\n'
        'figures = [{ percent = "8%" }, { percent = "9%" }]\n',
        "indicators[0].published.measurements[0].combine",
        "取平均",
    ),
]


@pytest.mark.parametrize(("text", "key", "reason"), BROKEN)
def test_a_broken_file_is_refused_with_key_and_reason(text: str, key: str, reason: str) -> None:
    with pytest.raises(RubricError) as caught:
        parse(text, "试.toml")
    assert (caught.value.file, caught.value.key) == ("试.toml", key)
    assert reason in caught.value.reason
    assert str(caught.value).startswith(f"试.toml：{key}：")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a = 1\nb", "文件没有写完"), ("a b = 1", "第 1 行第 3 列"), ("a = [", "不是合法的 TOML")],
)
def test_text_that_is_no_toml_is_refused_in_chinese(text: str, reason: str) -> None:
    with pytest.raises(RubricError, match=reason) as caught:
        parse(text, "试.toml")
    assert "Invalid" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="找不到"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gbk.toml"
    path.write_bytes("标题".encode("gbk"))
    with pytest.raises(RubricError, match="读不出来"):
        load(path)


def test_a_file_from_notepad_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_text(FULL, encoding="utf-8-sig")
    assert load(path).id == "test"


@pytest.mark.parametrize("rubric_id", bundled())
def test_a_bundled_rubric_is_named_as_its_file(rubric_id: str) -> None:
    assert load_bundled(rubric_id).id == rubric_id


def test_a_rubric_that_is_not_bundled_is_refused() -> None:
    with pytest.raises(RubricError, match="public-health-2021"):
        load_bundled("none")


@pytest.mark.parametrize(
    ("low", "high", "meets"),
    [
        ("0", "1", False),
        ("0", "2", False),
        ("0", "3", True),
        ("2", "4", True),
        ("3", "3", True),
        ("4", "9", False),
        ("2.5", "2.6", True),
        ("5", "9", False),
    ],
)
def test_an_open_span_meets_a_range_only_inside(low: str, high: str, meets: bool) -> None:
    span = Span(Decimal(2), False, Decimal(4), False)
    assert span.meets(Decimal(low), Decimal(high)) is meets
