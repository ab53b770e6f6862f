"""A file that is no questionnaire is refused with every place and reason, in Chinese."""

import re
from pathlib import Path
from typing import Any

import pytest

from surveys.contradictions import Fault
from surveys.questionnaire import OptionKind, QuestionKind
from surveys.reading import (
    FORMAT,
    QuestionnaireError,
    digest,
    dump_json,
    load,
    parse_document,
    parse_json,
    parse_toml,
)

Document = dict[str, Any]


def option(code: str, text: str, **changes: object) -> Document:
    return {"code": code, "text": text, **changes}


def question(question_id: str, **changes: object) -> Document:
    return {
        "id": question_id,
        "number": question_id.removeprefix("q"),
        "text": "您满意吗？",
        "kind": "single",
        "options": [option("good", "满意"), option("bad", "不满意")],
        **changes,
    }


def measure(measure_id: str, **changes: object) -> Document:
    return {
        "id": measure_id,
        "name": "满意度",
        "kind": "satisfaction",
        "base": "valid",
        "dont_know": "in_base",
        "items": [{"question": "q1", "positive": ["good"]}],
        **changes,
    }


def table(**changes: object) -> Document:
    return {
        "id": "table-1",
        "title": "表1",
        "layout": "side_by_side",
        "questions": ["q1", "q2"],
        "headings": ["甲", "乙"],
        **changes,
    }


def document(*questions: Document, **changes: object) -> Document:
    asked = list(questions) or [question("q1"), question("q2")]
    return {
        "format": FORMAT,
        "id": "clinic",
        "version": 1,
        "title": "卫生院满意度调查",
        "language": "zh-Hans",
        "introduction": "请您如实填写。",
        "source": {"document": "made up for the tests", "place": "nowhere"},
        "sections": [{"id": "all", "title": "全部", "questions": asked}],
        **changes,
    }


def faults(given: object) -> list[tuple[str, str]]:
    with pytest.raises(QuestionnaireError) as caught:
        parse_document(given, "clinic.toml")
    return [(fault.place, fault.reason) for fault in caught.value.faults]


UNSURE = option("unsure", "不清楚", kind="dont_know")
MULTIPLE = question("q1", kind="multiple")
TWO_ITEMS = [
    {"question": "q1", "positive": ["good"]},
    {"question": "q2", "positive": ["good"]},
]

CONTRADICTIONS = {
    "an unknown option counts as positive": (
        document(measures=[measure("m", items=[{"question": "q1", "positive": ["great"]}])]),
        ("measures.m.items.q1.positive", "题目“q1”没有选项“great”"),
    ),
    "an unknown option counts as unsure": (
        document(
            measures=[
                measure("m", items=[{"question": "q1", "positive": ["good"], "unsure": ["eh"]}])
            ]
        ),
        ("measures.m.items.q1.unsure", "题目“q1”没有选项“eh”"),
    ),
    "nothing counts as positive": (
        document(measures=[measure("m", items=[{"question": "q1", "positive": []}])]),
        ("measures.m.items.q1.positive", "没有写明哪些选项算作肯定回答"),
    ),
    "a measure over a missing question": (
        document(measures=[measure("m", items=[{"question": "q9", "positive": ["good"]}])]),
        ("measures.m.items", "没有题目“q9”"),
    ),
    "two questions with one id": (
        document(question("q1"), question("q1")),
        ("questions.q1", "编号“q1”出现了 2 次"),
    ),
    "two options with one code": (
        document(question("q1", options=[option("good", "满意"), option("good", "很满意")])),
        ("questions.q1.options.good", "编号“good”出现了 2 次"),
    ),
    "two measures with one id": (
        document(measures=[measure("m"), measure("m")]),
        ("measures.m", "编号“m”出现了 2 次"),
    ),
    "two sections with one id": (
        document(
            sections=[
                {"id": "all", "title": "甲", "questions": [question("q1")]},
                {"id": "all", "title": "乙", "questions": [question("q2")]},
            ]
        ),
        ("sections.all", "编号“all”出现了 2 次"),
    ),
    "two tables with one id": (
        document(tables=[table(), table()]),
        ("tables.table-1", "编号“table-1”出现了 2 次"),
    ),
    "several questions without a composite rule": (
        document(measures=[measure("m", items=TWO_ITEMS)]),
        ("measures.m.composite", "含多道题，须写明合成方式（mean 或 pooled）"),
    ),
    "one question with a composite rule": (
        document(measures=[measure("m", composite="mean")]),
        ("measures.m.composite", "只有一道题，不能写合成方式"),
    ),
    "a share per option over several questions": (
        document(
            question("q1", kind="multiple"),
            question("q2", kind="multiple"),
            measures=[measure("m", items=TWO_ITEMS, composite="mean", per_option=True)],
        ),
        ("measures.m.per_option", "逐项占比只能对一道题"),
    ),
    "a rate over a select-all question": (
        document(MULTIPLE, measures=[measure("m")]),
        ("measures.m.items.q1", "多选题须用逐项占比（per_option），单选题不能用"),
    ),
    "a share per option of a single-choice question": (
        document(measures=[measure("m", per_option=True)]),
        ("measures.m.items.q1", "多选题须用逐项占比（per_option），单选题不能用"),
    ),
    "a side-by-side table of questions with different options": (
        document(
            question("q1"),
            question("q2", options=[option("yes", "是"), option("no", "否")]),
            tables=[table()],
        ),
        ("tables.table-1.questions", "并列的题目选项文字须完全相同"),
    ),
    "a table of a missing question": (
        document(tables=[table(questions=["q1", "q9"])]),
        ("tables.table-1.questions", "没有题目“q9”"),
    ),
    "a question without options": (
        document(question("q1", options=[])),
        ("questions.q1.options", "至少要有 2 项，现有 0 项"),
    ),
    "a single-choice question of several lines": (
        document(question("q1", multiline=True)),
        ("questions.q1.multiline", "single 题不能写这一项"),
    ),
    "a text question with ordinary options": (
        document(question("q1", kind="text", options=[option("good", "满意"), UNSURE])),
        ("questions.q1.options.good", "这种题只能有不清楚、不适用的选项"),
    ),
    "a rate over typed texts": (
        document(
            question("q1", kind="text", options=[UNSURE]),
            measures=[measure("m", items=[{"question": "q1", "positive": ["unsure"]}])],
        ),
        ("measures.m.items.q1", "这种题不能算率"),
    ),
    "a frequency table of typed texts": (
        document(
            question("q1", kind="text", options=[]),
            tables=[table(questions=["q1"], headings=["甲"])],
        ),
        ("tables.table-1.questions", "题目“q1”不能列频数"),
    ),
    "a table with too few headings": (
        document(tables=[table(headings=["甲"])]),
        ("tables.table-1.headings", "有 2 道题，标题须同样多"),
    ),
}


