"""Signals on answers whose oddities are known, and against reference results and exact tests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import quality
from analysis.differences import fisher
from analysis.frames import SubmissionRow, build_frame
from analysis.quality import Circumstance, Found, Signal
from surveys.questionnaire import Option, Question, QuestionKind, Questionnaire, Section, Source

GRADES = tuple(Option(code, code) for code in ("good", "fair", "bad"))
YES_NO = (Option("yes", "是"), Option("no", "否"))
ITEMS = tuple(f"q{number}" for number in range(1, 11))


def question(name: str, options: tuple[Option, ...], relevant: str = "") -> Question:
    return Question(name, name[1:], "？", QuestionKind.SINGLE, options, relevant=relevant)


QUESTIONNAIRE = Questionnaire(
    "quality",
    1,
    "质量",
    "zh-CN",
    "您好",
    Source("测试", "没有"),
    (
        Section(
            "all",
            "全部",
            (
                *(question(name, GRADES) for name in ITEMS[:6]),
                *(question(name, YES_NO) for name in ITEMS[6:]),
                question("q11", YES_NO, relevant='q10 = "yes"'),
            ),
        ),
    ),
)
Person = Mapping[str, object]


def person(answers: Mapping[str, str] | None = None, **about: object) -> Person:
    varied = {name: GRADES[place % 3].code for place, name in enumerate(ITEMS[:6])}
    rest = dict.fromkeys(ITEMS[6:], "no")
    return {"answers": {**varied, **rest, **(answers or {})}, **about}


def frames(people: Sequence[Person]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        SubmissionRow(
            f"k{number}",
            each.get("area", 1),  # type: ignore[arg-type]
            str(each.get("channel", "scanned")),
            each.get("batch"),  # type: ignore[arg-type]
            each["answers"],  # type: ignore[arg-type]
        )
        for number, each in enumerate(people)
    ]
    about = [
        Circumstance(
            f"k{number}",
            each.get("seconds"),  # type: ignore[arg-type]
            each.get("at", datetime(2026, 11, 20, 10, tzinfo=UTC)),  # type: ignore[arg-type]
            each.get("interviewer"),  # type: ignore[arg-type]
        )
        for number, each in enumerate(people)
    ]
    return build_frame(QUESTIONNAIRE, rows), quality.lay_out_circumstances(about)


def flagged(found: Found) -> dict[int, float]:
    return {int(flag.key[1:]): flag.value for flag in found.flags}


def test_who_had_no_time_to_read_is_flagged_by_the_questions_that_were_asked() -> None:
    asked_more = {"q10": "yes", "q11": "no"}
    found = quality.too_fast(
        *frames([person(seconds=19), person(seconds=20), person(asked_more, seconds=21), person()]),
        QUESTIONNAIRE,
    )
    assert flagged(found) == pytest.approx({0: 1.9, 2: 21 / 11})
    assert found.judged == 3


def test_a_straight_line_is_a_run_of_one_option_where_the_options_are_the_same() -> None:
    five = dict.fromkeys(ITEMS[1:6], "bad")
    broken = {**five, "q4": "good"}
    # Ten times "no" would be a run too, but four questions are too few to judge by.
    frame, _about = frames([person(five), person(broken), person()])
    found = quality.straight_line(frame, QUESTIONNAIRE)
    assert flagged(found) == {0: 5.0}
    assert flagged(quality.straight_line(frame, QUESTIONNAIRE, longest=7)) == {}
    assert quality.straight_line(frame, QUESTIONNAIRE, longest=7).judged == 0


def test_a_blank_breaks_a_straight_line() -> None:
    sheet = {**dict.fromkeys(ITEMS[:6], "good")}
    del sheet["q3"]
    frame, _about = frames([{"answers": sheet}])
    assert flagged(quality.straight_line(frame, QUESTIONNAIRE)) == {}


def random_people(count: int, seed: int = 1) -> list[Person]:
    chance = np.random.default_rng(seed)
    return [
        person(
            {name: str(chance.choice(["good", "fair", "bad"])) for name in ITEMS[:6]}
            | {name: str(chance.choice(["yes", "no"])) for name in ITEMS[6:]}
        )
        for _ in range(count)
    ]


def test_copies_are_flagged_and_chance_is_not() -> None:
    copied = person({"q1": "bad", "q7": "yes"})
    frame, _about = frames([*random_people(80), copied, copied, copied])
    assert flagged(quality.identical(frame)) == {80: 3.0, 81: 3.0, 82: 3.0}
    frame, _about = frames(random_people(80))
    assert flagged(quality.identical(frame)) == {}


def test_people_who_all_agree_are_as_many_as_chance_expects() -> None:
    frame, _about = frames([person()] * 50)
    assert flagged(quality.identical(frame)) == {}


def test_short_sheets_are_not_compared() -> None:
    frame, _about = frames([{"answers": {"q1": "good"}}] * 3)
    assert quality.identical(frame) == Found(Signal.IDENTICAL, (), 0)


def test_a_burst_is_counted_by_source_and_hour() -> None:
    later = datetime(2026, 11, 20, 11, tzinfo=UTC)
    people = [
        *[person(batch=7)] * 3,
        *[person(batch=7, at=later)] * 2,
        *[person(batch=8)] * 2,
        *[person(channel="poster", area=5)] * 3,
        *[person(interviewer=1, channel="interviewed")] * 3,
        *[person(at=None, channel="paper")] * 9,
    ]
    found = quality.bursts(*frames(people), most=2)
    assert sorted(flagged(found)) == [0, 1, 2, 7, 8, 9, 10, 11, 12]
    assert set(flagged(found).values()) == {3.0}
    assert found.judged == 13


@pytest.mark.parametrize(("hour", "is_odd"), [(6, True), (7, False), (20, False), (21, True)])
def test_working_hours_begin_at_seven_and_end_at_nine(hour: int, *, is_odd: bool) -> None:
    at = datetime(2026, 11, 20, hour, tzinfo=UTC)
    found = quality.outside_hours(*frames([person(at=at), person(at=None)]))
    assert (list(flagged(found)) == [0]) is is_odd
    assert found.judged == 1


def test_the_share_of_volunteers_is_exact_and_nobody_has_none() -> None:
    frame, _about = frames([person(channel="poster"), person(), person()])
    assert quality.opt_in_share(frame) == Fraction(1, 3)
    assert quality.opt_in_share(frame.iloc[:0]) is None


def test_frames_of_other_people_are_refused() -> None:
    frame, about = frames([person(), person()])
    with pytest.raises(ValueError, match="same submissions"):
        quality.bursts(frame, about.iloc[::-1])


# ---------------------------------------------------------------------------------------------
# Interviewers
# ---------------------------------------------------------------------------------------------


def interviews(counts: Mapping[tuple[int, int, str], int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out so many interviews by interviewer, area and answer to the first question."""
    return frames(
        [
            person({"q1": code}, interviewer=who, area=area, channel="interviewed")
            for (who, area, code), count in counts.items()
            for _ in range(count)
        ]
    )


