import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.designs import Design, Sample
from analysis.display import SMALLEST_GROUP, GroupRate, GroupStatus, by_group
from analysis.frames import SubmissionRow, build_frame
from analysis.intervals import wilson
from analysis.rates import (
    SELF_SELECTED_NOTE,
    LeftOut,
    NobodyAnswered,
    describe,
    estimate,
    estimate_options,
)
from surveys.questionnaire import Questionnaire

FrameOf = Callable[..., pd.DataFrame]
Person = Mapping[str, str]

SIMPLE = Design(Sample.SIMPLE)
GRADE = st.sampled_from(["good", "fair", "bad", "unsure"])
PERSON = st.fixed_dictionaries({}, optional={"attitude": GRADE, "skill": GRADE})
PEOPLE = st.lists(PERSON, min_size=1, max_size=40)
FULL = st.lists(st.fixed_dictionaries({"attitude": GRADE, "skill": GRADE}), min_size=1, max_size=40)

# Two satisfied, one not, one 不清楚, one blank.
FIVE: tuple[Person, ...] = (
    {"attitude": "good"},
    {"attitude": "fair"},
    {"attitude": "bad"},
    {"attitude": "unsure"},
    {"skill": "good"},
)


@pytest.mark.parametrize(
    ("measure_id", "value", "left_out"),
    [
        ("valid", Fraction(2, 4), LeftOut(blank=1, unsure=0)),
        ("valid_sure", Fraction(2, 3), LeftOut(blank=1, unsure=1)),
        ("interviewed", Fraction(2, 5), LeftOut(blank=0, unsure=0)),
        ("interviewed_sure", Fraction(2, 4), LeftOut(blank=0, unsure=1)),
    ],
)
def test_the_definition_decides_who_counts(
    questionnaire: Questionnaire,
    frame_of: FrameOf,
    measure_id: str,
    value: Fraction,
    left_out: LeftOut,
) -> None:
    rate = estimate(frame_of(*FIVE), questionnaire.measure(measure_id), SIMPLE)
    assert (rate.numerator, rate.value, rate.left_out) == (2, value, left_out)
    assert rate.base + rate.left_out.total == rate.asked == 5


