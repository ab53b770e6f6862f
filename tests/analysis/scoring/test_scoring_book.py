"""A rubric as tables: every bundled one says the same there and back, every fault by its cell."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.scoring import toml
from analysis.scoring.audit import FindingKind, audit
from analysis.scoring.book import SHEETS, Book, BookRefused, Line
from analysis.scoring.book_reading import document_of
from analysis.scoring.book_writing import book_of, rubric_text
from analysis.scoring.rubric import FOLDER, RubricError, bundled, load_bundled, parse, read
from analysis.scoring.wording import rule_text
from tests.analysis.scoring.test_scoring_audit import CLEAN

EXAMPLE = (FOLDER.parent / "example.toml").read_text(encoding="utf-8")


def changed(book: Book, sheet: str, row: int, **cells: str) -> Book:
    """Return a book with other cells in one row; double underscores stand for dots."""
    lines = list(book[sheet])
    new = {key.replace("__", "."): text for key, text in cells.items()}
    lines[row] = Line(lines[row].number, {**lines[row].cells, **new})
    return {**book, sheet: lines}


def told(book: Book) -> list[tuple[str, int, str, str]]:
    with pytest.raises(BookRefused) as refusal:
        document_of(book)
    return [(each.sheet, each.row, each.column, each.reason) for each in refusal.value.faults]


@pytest.fixture
def book() -> Book:
    return book_of(tomllib.loads(EXAMPLE))


@pytest.mark.parametrize("rubric_id", bundled())
def test_every_bundled_rubric_is_the_same_through_tables(rubric_id: str) -> None:
    document = tomllib.loads((FOLDER / f"{rubric_id}.toml").read_text(encoding="utf-8"))
    again = parse(rubric_text(book_of(document)), "again")
    assert again == load_bundled(rubric_id)
    assert audit(again) == audit(load_bundled(rubric_id))


@pytest.mark.parametrize("text", [CLEAN, EXAMPLE])
def test_other_rubrics_are_too(text: str) -> None:
    assert parse(rubric_text(book_of(tomllib.loads(text))), "again") == parse(text, "first")


def test_what_tables_cannot_say_is_refused_and_not_lost() -> None:
    document = tomllib.loads(EXAMPLE)
    document["indicators"][0]["path"] = ["一", "二", "三", "四", "五"]
    with pytest.raises(RubricError, match="有表格写不下的内容"):
        book_of(document)


def test_no_two_columns_of_a_sheet_have_one_name() -> None:
    for table in SHEETS:
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names)), table.title
    assert len({table.title for table in SHEETS}) == len(SHEETS)


@pytest.mark.parametrize(
    ("sheet", "row", "cells", "fault"),
    [
        ("indicators", 0, {"weight": "五"}, ("weight", "应当是不小于 0 的数，例如 2.5")),
        ("indicators", 0, {"weight": ""}, ("weight", "缺少这一项")),
        ("indicators", 0, {"rule__target": "95"}, ("rule.target", "请写成百分数，例如 90%")),
        (
            "indicators",
            0,
            {"rule__step": "1"},
            ("rule.step", "这里用不到这一栏，请清空，或者改选细则"),
        ),
        ("indicators", 4, {"rule__partial_step": ""}, ("rule.partial_step", "缺少这一项")),
        ("indicators", 4, {"rule__kind": "扣光法"}, ("rule.kind", "应当是完成率法、")),
        ("indicators", 0, {"code": "B1"}, ("code", "代码 B1 重复")),
        ("indicators", 2, {"path__0": ""}, ("path.0", "上一级不能空着")),
        ("indicators", 2, {"note": "\x07"}, ("note", "含有不能保存的控制字符，请删去")),
        ("indicators", 2, {"note": "长" * 2001}, ("note", "太长，最多 2000 个字")),
        ("indicators", 4, {"measured__percent": "88,5%"}, ("measured.percent", "应当照印写")),
        ("bands", 1, {"lower": "9"}, ("rule.kind", "各档要从高到低排列")),
        ("bands", 1, {"code": "A9"}, ("code", "“指标”表里没有这个代码")),
        ("bands", 1, {"part": "x"}, ("part", "这个指标没有这个分项")),
        ("parts", 0, {"points": "0"}, ("rule.kind", "分值必须大于 0")),
        ("grades", 1, {"upper": "28"}, ("name", "“优”和“良”重叠或次序颠倒")),
        ("about", 0, {"full_marks": ""}, ("full_marks", "缺少这一项")),
        ("about", 0, {"rounding__places": "99"}, ("rounding.places", "最多 8 位小数")),
    ],
)
def test_a_fault_is_told_by_its_cell(
    sheet: str, row: int, cells: dict[str, str], fault: tuple[str, str], book: Book
) -> None:
    (found,) = told(changed(book, sheet, row, **cells))
    assert found[2] == fault[0]
    assert found[3].startswith(fault[1])


def test_faults_of_several_rows_come_at_once(book: Book) -> None:
    two = changed(changed(book, "indicators", 0, weight="x"), "grades", 2, lower="y")
    assert [(each[0], each[1]) for each in told(two)] == [("indicators", 1), ("grades", 3)]
    rules = changed(book, "indicators", 0, rule__full="0")
    rules = changed(rules, "indicators", 4, rule__step="0")
    assert [each[1] for each in told(rules)] == [1, 5]


def test_a_figure_of_the_row_is_a_measurement(book: Book) -> None:
    figures = {
        "measured__percent": "97.22%",
        "measured__base": "103",
        "published__annex__points": "8",
    }
    rubric = read(document_of(changed(book, "indicators", 4, **figures)), "typed")
    kinds = [each.kind for each in audit(rubric) if each.code == "B2"]
    assert kinds == [FindingKind.IMPOSSIBLE_PERCENTAGE]
    assert rubric.indicator("B2").published.measurements[0].place == "报告"


@pytest.mark.parametrize("rubric_id", bundled())
def test_every_rule_can_be_told_in_words(rubric_id: str) -> None:
    for indicator in load_bundled(rubric_id).indicators:
        assert rule_text(indicator.rule)


def test_a_rule_says_what_it_encodes() -> None:
    rubric = parse(EXAMPLE, "example")
    assert [rule_text(each.rule) for each in rubric.indicators] == [
        "达到目标 95% 得 5 分，达不到按比例（0% 得 0 分，95% 得满分），低于 60% 不得分",
        "“档案不完整” 3 分，每例扣 0.5 分；“建立查验制度” 2 分",
        "≥ 8 项 得 5 分；≥ 6 项，< 8 项 得 3 分；≥ 0 项，< 6 项 得 0 分",
        "由人评定，最多 5 分，要给至少 1 分",
        "达到目标 95% 得 8 分，每低 1 个百分点扣 0.5 分，扣完为止",
        "无法计分：文件里这一行的评分标准看不清",
    ]


SCALARS = st.text(max_size=8) | st.booleans() | st.integers(0, 10**6)
FLAT = st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
DOCUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        SCALARS | st.lists(st.text(max_size=5), max_size=3) | FLAT,
        lambda inner: (
            st.dictionaries(st.text(max_size=5), inner, max_size=3)
            | st.lists(st.dictionaries(st.text(max_size=5), inner, max_size=3), max_size=3)
        ),
        max_leaves=12,
    ),
    max_size=4,
)


@given(DOCUMENTS)
def test_written_toml_reads_back(document: dict[str, object]) -> None:
    assert tomllib.loads(toml.dump(document)) == document


def test_huge_numbers_and_deep_brackets_are_refused() -> None:
    many = EXAMPLE.replace('weight = "8"', f'weight = "0.{"1" * 60}"')
    with pytest.raises(RubricError, match="位数太多"):
        parse(many, "many")
    with pytest.raises(RubricError):
        parse("a = " + "[" * 100_000, "deep")
    with pytest.raises(RubricError, match="最多 8 位小数"):
        parse(EXAMPLE.replace("places = 2", "places = 999999999"), "long")
