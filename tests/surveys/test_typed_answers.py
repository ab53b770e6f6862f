"""Answers in people's own words: cleaned, limited, and kept apart from the coded ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.answers import AnswerSheet, InvalidAnswers, check
from surveys.questionnaire import (
    Option,
    OptionKind,
    Question,
    QuestionKind,
    Questionnaire,
    Section,
    Source,
)

UNSURE = Option("unsure", "说不清", OptionKind.DONT_KNOW)
REFUSED = Option("none", "不适用", OptionKind.NOT_APPLICABLE)
CHANNELS = (Option("board", "宣传栏"), Option("other", "其他，请写明", takes_text=True))
QUESTIONS = (
    Question("wish", "1", "您有什么建议？", QuestionKind.TEXT, longest=20, multiline=True),
    Question("name", "2", "哪家卫生室？", QuestionKind.TEXT, (UNSURE, REFUSED), required=False),
    Question("heard", "3", "从哪里知道？", QuestionKind.SINGLE, CHANNELS, longest=5),
    Question("seen", "4", "在哪里见过？", QuestionKind.MULTIPLE, CHANNELS, required=False),
)
ASKED = Questionnaire(
    id="clinic",
    version=1,
    title="卫生院调查",
    language="zh-Hans",
    introduction="请您如实填写。",
    source=Source("made up for the tests", "nowhere"),
    sections=(Section("all", "全部", QUESTIONS),),
)
FILLED = {"wish": "多开药", "heard": "board"}


def sheet(**fields: str) -> AnswerSheet:
    return check(ASKED, {name.replace("__", "."): [text] for name, text in fields.items()})


def faults(**fields: str) -> list[tuple[str, str]]:
    raw = {name.replace("__", "."): [text] for name, text in fields.items()}
    with pytest.raises(InvalidAnswers) as caught:
        check(ASKED, raw)
    return [(fault.field or fault.question, fault.kind.value) for fault in caught.value.faults]


def test_a_text_lies_apart_from_the_answers() -> None:
    found = sheet(**FILLED)
    assert found.texts == {"wish": "多开药"}
    assert found.answers == {"heard": "board"}


def test_a_text_changes_no_digest() -> None:
    assert sheet(**FILLED).digest() == sheet(**{**FILLED, "wish": "少开药"}).digest()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  好\t的 ", "好 的"),
        ("一\r\n二\r三\u2028四", "一\n二\n三\n四"),
        ("好\x00的\x07\x1b[0m", "好的[0m"),
        ("好\ud83d的", "好的"),
        ("ئۇيغۇر\u200cچە", "ئۇيغۇر\u200cچە"),
    ],
)
def test_a_text_is_cleaned(typed: str, kept: str) -> None:
    assert sheet(**{**FILLED, "wish": typed}).texts["wish"] == kept


def test_a_text_of_one_line_has_no_line_ends() -> None:
    assert sheet(**FILLED, name="东村\r\n卫生室").texts["name"] == "东村 卫生室"


@pytest.mark.parametrize("typed", ["", "  ", "\r\n", "\x00"])
def test_nothing_typed_is_a_blank(typed: str) -> None:
    assert faults(**{**FILLED, "wish": typed}) == [("wish", "missing")]
    assert "name" not in sheet(**FILLED, name=typed).texts


def test_a_text_is_counted_after_cleaning() -> None:
    assert len(sheet(**{**FILLED, "wish": " " + "好" * 19 + "\r\n"}).texts["wish"]) == 19
    assert faults(**{**FILLED, "wish": "好" * 21}) == [("wish", "too_long")]


def test_unsure_in_place_of_a_text_is_coded() -> None:
    found = sheet(**FILLED, name__unsure="unsure")
    assert found.answers["name"] == "unsure"
    assert "name" not in found.texts


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "东村", "name__unsure": "unsure"}, ("name", "typed_and_unsure")),
        ({"name__unsure": "unsure", "name__none": "none"}, ("name", "too_many")),
        ({"heard__other": "邻居"}, ("heard.other", "text_without_choice")),
        ({"heard": "other"}, ("heard.other", "missing_text")),
        ({"heard": "other", "heard__other": "邻居说的呀"[:5] + "！"}, ("heard.other", "too_long")),
    ],
)
def test_what_does_not_go_together_is_refused(
    fields: dict[str, str], fault: tuple[str, str]
) -> None:
    assert faults(**{**FILLED, **fields}) == [fault]


def test_an_option_brings_its_text() -> None:
    found = sheet(**{**FILLED, "heard": "other"}, heard__other=" 邻居 ")
    assert found.answers["heard"] == "other"
    assert found.texts["heard.other"] == "邻居"


def test_a_question_that_may_stay_blank_demands_no_text_of_its_option() -> None:
    assert sheet(**FILLED, seen="other").answers["seen"] == ("other",)


def test_paper_may_leave_out_texts() -> None:
    found = check(ASKED, {"heard": ["other"]}, accept_blanks=True)
    assert (found.answers, found.texts) == ({"heard": "other"}, {})


@given(st.text())
def test_any_text_is_stored_as_it_would_be_again(typed: str) -> None:
    raw = {"wish": [typed], "heard": ["board"]}
    try:
        kept = check(ASKED, raw).texts["wish"]
    except InvalidAnswers:
        return
    assert "\x00" not in kept
    assert check(ASKED, {**raw, "wish": [kept]}).texts["wish"] == kept
    kept.encode()