def test_the_test_of_interviewers_agrees_with_the_exact_one() -> None:
    frame, about = interviews(
        {(1, 1, "good"): 13, (1, 1, "bad"): 2, (2, 1, "good"): 7, (2, 1, "bad"): 9}
    )
    compared = quality.compare_interviewers(frame, about, ["q1"], 1)
    exact = fisher((13, 15), (7, 16))
    # Drawing has an error of its own: three of its standard errors.
    assert [each.p for each in compared] == pytest.approx(
        [exact] * 2, abs=3 * (exact / 20_000) ** 0.5
    )
    assert [each.corrected for each in compared] == [
        2 * compared[0].p,
        max(2 * compared[0].p, compared[1].p),
    ]


def test_chi_squared_of_interviewers_is_pearson_s() -> None:
    frame, about = interviews(
        {(1, 1, "good"): 20, (1, 1, "bad"): 10, (2, 1, "good"): 10, (2, 1, "bad"): 20}
    )
    first, _second = quality.compare_interviewers(frame, about, ["q1"], 1)
    assert first.statistic == pytest.approx(60 * (20 * 20 - 10 * 10) ** 2 / 30**4)


def test_an_interviewer_is_compared_with_colleagues_in_the_same_area_alone() -> None:
    counts = {(1, 1, "good"): 30, (2, 1, "good"): 29, (2, 1, "bad"): 1, (3, 2, "bad"): 30}
    frame, about = interviews(counts)
    compared = quality.compare_interviewers(frame, about, ["q1"], 1)
    assert {(each.interviewer, each.area) for each in compared} == {(1, 1), (2, 1)}
    assert flagged(quality.departing_interviewers(frame, about, compared)) == {}


