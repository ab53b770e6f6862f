"""The check of what was answered: the only validation that counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.answers import AnswerFault, AnswerSheet, FaultKind, InvalidAnswers, check
from surveys.library import bundled
from surveys.questionnaire import QuestionKind
from tests.conftest import answers

ASKED = bundled()["beian-2020-fielded"]
Raw = dict[str, list[str]]


def faults(raw: Raw, *, accept_blanks: bool = False) -> list[tuple[str, str]]:
    with pytest.raises(InvalidAnswers) as caught:
        check(ASKED, raw, accept_blanks=accept_blanks)
    return [(fault.question, fault.kind.value) for fault in caught.value.faults]


def test_full_answers_become_a_sheet() -> None:
    sheet = check(ASKED, answers())
    assert (sheet.questionnaire, sheet.version) == ("beian-2020-fielded", 1)
    assert sheet.answers["q1"] == "aware"
    assert len(sheet.answers) == 12


def test_chosen_options_come_in_printed_order() -> None:
    assert check(ASKED, answers(q2=("other", "leaflet", "newspaper"))).answers["q2"] == (
        "newspaper",
        "leaflet",
        "other",
    )


def test_an_option_that_was_sent_twice_counts_once() -> None:
    sheet = check(ASKED, answers(q1=("aware", "aware"), q2=("leaflet", "leaflet")))
    assert (sheet.answers["q1"], sheet.answers["q2"]) == ("aware", ("leaflet",))


def test_a_question_that_may_stay_blank_has_no_answer_then() -> None:
    assert "q2" not in check(ASKED, answers(q2="")).answers


@pytest.mark.parametrize("sent", [[], [""], ["", ""]])
def test_an_empty_value_is_a_blank(sent: list[str]) -> None:
    assert faults({**answers(), "q3": sent}) == [("q3", "missing")]


def test_an_unknown_option_is_refused() -> None:
    assert faults(answers(q3="always")) == [("q3", "unknown_option")]


def test_an_option_of_another_question_is_refused() -> None:
    assert faults(answers(q3="aware")) == [("q3", "unknown_option")]


def test_two_options_of_a_single_choice_are_refused() -> None:
    assert faults(answers(q3=("often", "never"))) == [("q3", "too_many")]


def test_every_fault_is_reported_in_question_order() -> None:
    raw = answers(q12="", q9=("increased", "no_change"), q2="radio", q1="")
    assert faults(raw) == [
        ("q1", "missing"),
        ("q2", "unknown_option"),
        ("q9", "too_many"),
        ("q12", "missing"),
    ]


def test_nothing_sent_is_every_required_question_missing() -> None:
    assert [name for name, _kind in faults({})] == [
        each.id for each in ASKED.questions if each.required
    ]


def test_blanks_of_a_paper_sheet_are_accepted() -> None:
    sheet = check(ASKED, {"q1": ["aware"]}, accept_blanks=True)
    assert sheet.answers == {"q1": "aware"}


def test_a_paper_sheet_may_not_hold_unknown_options() -> None:
    assert faults({"q1": ["eh"]}, accept_blanks=True) == [("q1", "unknown_option")]


def test_names_that_are_no_question_are_ignored() -> None:
    assert check(ASKED, {**answers(), "_token": ["x"], "q13": ["y"]}) == check(ASKED, answers())


def test_a_refusal_names_questions_and_kinds() -> None:
    refusal = InvalidAnswers([AnswerFault("q1", FaultKind.MISSING)])
    assert str(refusal) == "q1: missing"


def test_equal_content_has_one_digest() -> None:
    first = check(ASKED, answers(q2=("other", "leaflet")))
    second = check(ASKED, dict(reversed(answers(q2=("leaflet", "other")).items())))
    assert first.digest() == second.digest()


@pytest.mark.parametrize(
    "other",
    [
        AnswerSheet("beian-2020-fielded", 1, {"q1": "unaware"}),
        AnswerSheet("beian-2020-fielded", 1, {"q2": "aware"}),
        AnswerSheet("beian-2020-fielded", 1, {"q1": ("aware",)}),
        AnswerSheet("beian-2020-fielded", 1, {}),
        AnswerSheet("beian-2020-fielded", 2, {"q1": "aware"}),
        AnswerSheet("beian-2020-printed", 1, {"q1": "aware"}),
    ],
)
def test_other_content_has_another_digest(other: AnswerSheet) -> None:
    sheet = AnswerSheet("beian-2020-fielded", 1, {"q1": "aware"})
    assert other.digest() != sheet.digest()


def test_a_digest_stays_what_it_is() -> None:
    """Stored digests are compared for years: whoever changes this breaks every retry."""
    sheet = AnswerSheet("clinic", 1, {"q2": ("a", "b"), "q1": "是"})
    expected = "c41654b431272e502f39e74e1890091f1c5c061875d0c5abff80d8ef2dab9692"
    assert sheet.digest() == expected


ANY_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        each.id: st.lists(st.sampled_from([*each.codes, "", "eh"]), max_size=4)
        for each in ASKED.questions
    },
)


@given(ANY_ANSWERS)
def test_any_choice_is_either_a_sheet_or_faults_by_question(raw: Raw) -> None:
    expected = {}
    for each in ASKED.questions:
        chosen = set(raw.get(each.id, [])) - {""}
        if not chosen and each.required:
            expected[each.id] = FaultKind.MISSING
        elif "eh" in chosen:
            expected[each.id] = FaultKind.UNKNOWN_OPTION
        elif each.kind is QuestionKind.SINGLE and len(chosen) > 1:
            expected[each.id] = FaultKind.TOO_MANY
    if expected:
        with pytest.raises(InvalidAnswers) as caught:
            check(ASKED, raw)
        assert {fault.question: fault.kind for fault in caught.value.faults} == expected
    else:
        _says_exactly(check(ASKED, raw), raw)


def _says_exactly(sheet: AnswerSheet, raw: Raw) -> None:
    for name in raw.keys() | sheet.answers.keys():
        answer = sheet.answers.get(name, ())
        chosen = {answer} if isinstance(answer, str) else set(answer)
        assert chosen == set(raw.get(name, [])) - {""}


@given(st.sets(st.sampled_from(ASKED.question("q2").codes), min_size=1), st.randoms())
def test_the_order_of_sending_changes_nothing(chosen: set[str], random: object) -> None:
    sent = sorted(chosen)
    random.shuffle(sent)  # type: ignore[attr-defined]
    sheet = check(ASKED, answers(q2=sent))
    assert sheet.digest() == check(ASKED, answers(q2=sorted(chosen))).digest()
