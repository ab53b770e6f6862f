"""Every kind of answer in the frame, and rates over those who were asked (every_kind.toml)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from analysis.designs import Design, Sample
from analysis.frames import SubmissionRow, build_frame, were_asked
from analysis.rates import LeftOut, Rate, describe, estimate, estimate_options
from analysis.tables import FrequencyTable, frequency_table
from surveys.questionnaire import Base, Composite, DontKnow, Item, Measure, MeasureKind
from surveys.reading import load

ASKED = load(Path(__file__).parents[1] / "surveys/every_kind.toml")
SIMPLE = Design(Sample.SIMPLE)
Answers = Mapping[str, str | Sequence[str]]

WENT: Answers = {
    "went": "yes",
    "times": "12",
    "last": "2026-03-05",
    "why": ["ill", "pressure"],
    "overall": "4",
    "parts.staff": "good",
    "parts.skill": "bad",
    "parts.price": "unsure",
    "wishes.hours": "1",
    "wishes.staff": "2",
    "recommend": "9",
    "heard": "board",
}
UNSURE: Answers = {**WENT, "times": "unsure", "last": "unsure", "overall": "unsure"}
BLANK: Answers = {"went": "yes", "heard": "board"}  # asked everything, and left it
STAYED: Answers = {"went": "no", "heard": "visit"}  # asked nothing in between


def frame_of(*people: Answers) -> pd.DataFrame:
    return build_frame(
        ASKED,
        (SubmissionRow(f"key-{i}", 1, "scanned", 7, answers) for i, answers in enumerate(people)),
    )


def satisfaction(
    *questions: str, base: Base = Base.VALID, dont_know: DontKnow = DontKnow.IN_BASE
) -> Measure:
    items = tuple(
        Item(question, frozenset({"4", "5", "good"}), frozenset({"unsure"}))
        for question in questions
    )
    composite = Composite.POOLED if len(items) > 1 else None
    return Measure("m", "满意度", MeasureKind.SATISFACTION, items, base, dont_know, composite)


def rate(measure: Measure, *people: Answers) -> Rate:
    return estimate(frame_of(*people), measure, SIMPLE)


def test_every_kind_has_its_columns() -> None:
    row = frame_of(WENT).iloc[0]
    assert row["times"] == 12.0
    assert row["last"] == datetime(2026, 3, 5)  # noqa: DTZ001 - a day has no zone
    assert (row["overall"], row["recommend"]) == ("4", "9")
    assert (row["parts.staff"], row["parts.skill"], row["parts.price"]) == ("good", "bad", "unsure")
    assert (row["wishes.hours"], row["wishes.staff"]) == (1, 2)
    assert pd.isna(row["wishes.drugs"])


def test_the_points_of_a_scale_are_categories_in_order() -> None:
    categories = frame_of(WENT)["overall"].cat.categories.tolist()
    assert categories == ["1", "2", "3", "4", "5", "unsure"]
    assert frame_of()["recommend"].cat.categories.tolist() == [str(n) for n in range(11)]


def test_unsure_in_place_of_a_number_is_a_flag_and_no_number() -> None:
    frame = frame_of(WENT, UNSURE, BLANK)
    assert frame["times"].isna().tolist() == [False, True, True]
    assert frame["times:unsure"].tolist()[:2] == [False, True]
    assert frame["times:unsure"].isna().tolist() == [False, False, True]
    assert frame["wishes:unsure"].tolist()[0] is False


def test_who_was_asked_is_told_from_who_left_it_blank() -> None:
    frame = frame_of(WENT, BLANK, STAYED)
    assert were_asked(frame, "times").tolist() == [True, True, False]
    assert were_asked(frame, "parts.staff").tolist() == [True, True, False]
    assert were_asked(frame, "wishes").tolist() == [True, False, False]
    assert were_asked(frame, "heard").tolist() == [True, True, True]


def test_no_rows_have_the_same_dtypes_as_many() -> None:
    full = frame_of(WENT, UNSURE, BLANK, STAYED)
    pd.testing.assert_series_equal(frame_of().dtypes, full.dtypes)


@pytest.mark.parametrize(
    "answers",
    [
        {"times": "viel"},
        {"times": ["1"]},
        {"last": "2026/3/5"},
        {"wishes.hours": "4"},
        {"parts": "good"},
        {"parts.food": "good"},
        {"overall": "6"},
        {"welcome": "yes"},
    ],
)
def test_what_the_questionnaire_does_not_know_is_refused(answers: Answers) -> None:
    with pytest.raises(ValueError, match=next(iter(answers))):
        frame_of(WENT, {**BLANK, **answers})


@pytest.mark.parametrize(
    ("base", "counts", "left_out"),
    [
        (Base.VALID, (1, 2, 3), LeftOut(blank=1, unsure=0)),
        (Base.ROUTED, (1, 3, 3), LeftOut(blank=0, unsure=0)),
        (Base.INTERVIEWED, (1, 4, 4), LeftOut(blank=0, unsure=0)),
    ],
)
def test_whoever_was_not_asked_left_nothing_out(
    base: Base, counts: tuple[int, int, int], left_out: LeftOut
) -> None:
    found = rate(satisfaction("overall", base=base), WENT, UNSURE, BLANK, STAYED)
    assert (found.numerator, found.base, found.asked) == counts
    assert found.left_out == left_out


def test_unsure_is_left_out_of_those_asked() -> None:
    measure = satisfaction("overall", base=Base.ROUTED, dont_know=DontKnow.LEFT_OUT)
    found = rate(measure, WENT, UNSURE, BLANK, STAYED)
    assert (found.base, found.left_out) == (2, LeftOut(blank=0, unsure=1))


def test_rows_of_a_matrix_make_one_rate() -> None:
    measure = satisfaction("parts.staff", "parts.skill", "parts.price")
    found = rate(measure, WENT, BLANK, STAYED)
    assert (found.numerator, found.base, found.value) == (1, 3, Fraction(1, 3))
    assert (found.asked, found.respondents, found.left_out.blank) == (2, 1, 3)


def test_shares_per_option_leave_out_who_was_not_asked() -> None:
    shares = estimate_options(frame_of(WENT, BLANK, STAYED), ASKED.measure("reasons"), SIMPLE)
    assert {share.option: share.numerator for share in shares if share.numerator} == {
        "ill": 1,
        "pressure": 1,
    }
    assert {(share.base, share.asked, share.left_out.blank) for share in shares} == {(1, 2, 1)}


def test_the_definitions_read_as_sentences() -> None:
    assert describe(ASKED.measure("satisfaction"), ASKED) == (
        "第6题选“4”或“5 很满意”的人数，占问到该题的人数的比例"
        "（未作答的计入，答不清楚、不适用的不计入）。"
    )
    assert "第8-2题选“满意”" in describe(ASKED.measure("parts"), ASKED)


def test_a_measure_of_the_file_knows_the_unsure_of_a_row() -> None:
    assert {item.unsure for item in ASKED.measure("parts").items} == {frozenset({"unsure"})}


def table(table_id: str, *people: Answers) -> FrequencyTable:
    (found,) = (each for each in ASKED.tables if each.id == table_id)
    return frequency_table(frame_of(*people), ASKED, found)


def test_rows_of_a_matrix_stand_beside_each_other() -> None:
    staff, skill, price = table("table-1", WENT, UNSURE, BLANK, STAYED).blocks
    assert (staff.rows[0].text, staff.rows[0].count) == ("满意", 2)
    assert [row.count for row in skill.rows] == [0, 0, 2, 0]
    assert [row.count for row in price.rows] == [0, 0, 0, 2]
    assert {(block.n, block.blank) for block in (staff, skill, price)} == {(2, 1)}


def test_points_are_counted_with_their_ends_named() -> None:
    overall, recommend = table("table-2", WENT, UNSURE, STAYED).blocks
    assert [(row.text, row.count) for row in overall.rows] == [
        ("1 很不满意", 0),
        ("2", 0),
        ("3", 0),
        ("4", 1),
        ("5 很满意", 0),
        ("说不清", 1),
    ]
    assert (recommend.n, recommend.rows[9].count) == (2, 2)


def test_numbers_have_a_summary() -> None:
    people = [WENT, {**WENT, "times": "2"}, {**WENT, "times": "1"}, UNSURE, BLANK, STAYED]
    (summary,) = table("table-2", *people).summaries
    assert (summary.heading, summary.unit) == ("就诊次数", "次")
    assert (summary.n, summary.unsure, summary.blank) == (3, 1, 1)
    assert (summary.mean, summary.median) == (5.0, 2.0)
    assert (summary.lowest, summary.highest) == (1.0, 12.0)


def test_no_numbers_have_no_mean() -> None:
    (summary,) = table("table-2", STAYED).summaries
    assert (summary.n, summary.blank) == (0, 0)
    assert (summary.mean, summary.median, summary.lowest, summary.highest) == (None,) * 4
