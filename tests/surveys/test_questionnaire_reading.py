"""A file that is no questionnaire is refused with every place and reason, in Chinese."""

import re
from decimal import Decimal
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

SCORED = {"question": "q1", "credit": {"good": 100, "bad": 0}}


def score(**changes: object) -> Document:
    return measure("m", kind="score", **changes)


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
    "a part of an answer for an option that is not positive": (
        document(measures=[measure("m", items=[{**TWO_ITEMS[0], "credit": {"bad": "0.5"}}])]),
        ("measures.m.items.q1.credit", "选项“bad”不在 positive 里"),
    ),
    "more than a whole answer": (
        document(measures=[measure("m", items=[{**TWO_ITEMS[0], "credit": {"good": 1.5}}])]),
        ("measures.m.items.q1.credit", "选项“good”折算不能大于 1"),
    ),
    "a credit for an option that is not there": (
        document(measures=[measure("m", items=[{**TWO_ITEMS[0], "credit": {"great": 1}}])]),
        ("measures.m.items.q1.credit", "题目“q1”没有选项“great”"),
    ),
    "credits for shares per option": (
        document(
            MULTIPLE,
            measures=[
                measure("m", per_option=True, items=[{**TWO_ITEMS[0], "credit": {"good": 0.5}}])
            ],
        ),
        ("measures.m.items.q1.credit", "逐项占比不能折算"),
    ),
    "weights where all answers count alike": (
        document(
            measures=[
                measure(
                    "m", composite="pooled", items=[{**TWO_ITEMS[0], "weight": 2}, TWO_ITEMS[1]]
                )
            ]
        ),
        ("measures.m.items", "只有 mean 和 person 能给题目写权重（weight）"),
    ),
    "a score without the points of an option": (
        document(measures=[score(items=[{"question": "q1", "credit": {"good": 100}}])]),
        ("measures.m.items.q1.credit", "没有写明选项“bad”计多少分（0–100）"),
    ),
    "a score with positive options": (
        document(measures=[score(items=[{**SCORED, "positive": ["good"]}])]),
        ("measures.m.items.q1.positive", "score 不能写这一项"),
    ),
    "a score of shares per option": (
        document(MULTIPLE, measures=[score(items=[SCORED], per_option=True)]),
        ("measures.m.per_option", "score 不能写这一项"),
    ),
    "a score of those who did not answer": (
        document(measures=[score(items=[SCORED], base="interviewed")]),
        ("measures.m.base", "没有作答就没有分数，只能写 valid"),
    ),
    "a score of those who do not know": (
        document(
            question("q1", options=[option("good", "满意"), option("bad", "不满意"), UNSURE]),
            measures=[score(items=[SCORED])],
        ),
        ("measures.m.dont_know", "不清楚没有分数，只能写 left_out"),
    ),
    "net promoters of another question": (
        document(measures=[measure("m", kind="nps", items=[{"question": "q1"}])]),
        ("measures.m.items.q1", "净推荐值只能对 nps 题"),
    ),
    "net promoters by a rule of one's own": (
        document(
            {**question("q1", kind="nps"), "options": []},
            measures=[measure("m", kind="nps", items=[{"question": "q1", "credit": {"8": 1}}])],
        ),
        ("measures.m.items.q1.credit", "净推荐值的算法是固定的，不能写这一项"),
    ),
    "another reading of nothing": (
        document(measures=[measure("m", reading_of="n")]),
        ("measures.m.reading_of", "没有另一个测量项“n”"),
    ),
    "another reading of itself": (
        document(measures=[measure("m", reading_of="m")]),
        ("measures.m.reading_of", "没有另一个测量项“m”"),
    ),
    "a reading of a reading": (
        document(
            measures=[
                measure("m"),
                measure("n", reading_of="m"),
                measure("o", reading_of="n"),
            ]
        ),
        ("measures.o.reading_of", "“n”自己就是另一种口径，请写它所指的测量项"),
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
        ("measures.m.composite", "含多道题，须写明合成方式（mean、pooled 或 person）"),
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


def of_kind(kind: str, **changes: object) -> Document:
    return question("q1", **{"kind": kind, "options": [], **changes})


def routed(**changes: object) -> Document:
    """Three questions: a single choice, a number, and one that the changes are about."""
    return document(
        question("q1"),
        question("q2", kind="number", options=[], unit="次"),
        question("q3", **changes),
    )


MATRIX = of_kind("matrix", points=5, rows=[{"id": "a", "text": "甲"}, {"id": "b", "text": "乙"}])
RATE = measure("m")

KINDS = {
    "a limit on a single choice": (
        document(question("q1", most=1)),
        ("questions.q1.most", "single 题不能写这一项"),
    ),
    "options of an information": (
        document(of_kind("information", options=[UNSURE])),
        ("questions.q1.options", "information 题不能写这一项"),
    ),
    "a unit of a date": (
        document(of_kind("date", unit="天")),
        ("questions.q1.unit", "date 题不能写这一项"),
    ),
    "a scale with neither points nor options": (
        document(of_kind("scale")),
        ("questions.q1.options", "至少要有 2 项，现有 0 项"),
    ),
    "a scale with points and ordinary options": (
        document(of_kind("scale", points=5, options=[option("good", "满意")])),
        ("questions.q1.options.good", "这种题只能有不清楚、不适用的选项"),
    ),
    "ends of a scale of options": (
        document(question("q1", kind="scale", ends=["低", "高"])),
        ("questions.q1.ends", "写明 points 时才能写两端的文字"),
    ),
    "a matrix without rows": (
        document(of_kind("matrix", points=5)),
        ("questions.q1.rows", "矩阵题至少要有一行"),
    ),
    "two rows with one id": (
        document(of_kind("matrix", points=5, rows=[{"id": "a", "text": "甲"}] * 2)),
        ("questions.q1.rows.a", "编号“a”出现了 2 次"),
    ),
    "a ranking of one": (
        document(of_kind("ranking", options=[option("a", "甲"), UNSURE])),
        ("questions.q1.options", "至少要有 2 个可以排序的选项"),
    ),
    "more choices than options": (
        document(question("q1", kind="multiple", most=3)),
        ("questions.q1.most", "只有 2 个选项"),
    ),
    "fewest above most": (
        document(question("q1", kind="multiple", fewest=2, most=1)),
        ("questions.q1.most", "不能小于 fewest"),
    ),
    "lowest above highest": (
        document(of_kind("number", lowest=2, highest=1.5)),
        ("questions.q1.highest", "不能小于 lowest"),
    ),
    "earliest after latest": (
        document(of_kind("date", earliest="2026-03-05", latest="2026-03-04")),
        ("questions.q1.latest", "不能小于 earliest"),
    ),
    "words beside a scale's option": (
        document(
            question("q1", kind="scale", options=[UNSURE, option("a", "甲", takes_text=True)])
        ),
        ("questions.q1.options.a.takes_text", "只有单选题、多选题的选项能写这一项"),
    ),
    "an exclusive option of a single choice": (
        document(question("q1", options=[UNSURE, option("a", "甲", exclusive=True)])),
        ("questions.q1.options.a.exclusive", "只有多选题的选项能写这一项"),
    ),
    "a rate over a whole matrix": (
        document(MATRIX, measures=[RATE]),
        ("measures.m.items.q1", "矩阵题须写明是哪一行（题目编号.行编号）"),
    ),
    "a rate over a row that is not there": (
        document(MATRIX, measures=[measure("m", items=[{"question": "q1.c", "positive": ["5"]}])]),
        ("measures.m.items", "没有题目“q1.c”"),
    ),
    "a rate over numbers": (
        document(of_kind("number"), measures=[RATE]),
        ("measures.m.items.q1", "这种题不能算率"),
    ),
    "a table of a whole matrix": (
        document(MATRIX, tables=[table(questions=["q1"], headings=["甲"])]),
        ("tables.table-1.questions", "矩阵题“q1”须写明是哪一行（题目编号.行编号）"),
    ),
    "numbers beside each other": (
        document(of_kind("number"), tables=[table(questions=["q1"], headings=["甲"])]),
        ("tables.table-1.questions", "并列的表里不能有数字题"),
    ),
    "a constraint that says nothing": (
        routed(constraint="q3 = 'good'"),
        ("questions.q3.constraint_message", "条件与不符时的提示须一起写"),
    ),
    "an expression that cannot be read": (
        routed(relevant="q1 = "),
        ("questions.q3.relevant", "第 6 个字：这里应为题目编号、数字或加引号的文字，不是结尾"),
    ),
    "an expression over what comes later": (
        document(question("q1", relevant="q2 = 'good'"), question("q2")),
        ("questions.q1.relevant", "第 1 个字：前面没有题目“q2”，只能引用前面的题目"),
    ),
    "an expression over the question itself": (
        routed(relevant="q3 = 'good'"),
        ("questions.q3.relevant", "第 1 个字：前面没有题目“q3”，只能引用前面的题目"),
    ),
    "an expression over an option that is not there": (
        routed(relevant="q1 = 'great'"),
        ("questions.q3.relevant", "第 6 个字：题目“q1”没有“great”这样的回答"),
    ),
    "a choice of an option that is not there": (
        routed(relevant="selected(q1, 'great')"),
        ("questions.q3.relevant", "第 10 个字：题目“q1”没有选项“great”"),
    ),
    "a choice among numbers": (
        routed(relevant="selected(q2, 'a')"),
        ("questions.q3.relevant", "第 10 个字：题目“q2”不是单选题或多选题"),
    ),
    "an order of options": (
        routed(relevant="q1 < 'good'"),
        ("questions.q3.relevant", "第 1 个字：题目“q1”的选项不能比大小"),
    ),
    "a number that is compared with a word": (
        routed(relevant="not ('many' = q2)"),
        ("questions.q3.relevant", "第 6 个字：题目“q2”没有“many”这样的回答"),
    ),
    "several choices that are compared with one": (
        document(MULTIPLE, question("q2", relevant="q1 = 'good'")),
        (
            "questions.q2.relevant",
            "第 1 个字：题目“q1”不能直接比较，请用 selected、count 或 answered",
        ),
    ),
    "an expression over a text that will be erased": (
        document(of_kind("text"), question("q2", relevant="answered(q1)")),
        ("questions.q2.relevant", "第 10 个字：题目“q1”的回答不能用在条件里"),
    ),
    "a language that has no name": (
        document(translations={"xx": {"title": "?"}}),
        (
            "translations.xx",
            "不支持的语言，可以用 zh-Hans、zh-Hant、en、ar、bo、ii、kk-Arab、ko、mn、ug、za",
        ),
    ),
    "a translation into its own language": (
        document(translations={"zh-Hans": {"title": "卫生院"}}),
        ("translations.zh-Hans", "这就是问卷本来的语言"),
    ),
    "a translation of what is not there": (
        document(translations={"en": {"title": "Clinic", "questions.q9.text": "?"}}),
        ("translations.en.questions.q9.text", "问卷里没有这一处文字"),
    ),
}


@pytest.mark.parametrize(("given", "fault"), KINDS.values(), ids=KINDS)
def test_what_does_not_suit_a_kind_is_refused(given: Document, fault: tuple[str, str]) -> None:
    assert faults(given) == [fault]


def test_a_section_is_asked_after_earlier_sections_only() -> None:
    given = document()
    given["sections"][0]["relevant"] = "q1 = 'good'"
    reason = "第 1 个字：前面没有题目“q1”，只能引用前面的题目"
    assert faults(given) == [("sections.all.relevant", reason)]


def test_every_fault_of_an_expression_is_reported() -> None:
    given = routed(relevant="q8 = 'a' or q1 = 'b' or count(q9) > 1 or selected(q7, 'a')")
    places = [reason.partition("：")[0] for _place, reason in faults(given)]
    assert places == ["第 1 个字", "第 18 个字", "第 31 个字", "第 51 个字"]


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
    "a word where a number belongs": (
        document(question("q1", kind="number", lowest="viel")),
        ("sections[1].questions[1].lowest", "应为数字"),
    ),
    "an endless number": (
        document(question("q1", kind="number", highest=float("inf"))),
        ("sections[1].questions[1].highest", "应为数字"),
    ),
    "a word where a date belongs": (
        document(question("q1", kind="date", latest="heute")),
        ("sections[1].questions[1].latest", "应为日期，如 2026-03-05"),
    ),
    "three ends": (
        document(question("q1", kind="nps", ends=["低", "中", "高"])),
        ("sections[1].questions[1].ends", "最多 2 项，现有 3 项"),
    ),
    "one end": (
        document(question("q1", kind="nps", ends=["低"])),
        ("sections[1].questions[1].ends[2]", "缺少这一项"),
    ),
    "an empty translation": (
        document(translations={"en": {"title": ""}}),
        ("translations.en.title", "不能为空"),
    ),
    "text where translations belong": (
        document(translations="en"),
        ("translations", "应为一组键值"),
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


def test_a_measure_keeps_its_credits_and_weights_exactly() -> None:
    items = [
        {"question": "q1", "positive": ["good", "bad"], "credit": {"bad": 0.9}, "weight": 0.6},
        {"question": "q2", "positive": ["good"], "weight": "0.4"},
    ]
    read = parse_document(
        document(measures=[measure("m", composite="person", items=items)]), "clinic.toml"
    )
    first, second = read.measure("m").items
    assert (first.credit, first.weight) == ({"bad": Decimal("0.9")}, Decimal("0.6"))
    assert (second.credit, second.weight) == ({}, Decimal("0.4"))
    assert parse_json(dump_json(read), "snapshot") == read