@pytest.mark.parametrize(("given", "fault"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_refused_with_its_place(given: Document, fault: tuple[str, str]) -> None:
    assert faults(given) == [fault]


SHAPES = {
    "a misspelt key": (document(titel="x"), ("titel", "不认识的项，请检查拼写")),
    "a misspelt key of a question": (
        document(question("q1", requird=False)),
        ("sections[1].questions[1].requird", "不认识的项，请检查拼写"),
    ),
    "an unknown kind of question": (
        document(question("q1", kind="free")),
        (
            "sections[1].questions[1].kind",
            f"取值只能是 {'、'.join(QuestionKind)}",
        ),
    ),
    "an empty text": (document(title=""), ("title", "不能为空")),
    "a long text": (document(title="长" * 2001), ("title", "最多 2000 个字符")),
    "a number for a text": (document(title=3), ("title", "应为文字")),
    "a text for a version": (document(version="一"), ("version", "应为整数")),
    "version 0": (document(version=0), ("version", "不能小于 1")),
    "too many decimals": (
        document(measures=[measure("m", decimals=7)]),
        ("measures[1].decimals", "不能大于 6"),
    ),
    "a Chinese id": (
        document(question("题一")),
        ("sections[1].questions[1].id", "只能用小写字母、数字、_ 和 -，以字母开头"),
    ),
    "text where a list belongs": (document(sections="全部"), ("sections", "应为列表")),
    "text where a table belongs": (document(source="report"), ("source", "应为一组键值")),
    "text where a switch belongs": (
        document(question("q1", required="maybe")),
        ("sections[1].questions[1].required", "应为 true 或 false"),
    ),
}


@pytest.mark.parametrize(("given", "fault"), SHAPES.values(), ids=SHAPES)
def test_a_wrong_shape_is_refused_with_its_place(given: Document, fault: tuple[str, str]) -> None:
    assert fault in faults(given)


def test_a_broken_question_is_not_counted_as_absent_too() -> None:
    given = document(question("q1", requird=False), question("q2"))
    assert [place for place, _reason in faults(given)] == ["sections[1].questions[1].requird"]


def test_a_missing_key_is_named() -> None:
    given = document()
    del given["source"]["place"]
    assert faults(given) == [("source.place", "缺少这一项")]


@pytest.mark.parametrize(
    "given", [document(version=1.5), document(measures=[measure("m", decimals=1.5)])]
)
def test_a_broken_number_is_refused_in_chinese(given: Document) -> None:
    ((_place, reason),) = faults(given)
    assert re.search(r"[\u4e00-\u9fff]", reason), reason


@pytest.mark.parametrize("name", ["key", "area", "channel", "batch"])
def test_a_question_may_not_be_named_like_a_column_of_ours(name: str) -> None:
    """`key` is a field of the residents' form, and all four are columns of the frame."""
    assert [place for place, _reason in faults(document(question(name), question("q2")))]


@pytest.mark.parametrize("given", [{}, [], "text", None, {"format": "minping.questionnaire/2"}])
def test_another_format_is_refused(given: object) -> None:
    assert faults(given) == [("format", f"应为 {FORMAT}")]


def test_every_contradiction_is_reported_at_once() -> None:
    given = document(
        question("q1", options=[option("good", "满意"), option("good", "很满意")]),
        question("q1"),
        measures=[
            measure("m", items=[{"question": "q1", "positive": []}]),
            measure("n", items=[{"question": "q9", "positive": ["good"]}]),
        ],
        tables=[table(questions=["q8", "q9"])],
    )
    assert [place for place, _reason in faults(given)] == [
        "questions.q1",
        "questions.q1.options.good",
        "measures.m.items.q1.positive",
        "measures.n.items",
        "tables.table-1.questions",
        "tables.table-1.questions",
    ]


def test_every_wrong_shape_is_reported_at_once() -> None:
    given = document(version=0, title="", titel="x")
    assert {place for place, _reason in faults(given)} == {"version", "title", "titel"}


def test_a_refusal_says_file_place_and_reason() -> None:
    with pytest.raises(QuestionnaireError, match=r"^clinic\.toml：version：不能小于 1$"):
        parse_document(document(version=0), "clinic.toml")


def test_bad_toml_is_refused() -> None:
    with pytest.raises(QuestionnaireError, match=r"clinic\.toml：文件：不是有效的 TOML"):
        parse_toml("format = ", "clinic.toml")


def test_bad_json_is_refused() -> None:
    with pytest.raises(QuestionnaireError, match="clinic：文件：不是有效的 JSON"):
        parse_json("{", "clinic")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionnaireError) as caught:
        load(tmp_path / "none.toml")
    assert caught.value.file == "none.toml"
    assert caught.value.faults[0].place == "文件"


def test_a_file_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gbk.toml"
    path.write_bytes('title = "问卷"'.encode("gbk"))
    with pytest.raises(QuestionnaireError, match="无法读取"):
        load(path)


def test_defaults_need_not_be_written() -> None:
    (first, _second) = parse_document(document(), "clinic.toml").questions
    assert (first.required, first.hint) == (True, "")
    assert first.kind is QuestionKind.SINGLE
    assert first.options[0].kind is OptionKind.ORDINARY


def test_unsure_options_are_read_from_the_question() -> None:
    asked = question("q1", options=[option("good", "满意"), UNSURE])
    read = parse_document(document(asked, measures=[measure("m")]), "clinic.toml")
    assert read.measure("m").items[0].unsure == {"unsure"}


def test_unsure_options_that_a_measure_names_stay() -> None:
    items = [{"question": "q1", "positive": ["good"], "unsure": ["bad"]}]
    asked = question("q1", options=[option("good", "满意"), option("bad", "不满意"), UNSURE])
    read = parse_document(document(asked, measures=[measure("m", items=items)]), "clinic.toml")
    assert read.measure("m").items[0].unsure == {"bad"}


def test_a_snapshot_reads_back_as_the_same_questionnaire() -> None:
    read = parse_document(document(measures=[measure("m")], tables=[table()]), "clinic.toml")
    assert parse_json(dump_json(read), "clinic") == read


def test_another_word_is_another_digest() -> None:
    first = parse_document(document(), "clinic.toml")
    second = parse_document(document(title="卫生院满意度调查。"), "clinic.toml")
    assert digest(first) != digest(second)


def test_a_fault_is_a_value() -> None:
    assert Fault("version", "不能小于 1") == Fault("version", "不能小于 1")


@pytest.mark.parametrize("find", ["question", "measure"])
def test_asking_for_what_is_not_there_raises(find: str) -> None:
    read = parse_document(document(), "clinic.toml")
    with pytest.raises(KeyError):
        getattr(read, find)("q9")


def test_not_knowing_cannot_be_a_positive_answer() -> None:
    options = [option("good", "满意"), option("unsure", "不清楚", kind="dont_know")]
    items = [{"question": "q1", "positive": ["good", "unsure"]}]
    given = document(question("q1", options=options), measures=[measure("m", items=items)])
    (fault,) = faults(given)
    assert fault[0] == "measures.m.items.q1.positive"
    assert "unsure" in fault[1]


def test_a_word_is_no_switch() -> None:
    assert faults(document(question("q1", required="no"))) == [
        ("sections[1].questions[1].required", "应为 true 或 false")
    ]


def test_a_file_saved_by_notepad_is_read(tmp_path: Path) -> None:
    bundled = Path(__file__).parents[2] / "surveys/library/beian-2020-printed.toml"
    copy = tmp_path / "notepad.toml"
    copy.write_text(bundled.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load(copy) == load(bundled)