def test_who_departs_is_flagged_with_all_interviews_of_that_area() -> None:
    counts = {(who, 1, code): 15 for who in (1, 2, 3) for code in ("good", "fair")}
    frame, about = interviews({**counts, (4, 1, "bad"): 12, (4, 2, "bad"): 3})
    compared = quality.compare_interviewers(frame, about, ["q1"], 1)
    found = quality.departing_interviewers(frame, about, compared)
    assert set(range(90, 102)) <= set(flagged(found))
    assert not {102, 103, 104} & set(flagged(found))


def test_the_same_seed_gives_the_same_p_values() -> None:
    frame, about = interviews(
        {(1, 1, "good"): 12, (1, 1, "bad"): 4, (2, 1, "good"): 9, (2, 1, "bad"): 8}
    )
    first, again = (quality.compare_interviewers(frame, about, ["q1"], 5) for _ in range(2))
    assert first == again


def test_interviewers_dealt_out_by_chance_over_the_reference_survey_do_not_depart() -> None:
    folder = Path(__file__).parent / "oracle" / "minping"
    given_answers = pd.read_csv(folder / "responses.csv")["attitude"].dropna()[:400]
    codes = {"满意": "good", "基本满意": "fair"}
    chance = np.random.default_rng(3)
    frame, about = frames(
        [
            person({"q1": codes.get(answer, "bad")}, interviewer=int(chance.integers(4)))
            for answer in given_answers
        ]
    )
    compared = quality.compare_interviewers(frame, about, ["q1"], 1)
    assert len(compared) == 4
    assert quality.departing_interviewers(frame, about, compared).flags == ()


# ---------------------------------------------------------------------------------------------
# Back-checks
# ---------------------------------------------------------------------------------------------


@given(
    st.dictionaries(st.uuids().map(str), st.integers(1, 4), max_size=60),
    st.fractions(Fraction(1, 20), Fraction(1, 10)),
    st.integers(0, 2**31 - 1),
)
def test_everybody_s_share_is_drawn_once_whatever_the_order(
    drawn_from: dict[str, int], share: Fraction, seed: int
) -> None:
    drawn = quality.draw_back_checks(drawn_from, (), share, seed)
    backwards = dict(reversed(drawn_from.items()))
    assert quality.draw_back_checks(backwards, (), share, seed) == drawn
    assert len(set(drawn)) == len(drawn)
    wanted = {who: ceil(share * n) for who, n in Counter(drawn_from.values()).items()}
    assert Counter(drawn_from[key] for key in drawn) == wanted
    assert quality.draw_back_checks(drawn_from, drawn, share, seed) == []


def test_another_seed_draws_others() -> None:
    keys = {f"{number:032x}": 1 for number in range(200)}
    some, others = (quality.draw_back_checks(keys, (), Fraction(1, 10), seed) for seed in (1, 2))
    assert set(some) != set(others)
