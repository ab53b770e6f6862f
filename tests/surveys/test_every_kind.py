"""Every kind of question, asked as the logic says, in every language (every_kind.toml)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.answers import AnswerSheet, InvalidAnswers, asked_questions, check
from surveys.questionnaire import Option, OptionKind, Question, QuestionKind, Section
from surveys.reading import digest, dump_json, load, parse_json

ASKED = load(Path(__file__).parent / "every_kind.toml")
Fields = dict[str, str | list[str]]

# Somebody who went and is content: every other test changes a field or two of it.
CONTENT: Fields = {
    "went": "yes",
    "times": "12",
    "last": "2026-03-05",
    "why": ["pressure"],
    "overall": "4",
    "parts.staff": "good",
    "parts.skill": "good",
    "parts.price": "fair",
    "recommend": "9",
    "heard": "board",
}
# Somebody who did not go is asked one question more.
STAYED: Fields = {"went": "no", "heard": "board"}
UNHAPPY: Fields = {**CONTENT, "parts.staff": "bad", "wishes.hours": "1", "wishes.staff": "2"}


def sheet(filled: Fields, *, accept_blanks: bool = False) -> AnswerSheet:
    raw = {name: [value] if isinstance(value, str) else value for name, value in filled.items()}
    return check(ASKED, raw, accept_blanks=accept_blanks)


def answer(changed: Fields, name: str) -> object:
    return sheet(CONTENT | changed).answers.get(name)


def faults(filled: Fields, *, accept_blanks: bool = False) -> list[tuple[str, str]]:
    with pytest.raises(InvalidAnswers) as caught:
        sheet(filled, accept_blanks=accept_blanks)
    return [(fault.field or fault.question, fault.kind.value) for fault in caught.value.faults]


def test_every_kind_is_there() -> None:
    assert {question.kind for question in ASKED.questions} == set(QuestionKind)


def test_full_answers_become_a_sheet() -> None:
    assert sheet(CONTENT).answers == {**CONTENT, "why": ("pressure",)}


def test_answers_to_all_that_can_be_asked_become_a_sheet() -> None:
    found = sheet({**UNHAPPY, "children": "3", "overall": "1", "reason": "药少", "hours": "八点"})
    assert found.answers["children"] == "3"
    assert (found.answers["wishes.hours"], found.answers["wishes.staff"]) == ("1", "2")
    assert found.texts == {"reason": "药少", "hours": "八点"}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("３６", "36"),
        (" 36 次", "36"),
        ("036", "36"),
        ("36.0", "36"),
        ("٣٦", "36"),
        ("+36", "36"),
    ],
)
def test_a_number_is_stored_in_one_way(typed: str, stored: str) -> None:
    assert answer({"times": typed}, "times") == stored


def test_thousands_are_separated_by_groups_of_three_only() -> None:
    assert faults({**CONTENT, "times": "1,200"}) == [("times", "too_high")]
    assert faults({**CONTENT, "times": "1 200"}) == [("times", "too_high")]
    assert faults({**CONTENT, "times": "1,20"}) == [("times", "no_number")]


@pytest.mark.parametrize(
    "typed",
    ["2026年3月5日", "2026 年 3 月 5 号", "2026/3/5", "2026.03.05", "２０２６-3-５", "20260305"],
)
def test_a_date_is_stored_in_one_way(typed: str) -> None:
    assert answer({"last": typed}, "last") == "2026-03-05"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"went": "maybe"}, ("went", "unknown_option")),
        ({"times": "很多"}, ("times", "no_number")),
        ({"times": "1e2"}, ("times", "no_number")),
        ({"times": "9" * 16}, ("times", "no_number")),
        ({"times": "1.5"}, ("times", "too_many_decimals")),
        ({"times": "0"}, ("times", "too_low")),
        ({"times": "367"}, ("times", "too_high")),
        ({"times.unsure": "unsure"}, ("times", "typed_and_unsure")),
        ({"children": "13"}, ("children", "constraint")),
        ({"last": "昨天"}, ("last", "no_date")),
        ({"last": "2026-02-30"}, ("last", "no_date")),
        ({"last": "2026-3/5"}, ("last", "no_date")),
        ({"last": "2024-12-31"}, ("last", "too_early")),
        ({"last": "2028-01-01"}, ("last", "too_late")),
        ({"why": ["ill", "pressure", "vaccine", "advice"]}, ("why", "too_many")),
        ({"why": ["ill", "none"]}, ("why", "exclusive")),
        ({"overall": "6"}, ("overall", "unknown_option")),
        ({"overall": ["4", "5"]}, ("overall", "too_many")),
        ({"parts.skill": ""}, ("parts.skill", "missing")),
        ({"parts.skill": "great"}, ("parts.skill", "unknown_option")),
        ({"recommend": "11"}, ("recommend", "unknown_option")),
    ],
)
def test_what_does_not_fit_is_refused(changed: Fields, fault: tuple[str, str]) -> None:
    assert faults({**CONTENT, **changed}) == [fault]


@pytest.mark.parametrize(
    ("ranks", "fault"),
    [
        ({}, "missing"),
        ({"hours": "1", "staff": "1"}, "tied"),
        ({"hours": "2"}, "rank_left_out"),
        ({"hours": "3"}, "no_rank"),
        ({"hours": "first"}, "no_rank"),
        ({"hours": "1", "unsure": "unsure"}, "typed_and_unsure"),
    ],
)
def test_ranks_that_make_no_order_are_refused(ranks: dict[str, str], fault: str) -> None:
    filled = {**CONTENT, "parts.staff": "bad"}
    given_ranks = {f"wishes.{code}": rank for code, rank in ranks.items()}
    assert faults({**filled, **given_ranks}) == [("wishes", fault)]


def test_a_ranking_may_stop_early_or_say_it_cannot() -> None:
    filled: Fields = {**CONTENT, "parts.staff": "bad"}
    ranked = sheet({**filled, "wishes.drugs": "1", "wishes.staff": "", "wishes.hours": ""}).answers
    assert {name for name in ranked if name.startswith("wishes")} == {"wishes.drugs"}
    assert sheet({**filled, "wishes.unsure": "unsure"}).answers["wishes"] == "unsure"


VISITS = (Option("ill", "看病"), Option("pressure", "量血压"), Option("vaccine", "打疫苗"))
NOT_SURE = Option("unsure", "说不清", OptionKind.DONT_KNOW)


def fault_of(question: Question, fields: dict[str, list[str]]) -> str:
    asked = replace(ASKED, sections=(Section("all", "全部", (question,)),))
    with pytest.raises(InvalidAnswers) as caught:
        check(asked, fields)
    (fault,) = caught.value.faults
    return fault.kind.value


def test_fewer_choices_than_asked_for_are_refused_but_not_unsure() -> None:
    question = Question("q1", "1", "?", QuestionKind.MULTIPLE, (*VISITS, NOT_SURE), fewest=2)
    assert fault_of(question, {"q1": ["ill"]}) == "too_few"
    assert fault_of(question, {}) == "missing"
    asked = replace(ASKED, sections=(Section("all", "全部", (question,)),))
    assert check(asked, {"q1": ["unsure"]}).answers == {"q1": ("unsure",)}


def test_without_a_limit_every_option_is_ranked() -> None:
    question = Question("q1", "1", "?", QuestionKind.RANKING, VISITS)
    ranks = {"q1.ill": ["2"], "q1.pressure": ["1"]}
    assert fault_of(question, ranks) == "too_few"
    asked = replace(ASKED, sections=(Section("all", "全部", (question,)),))
    found = check(asked, {**ranks, "q1.vaccine": ["3"]}).answers
    assert found == {"q1.ill": "2", "q1.pressure": "1", "q1.vaccine": "3"}


@pytest.mark.parametrize("name", ["times", "last"])
def test_unsure_in_place_of_typing_is_an_answer(name: str) -> None:
    assert answer({name: "", f"{name}.unsure": "unsure"}, name) == "unsure"


def test_an_exclusive_option_may_stand_alone() -> None:
    assert answer({"why": ["none"]}, "why") == ("none",)


def test_what_is_not_asked_is_not_demanded() -> None:
    assert sheet(STAYED).answers == {"went": "no", "heard": "board"}


def test_answers_that_the_logic_hides_are_not_stored() -> None:
    hidden: Fields = {
        **UNHAPPY,
        "overall": "1",
        "reason": "药少",
        "children": "99",
        "hours": "八点",
    }
    found = sheet({**hidden, **STAYED})
    assert found.answers == {"went": "no", "heard": "board"}
    assert found.texts == {}


def test_what_hangs_on_a_hidden_answer_is_hidden_too() -> None:
    """`hours` is asked of those who rank opening hours first, and they of who found fault."""
    found = sheet({**CONTENT, "wishes.hours": "1", "hours": "八点"})
    assert (found.answers.get("wishes.hours"), found.texts) == (None, {})


def test_a_blank_before_asks_no_more() -> None:
    assert faults({"heard": "board"}) == [("went", "missing")]
    found = sheet({**CONTENT, "went": ""}, accept_blanks=True)
    assert found.answers == {"heard": "board"}


def test_who_was_asked_can_be_told_from_the_stored_answers() -> None:
    stored: dict[str, Any] = dict(sheet(UNHAPPY).answers)
    stored["why"] = list(stored["why"])  # as JSON gives it back
    asked = asked_questions(ASKED, stored)
    assert {question.id for question in ASKED.questions} - asked == {"reason"}
    assert asked_questions(ASKED, sheet(STAYED).answers) == {"welcome", "went", "heard"}


def test_every_fault_is_reported_at_once() -> None:
    filled = {**CONTENT, "times": "many", "last": "", "overall": "9", "heard": "other"}
    assert faults(filled) == [
        ("times", "no_number"),
        ("last", "missing"),
        ("overall", "unknown_option"),
        ("heard.other", "missing_text"),
    ]


ODD = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "1", "2", "yes", "no", "unsure", "bad", "ill", "none", "2026-03-05"]),
)


def _names(question: Question) -> list[str]:
    return [
        question.id,
        *(part.id for part in question.parts),
        *(f"{question.id}.{option.code}" for option in question.options),
    ]


NAMES = sorted({name for question in ASKED.questions for name in _names(question)})


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(ODD, max_size=3)), st.booleans())
def test_any_form_is_refused_or_gives_a_sheet_that_checks_again(
    changed: dict[str, list[str]], accept_blanks: bool
) -> None:
    filled: Fields = {**CONTENT, **changed}
    try:
        found = sheet(filled, accept_blanks=accept_blanks)
    except InvalidAnswers:
        return
    again: Fields = {**_as_sent(found)}
    assert sheet(again, accept_blanks=accept_blanks) == found
    asked = asked_questions(ASKED, found.answers)
    assert {name.partition(".")[0] for name in [*found.answers, *found.texts]} <= asked


def _as_sent(found: AnswerSheet) -> Fields:
    """Write a sheet as the form that brings it: the inverse of the check."""
    filled: Fields = {**found.texts}
    for name, given_answer in found.answers.items():
        question = ASKED.question(name) if "." not in name or name.startswith("parts") else None
        is_typed = question is not None and not question.is_chosen_once
        if is_typed and question is not None and given_answer in question.codes:
            filled[f"{name}.{given_answer}"] = str(given_answer)
        else:
            filled[name] = given_answer if isinstance(given_answer, str) else list(given_answer)
    return filled


def test_languages_are_named_in_themselves() -> None:
    assert [(each.name, each.direction) for each in ASKED.languages] == [
        ("中文", "ltr"),
        ("العربية", "rtl"),
        ("English", "ltr"),
    ]


def test_a_translation_replaces_every_text() -> None:
    english = ASKED.in_language("en")
    assert english.language == "en"
    assert not [place for place, text in english.texts.items() if text == ASKED.texts[place]]
    assert english.question("parts.staff").text == "Friendliness"
    assert english.question("overall").choices[0].text == "1 Very dissatisfied"


def test_what_is_not_translated_stays_chinese() -> None:
    arabic = ASKED.in_language("ar")
    assert arabic.title == "استطلاع عن عيادة القرية"
    assert arabic.question("last").text == "最近一次是哪一天去的？"


def test_an_answer_is_the_same_in_every_language() -> None:
    raw = {name: [value] for name, value in CONTENT.items() if isinstance(value, str)}
    raw["why"] = ["pressure"]
    sheets = {check(ASKED.in_language(tag), raw).digest() for tag in ("zh-Hans", "en", "ar")}
    assert len(sheets) == 1


def test_a_language_that_is_not_offered_raises() -> None:
    with pytest.raises(KeyError):
        ASKED.in_language("ko")


def test_a_snapshot_gives_everything_back() -> None:
    text = dump_json(ASKED)
    assert parse_json(text, "snapshot") == ASKED
    assert digest(parse_json(text, "snapshot")) == digest(ASKED)


def test_the_rows_of_a_matrix_are_questions() -> None:
    row = ASKED.question("parts.skill")
    assert (row.number, row.text, row.codes) == (
        "8-2",
        "医疗水平",
        ("good", "fair", "bad", "unsure"),
    )
    with pytest.raises(KeyError):
        ASKED.question("parts.food")