def test_one_question_has_a_plain_wilson_interval(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    frame = frame_of(*[{"knows": "yes"}] * 82, *[{"knows": "no"}] * 21, {})
    rate = estimate(frame, questionnaire.measure("awareness"), SIMPLE)
    expected = wilson(82, 103)
    assert rate.interval is not None
    assert rate.effective_n == 103
    assert rate.interval.low == pytest.approx(expected.low, abs=1e-12)
    assert rate.interval.high == pytest.approx(expected.high, abs=1e-12)


def test_volunteers_have_a_rate_but_no_interval(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    design = Design(Sample.SELF_SELECTED)
    rate = estimate(frame_of(*FIVE), questionnaire.measure("valid"), design)
    assert rate.value == Fraction(1, 2)
    assert (rate.interval, rate.effective_n, rate.interval_note) == (None, None, SELF_SELECTED_NOTE)


@pytest.mark.parametrize("measure_id", ["valid", "valid_sure", "mean", "pooled"])
def test_an_empty_base_is_not_0(
    questionnaire: Questionnaire, frame_of: FrameOf, measure_id: str
) -> None:
    with pytest.raises(NobodyAnswered, match=measure_id):
        estimate(frame_of({}, {}), questionnaire.measure(measure_id), SIMPLE)


def test_all_unsure_and_left_out_is_nobody(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    with pytest.raises(NobodyAnswered):
        estimate(frame_of({"attitude": "unsure"}), questionnaire.measure("valid_sure"), SIMPLE)


def test_all_dissatisfied_is_0(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    rate = estimate(frame_of({"attitude": "bad"}), questionnaire.measure("valid"), SIMPLE)
    assert rate.value == 0


def test_a_mean_of_rates_is_not_its_quotient_when_bases_differ(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    frame = frame_of(
        {"attitude": "good", "skill": "bad"}, {"attitude": "good"}, {"attitude": "bad"}, {}
    )
    mean = estimate(frame, questionnaire.measure("mean"), SIMPLE)
    pooled = estimate(frame, questionnaire.measure("pooled"), SIMPLE)
    assert (mean.numerator, mean.base, mean.value) == (2, 4, Fraction(1, 3))
    assert (pooled.numerator, pooled.base, pooled.value) == (2, 4, Fraction(1, 2))
    assert (mean.asked, mean.respondents, mean.left_out) == (4, 3, LeftOut(blank=4, unsure=0))


def test_a_mean_needs_every_item_and_a_pool_does_not(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    frame = frame_of({"attitude": "good"}, {"attitude": "bad"})
    assert estimate(frame, questionnaire.measure("pooled"), SIMPLE).value == Fraction(1, 2)
    with pytest.raises(NobodyAnswered):
        estimate(frame, questionnaire.measure("mean"), SIMPLE)


def test_people_who_answer_alike_do_not_count_twice(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    alike = [{"attitude": g, "skill": g} for g in ["good"] * 30 + ["bad"] * 10]
    rate = estimate(frame_of(*alike), questionnaire.measure("mean"), SIMPLE)
    assert rate.base == 80
    assert rate.effective_n == 40


@pytest.mark.parametrize("grades", [[("good", "good")] * 9, [("good", "bad"), ("bad", "good")] * 5])
@pytest.mark.parametrize("measure_id", ["mean", "pooled"])
def test_without_variance_the_number_of_people_counts(
    questionnaire: Questionnaire,
    frame_of: FrameOf,
    measure_id: str,
    grades: Sequence[tuple[str, str]],
) -> None:
    people = [{"attitude": attitude, "skill": skill} for attitude, skill in grades]
    rate = estimate(frame_of(*people), questionnaire.measure(measure_id), SIMPLE)
    assert rate.effective_n == len(people)
    assert rate.interval is not None
    assert rate.interval.high - rate.interval.low > 0.1


@given(people=PEOPLE)
def test_the_exact_variance_equals_the_influences_of_persons(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[Person]
) -> None:
    """z_i = mean over items of (y_ik - p_k) * valid_ik * n / n_k; var = sum of z_i² / n²."""
    frame = frame_of(*people)[["attitude", "skill"]]
    valid = frame.notna().to_numpy()
    positive = frame.isin(["good", "fair"]).to_numpy()
    bases = valid.sum(axis=0)
    if not bases.all():
        return
    shares = positive.sum(axis=0) / bases
    z = ((positive - shares) * valid * len(people) / bases).mean(axis=1)
    variance = (z**2).sum() / len(people) ** 2
    rate = estimate(frame, questionnaire.measure("mean"), SIMPLE)
    assert rate.effective_n is not None
    if variance > 1e-12:
        p = np.mean(shares)
        assert rate.effective_n == pytest.approx(p * (1 - p) / variance)


@given(people=FULL)
def test_with_equal_bases_mean_and_pool_are_one(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[Person]
) -> None:
    frame = frame_of(*people)
    mean = estimate(frame, questionnaire.measure("mean"), SIMPLE)
    pooled = estimate(frame, questionnaire.measure("pooled"), SIMPLE)
    assert mean.value == pooled.value == Fraction(mean.numerator, mean.base)


@given(people=PEOPLE, seed=st.integers(0, 999))
def test_row_order_does_not_matter(
    questionnaire: Questionnaire, frame_of: FrameOf, people: list[Person], seed: int
) -> None:
    frame = frame_of(*people)
    shuffled = frame_of(*random.Random(seed).sample(people, len(people)))  # noqa: S311 - a shuffle
    for measure in (questionnaire.measure("interviewed"), questionnaire.measure("pooled")):
        try:
            expected = estimate(frame, measure, SIMPLE)
        except NobodyAnswered:
            continue
        assert estimate(shuffled, measure, SIMPLE) == expected


@given(people=PEOPLE)
def test_the_words_of_options_do_not_matter(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[Person]
) -> None:
    measure = questionnaire.measure("interviewed")
    rows = (SubmissionRow(str(i), 1, "scanned", 7, person) for i, person in enumerate(people))
    frame = build_frame(relabelled(questionnaire), rows)
    assert estimate(frame, measure, SIMPLE) == estimate(frame_of(*people), measure, SIMPLE)


def relabelled(questionnaire: Questionnaire) -> Questionnaire:
    """Give every option the text 满意, and print the options in the opposite order."""
    questions = tuple(
        replace(
            question,
            options=tuple(replace(option, text="满意") for option in reversed(question.options)),
        )
        for question in questionnaire.questions
    )
    return replace(
        questionnaire, sections=(replace(questionnaire.sections[0], questions=questions),)
    )


def test_channels_are_shares_of_people(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    frame = frame_of({"heard": ["paper", "visit"]}, {"heard": ["visit"]}, {})
    rates = estimate_options(frame, questionnaire.measure("channels"), SIMPLE)
    assert [(rate.option, rate.numerator, rate.base) for rate in rates] == [
        ("paper", 1, 2),
        ("leaflet", 0, 2),
        ("visit", 2, 2),
    ]
    assert {rate.left_out for rate in rates} == {LeftOut(blank=1, unsure=0)}


def test_channels_that_nobody_named_have_no_share(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    with pytest.raises(NobodyAnswered):
        estimate_options(frame_of({}), questionnaire.measure("channels"), SIMPLE)


def test_each_estimator_refuses_the_others_measures(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    with pytest.raises(ValueError, match="one share per option"):
        estimate(frame_of(), questionnaire.measure("channels"), SIMPLE)
    with pytest.raises(ValueError, match="not one share per option"):
        estimate_options(frame_of(), questionnaire.measure("valid"), SIMPLE)


@pytest.mark.parametrize(
    ("measure_id", "sentence"),
    [
        ("awareness", "第1题选“知道”的人数，占有效作答人数的比例（未作答的不计入）。"),
        (
            "interviewed_sure",
            (
                "第3题选“满意”或“基本满意”的人数，占实际调查人数的比例"
                "（未作答的计入，答不清楚、不适用的不计入）。"
            ),
        ),
        (
            "mean",
            (
                "第3题选“满意”或“基本满意”、第4题选“满意”或“基本满意”的人数，各占有效作答人数的比例，"
                "再取各题平均（未作答的不计入，答不清楚、不适用的计入）。"
            ),
        ),
        (
            "pooled",
            (
                "第3题选“满意”或“基本满意”、第4题选“满意”或“基本满意”的人次合计，"
                "占各题有效作答人数合计的比例（未作答的不计入，答不清楚、不适用的计入）。"
            ),
        ),
        (
            "channels",
            (
                "第2题选“报纸”或“传单”或“入户”的人数，逐项占有效作答人数的比例"
                "（未作答的不计入，可多选，各项之和可以超过全部）。"
            ),
        ),
    ],
)
def test_a_definition_reads_as_a_sentence(
    questionnaire: Questionnaire, measure_id: str, sentence: str
) -> None:
    assert describe(questionnaire.measure(measure_id), questionnaire) == sentence


def groups_of(
    questionnaire: Questionnaire,
    frame_of: FrameOf,
    sizes: Mapping[int, int],
    order: Sequence[int] | None = None,
) -> tuple[GroupRate, ...]:
    areas = [area for area, size in sizes.items() for _ in range(size)]
    frame = frame_of(*[{"attitude": "good"}] * len(areas), areas=areas)
    return by_group(frame, questionnaire.measure("valid"), SIMPLE, "area", order or list(sizes))


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({1: 5, 2: 20}, [1, 2]),  # large enough
        ({1: 3, 2: 8, 3: 20}, [3]),  # 2 goes too: total - 2 - 3 would be 1
        ({1: 3, 2: 4, 3: 20}, [3]),  # two hidden groups already protect each other
        ({1: 1, 2: 2, 3: 9, 4: 20}, [4]),  # together they would still be 3 people
        ({1: 4, 2: 9}, []),  # no third group to leave
        ({1: 0, 2: 9}, [2]),  # nobody is hidden in an empty group
    ],
)
def test_small_groups_and_their_complements_are_suppressed(
    questionnaire: Questionnaire,
    frame_of: FrameOf,
    sizes: Mapping[int, int],
    shown: Sequence[int],
) -> None:
    found = groups_of(questionnaire, frame_of, sizes)
    assert [group.group for group in found if group.status is GroupStatus.SHOWN] == shown
    assert all((group.rate is not None) is (group.group in shown) for group in found)


def test_people_outside_the_order_protect_and_need_protection(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    few_outside = groups_of(questionnaire, frame_of, {1: 2, 2: 10, 3: 20}, order=[2, 3])
    many_outside = groups_of(questionnaire, frame_of, {1: 30, 2: 3, 3: 20}, order=[2, 3])
    assert [group.status for group in few_outside] == [GroupStatus.SUPPRESSED, GroupStatus.SHOWN]
    assert [group.status for group in many_outside] == [GroupStatus.SUPPRESSED, GroupStatus.SHOWN]


def test_a_group_without_answers_says_so(questionnaire: Questionnaire, frame_of: FrameOf) -> None:
    frame = frame_of(*[{"attitude": "good"}] * 6, {}, areas=[1] * 6 + [2])
    found = by_group(frame, questionnaire.measure("valid"), SIMPLE, "area", [2, 3, 1])
    assert [(group.group, group.status) for group in found] == [
        (2, GroupStatus.NOBODY_ANSWERED),
        (3, GroupStatus.NOBODY_ANSWERED),
        (1, GroupStatus.SHOWN),
    ]


def test_groups_may_be_answers_to_a_question(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    aware = [{"knows": "yes", "attitude": "good"}] * 6
    unaware = [{"knows": "no", "attitude": "bad"}] * 5
    frame = frame_of(*aware, *unaware)
    found = by_group(frame, questionnaire.measure("valid"), SIMPLE, "knows", ["yes", "no"])
    assert [group.rate.value for group in found if group.rate] == [1, 0]


def test_a_composite_is_as_private_as_its_thinnest_item(
    questionnaire: Questionnaire, frame_of: FrameOf
) -> None:
    both = {"attitude": "good", "skill": "bad"}
    frame = frame_of(
        *[both] * 9,
        *[{"attitude": "good"}] * 8,
        both,
        *[both] * 7,
        areas=[1] * 9 + [2] * 9 + [3] * 7,
    )
    found = by_group(frame, questionnaire.measure("mean"), SIMPLE, "area", [1, 2, 3])
    assert [group.status for group in found] == [
        GroupStatus.SHOWN,
        GroupStatus.SUPPRESSED,
        GroupStatus.SUPPRESSED,
    ]


@given(people=st.lists(st.tuples(st.integers(1, 5), PERSON), max_size=60))
def test_no_suppressed_group_can_be_computed_by_subtraction(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[tuple[int, Person]]
) -> None:
    """Area 5 is not in the order: its people are in the total, and in no row."""
    frame = frame_of(*[person for _, person in people], areas=[area for area, _ in people])
    measure = questionnaire.measure("valid_sure")
    found = by_group(frame, measure, SIMPLE, "area", [1, 2, 3, 4])
    sizes = {
        area: len(part[part["attitude"].notna() & (part["attitude"] != "unsure")])
        for area, part in frame.groupby("area")
    }
    shown = {group.group for group in found if group.status is GroupStatus.SHOWN}
    concealed = [size for area, size in sizes.items() if size and area not in shown]
    assert all(sizes[area] >= SMALLEST_GROUP for area in shown)
    if shown and concealed and min(concealed) < SMALLEST_GROUP:
        assert len(concealed) >= 2
        assert sum(concealed) >= SMALLEST_GROUP


@given(people=st.lists(st.tuples(st.integers(1, 4), GRADE), max_size=60))
def test_nothing_is_suppressed_without_need(
    questionnaire: Questionnaire, frame_of: FrameOf, people: Sequence[tuple[int, str]]
) -> None:
    areas = [area for area, _ in people]
    frame = frame_of(*[{"attitude": grade} for _, grade in people], areas=areas)
    found = by_group(frame, questionnaire.measure("valid"), SIMPLE, "area", [1, 2, 3, 4])
    is_hidden = any(group.status is GroupStatus.SUPPRESSED for group in found)
    assert is_hidden is any(0 < areas.count(area) < SMALLEST_GROUP for area in range(1, 5))
