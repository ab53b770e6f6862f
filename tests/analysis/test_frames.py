from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pytest

from analysis.frames import ABOUT, SubmissionRow, build_frame, count_answered, option_counts
from surveys.questionnaire import Questionnaire


def row(key: str, **answers: str | Sequence[str]) -> SubmissionRow:
    return SubmissionRow(key, 3, "poster", None, answers)


def test_a_row_keeps_where_the_sheet_came_from(questionnaire: Questionnaire) -> None:
    frame = build_frame(questionnaire, [SubmissionRow("k", 12, "scanned", 7, {})])
    assert frame[list(ABOUT)].to_numpy().tolist() == [["k", 12, "scanned", 7]]


def test_a_single_choice_is_one_coded_column(questionnaire: Questionnaire) -> None:
    frame = build_frame(questionnaire, [row("a", skill="fair"), row("b")])
    assert frame["skill"].tolist()[0] == "fair"
    assert frame["skill"].isna().tolist() == [False, True]


def test_categories_are_the_options_in_printed_order(questionnaire: Questionnaire) -> None:
    frame = build_frame(questionnaire, [row("a", skill="fair")])
    assert frame["skill"].cat.categories.tolist() == ["good", "fair", "bad", "unsure"]


def test_select_all_is_a_flag_per_option(questionnaire: Questionnaire) -> None:
    frame = build_frame(questionnaire, [row("a", heard=("paper", "visit"))])
    flags = frame[["heard:paper", "heard:leaflet", "heard:visit"]].iloc[0].tolist()
    assert flags == [True, False, True]


@pytest.mark.parametrize("answers", [{}, {"heard": []}])
def test_select_all_left_blank_is_missing_not_false(
    questionnaire: Questionnaire, answers: Mapping[str, Sequence[str]]
) -> None:
    frame = build_frame(questionnaire, [row("a", **answers)])
    assert frame["heard:paper"].isna().all()


def test_no_rows_have_the_same_dtypes_as_many(questionnaire: Questionnaire) -> None:
    full = build_frame(questionnaire, [row("a", knows="yes", heard=["paper"]), row("b")])
    pd.testing.assert_series_equal(build_frame(questionnaire, []).dtypes, full.dtypes)


def test_missing_batches_stay_whole_numbers(questionnaire: Questionnaire) -> None:
    frame = build_frame(questionnaire, [row("a"), SubmissionRow("b", 1, "scanned", 9, {})])
    assert frame["batch"].dtype == "Int64"


@pytest.mark.parametrize(
    "answers",
    [
        {"skill": "great"},
        {"skill": ["good"]},
        {"skill": ""},
        {"heard": ["paper", "radio"]},
        {"heard": "paper"},
        {"age": "old"},
    ],
)
def test_what_the_questionnaire_does_not_know_is_refused(
    questionnaire: Questionnaire, answers: Mapping[str, str | Sequence[str]]
) -> None:
    with pytest.raises(ValueError, match=next(iter(answers))):
        build_frame(questionnaire, [row("fine", skill="good"), row("a", **answers)])


def test_a_sheet_that_comes_twice_is_refused(questionnaire: Questionnaire) -> None:
    with pytest.raises(ValueError, match="twice"):
        build_frame(questionnaire, [row("a"), row("a")])


def test_counts_name_options_that_nobody_chose(
    questionnaire: Questionnaire, frame_of: Callable[..., pd.DataFrame]
) -> None:
    frame = frame_of({"skill": "good"}, {"skill": "good"}, {"skill": "bad"}, {})
    question = questionnaire.question("skill")
    assert option_counts(frame, question) == {"good": 2, "fair": 0, "bad": 1, "unsure": 0}
    assert count_answered(frame, question) == 3


def test_counts_of_select_all_count_people(
    questionnaire: Questionnaire, frame_of: Callable[..., pd.DataFrame]
) -> None:
    frame = frame_of({"heard": ["paper", "visit"]}, {"heard": ["visit"]}, {})
    question = questionnaire.question("heard")
    assert option_counts(frame, question) == {"paper": 1, "leaflet": 0, "visit": 2}
    assert count_answered(frame, question) == 2
