"""Answers in letters and numbers: read back as they were written, and nothing guessed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.answers import AnswerSheet, FaultKind, InvalidAnswers, check
from surveys.keying import codes_of, controls, read, signs, told, write
from surveys.library import bundled
from surveys.questionnaire import Option
from tests.app.test_answering_every_kind import FULL
from tests.services.test_questionnaire_sheet import EVERY_KIND

WHY = EVERY_KIND.question("why")


def sheet(**changes: str | list[str]) -> AnswerSheet:
    given = {**FULL, **changes}
    raw = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
    return check(EVERY_KIND, raw, accept_blanks=True)


@pytest.mark.parametrize(
    "answered",
    [
        sheet(),
        sheet(went="no"),
        sheet(times="", **{"times.unsure": "unsure"}),
        sheet(why=["none"], **{"why.other": ""}),
        sheet(reason="", recommend="0", **{"reason.refused": "refused"}),
    ],
)
def test_what_is_written_reads_as_the_same_answers(answered: AnswerSheet) -> None:
    typed = write(EVERY_KIND, answered)
    assert read(EVERY_KIND, typed) == answered
    assert write(EVERY_KIND, read(EVERY_KIND, typed)) == typed


@given(
    st.fixed_dictionaries(
        {
            question.id: st.sampled_from(question.codes)
            for question in bundled()["beian-2020-fielded"].questions
        }
    )
)
def test_any_answers_are_written_and_read(chosen: dict[str, str]) -> None:
    asked = bundled()["beian-2020-fielded"]
    answered = check(asked, {name: [code] for name, code in chosen.items()})
    assert read(asked, write(asked, answered)) == answered


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("", []),
        ("ABD", ["ill", "pressure", "advice"]),
        ("d b a", ["advice", "pressure", "ill"]),
        ("Ａ、Ｂ", ["ill", "pressure"]),
        ("1,2", ["ill", "pressure"]),
        ("12", ["ill", "pressure"]),
        ("G", None),
        ("7", None),
        ("0", None),
    ],
)
def test_signs_are_read_however_they_are_set(typed: str, codes: list[str] | None) -> None:
    assert codes_of(WHY, typed) == codes


def test_a_point_of_two_digits_is_one_point() -> None:
    assert codes_of(EVERY_KIND.question("recommend"), "10") == ["10"]
    # A position would be a guess where numbers are printed.
    assert codes_of(EVERY_KIND.question("overall"), "6") is None
    assert codes_of(EVERY_KIND.question("overall"), "A") == ["unsure"]


def test_of_many_options_only_letters_are_read() -> None:
    many = replace(WHY, options=tuple(Option(f"o{place}", f"选项{place}") for place in range(30)))
    assert signs(many)["o25"] == "Z"
    assert signs(many)["o26"] == "AA"
    assert codes_of(many, "12") is None
    assert codes_of(many, "AB AA") == ["o27", "o26"]


def test_every_fault_is_found_at_once_in_order() -> None:
    with pytest.raises(InvalidAnswers) as caught:
        read(EVERY_KIND, {"went": "A", "times": "many", "parts.skill": "Z", "heard": "9"})
    assert [(each.question, each.kind, each.field) for each in caught.value.faults] == [
        ("times", FaultKind.NO_NUMBER, ""),
        ("parts", FaultKind.UNKNOWN_OPTION, "parts.skill"),
        ("heard", FaultKind.UNKNOWN_OPTION, ""),
    ]


def test_an_entry_is_told_in_words() -> None:
    by_id = {control.id: control for control in controls(EVERY_KIND)}
    assert told(by_id["why"], "A F") == "A 看病、F 以上都没有"
    assert told(by_id["overall"], "1") == "1 很不满意"
    assert told(by_id["overall"], "3") == "3"
    assert told(by_id["times"], "12") == "12"
