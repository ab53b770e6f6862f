"""What a measure can say beyond a plain share, and what each definition makes of one sample."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.designs import Design, Lonely, LonelyCluster, Sample
from analysis.display import GroupStatus, by_group
from analysis.frames import SubmissionRow, build_frame
from analysis.intervals import IntervalMethod, korn_graubard, wilson
from analysis.rates import (
    CENSUS_NOTE,
    FEW_CLUSTERS_NOTE,
    Rate,
    Reliability,
    describe,
    estimate,
    estimate_options,
)
from analysis.scoring.rubric import load_bundled
from analysis.scoring.rules import points
from surveys.questionnaire import (
    Base,
    Composite,
    DontKnow,
    Item,
    Measure,
    MeasureKind,
    Option,
    OptionKind,
    Question,
    QuestionKind,
    Questionnaire,
    Section,
    Source,
)

SIMPLE = Design(Sample.SIMPLE)
GRADES = (
    Option("good", "满意"),
    Option("fair", "基本满意"),
    Option("bad", "不满意"),
    Option("unsure", "不清楚", OptionKind.DONT_KNOW),
)
YES_NO = (Option("yes", "知道"), Option("no", "不知道"))
QUESTIONS = (
    Question("knows", "1", "您知道吗？", QuestionKind.SINGLE, YES_NO),
    Question("attitude", "2", "态度？", QuestionKind.SINGLE, GRADES, relevant="knows = 'yes'"),
    Question("skill", "3", "水平？", QuestionKind.SINGLE, GRADES),
    Question("clinic", "4", "您知道随访吗？", QuestionKind.SINGLE, YES_NO),
    Question("again", "5", "会推荐吗？", QuestionKind.NPS),
)
ASKED = Questionnaire(
    "defined",
    1,
    "定义",
    "zh-Hans",
    "",
    Source("made up", "nowhere"),
    (Section("a", "一", QUESTIONS),),
)
TWO = frozenset({"good", "fair"})
UNSURE = frozenset({"unsure"})
PARTIAL = {"fair": Decimal("0.9")}
SCORED = {"good": Decimal(100), "fair": Decimal(60), "bad": Decimal(0)}
ATTITUDE, SKILL = (Item(name, TWO, UNSURE) for name in ("attitude", "skill"))

ORACLE = Path(__file__).with_name("oracle")
EXPECTED = json.loads(ORACLE.joinpath("minping_expected.json").read_text("utf-8"))
VILLAGES = pd.read_csv(ORACLE / "minping" / "responses.csv").query("wave == 1")
DRAWN = Design(
    Sample.DRAWN,
    stratum="town",
    clusters=("village", "rid"),
    sizes=("Nvill", "Npers"),
    lonely=Lonely.ADJUST,
)
CODES = {"满意": "good", "基本满意": "fair", "不满意": "bad", "不清楚": "unsure"}


def measure(
    *items: Item,
    kind: MeasureKind = MeasureKind.SATISFACTION,
    base: Base = Base.VALID,
    dont_know: DontKnow = DontKnow.LEFT_OUT,
    composite: Composite | None = None,
) -> Measure:
    return Measure("m", "满意度", kind, items, base, dont_know, composite)


def frame_of(*people: Mapping[str, str]) -> pd.DataFrame:
    rows = (SubmissionRow(str(i), 1, "scanned", 7, person) for i, person in enumerate(people))
    return build_frame(ASKED, rows)


def surveyed() -> pd.DataFrame:
    """Lay the synthetic survey out as a frame; the columns of its design stay beside."""
    coded = {
        item: pd.Categorical(VILLAGES[item].map(CODES), list(CODES.values()))
        for item in ("attitude", "skill", "needs", "convenience")
    }
    again = pd.Categorical(VILLAGES["nps"].astype(str), [str(point) for point in range(11)])
    knows = pd.Categorical(VILLAGES["aware"].map({"知道": "yes", "不知道": "no"}), ["yes", "no"])
    return VILLAGES.assign(**coded, again=again, knows=knows).reset_index(drop=True)


def weighted(rate: Rate) -> list[float | None]:
    return [rate.weighted, rate.error]


def near(figures: Sequence[float]) -> object:
    return pytest.approx(figures, rel=1e-8)


def test_two_readings_of_one_sentence_earn_different_points() -> None:
    """100 handed in, 10 skip as 不知晓, 81 of the 90 who were asked are satisfied."""
    frame = frame_of(
        *[{"knows": "yes", "attitude": "good"}] * 81,
        *[{"knows": "yes", "attitude": "bad"}] * 9,
        *[{"knows": "no"}] * 10,
    )
    all_people = estimate(frame, measure(ATTITUDE, base=Base.INTERVIEWED), SIMPLE)
    asked_people = estimate(frame, measure(ATTITUDE, base=Base.ROUTED), SIMPLE)
    rule = load_bundled("suining-2022-public-health").indicator("satisfaction").rule
    assert (all_people.value, all_people.base) == (Fraction(81, 100), 100)
    assert (asked_people.value, asked_people.base) == (Fraction(90, 100), 90)
    assert points(rule, all_people.value).value == 1
    assert points(rule, asked_people.value).value == Fraction(11, 2)


def test_an_option_may_count_in_part() -> None:
    """As 信访 counts: 满意 1, 基本满意 0.9."""
    grades = ["good"] * 50 + ["fair"] * 40 + ["bad"] * 10
    frame = frame_of(*({"skill": grade} for grade in grades))
    rate = estimate(frame, measure(replace(SKILL, credit=PARTIAL)), SIMPLE)
    assert (rate.numerator, rate.credit, rate.base) == (90, Fraction(86), 100)
    assert rate.value == Fraction(86, 100)
    assert rate.effective_n is not None
    assert rate.effective_n > 100  # answers that differ by less than 1 err less
    assert rate.error == pytest.approx(np.std([1.0] * 50 + [0.9] * 40 + [0.0] * 10, ddof=1) / 10)


def test_awareness_over_several_questions_is_correct_answers_over_people_times_questions() -> None:
    items = [Item(name, frozenset({"yes"})) for name in ("knows", "clinic")]
    pooled = measure(
        *items, kind=MeasureKind.AWARENESS, base=Base.INTERVIEWED, composite=Composite.POOLED
    )
    frame = frame_of({"knows": "yes", "clinic": "yes"}, {"knows": "yes"}, {"clinic": "no"})
    rate = estimate(frame, pooled, SIMPLE)
    assert (rate.numerator, rate.base, rate.value) == (3, 3 * 2, Fraction(1, 2))


FOUR: tuple[Mapping[str, str], ...] = (
    {"knows": "yes", "attitude": "good", "skill": "good"},
    {"knows": "yes", "attitude": "bad", "skill": "good"},
    {"skill": "bad"},
    {"knows": "yes", "attitude": "unsure", "skill": "good"},
)


@pytest.mark.parametrize(
    ("composite", "value"),
    [
        (Composite.MEAN, (Fraction(1, 2) + Fraction(3, 4)) / 2),
        (Composite.POOLED, Fraction(4, 6)),
        (Composite.PERSON, (1 + Fraction(1, 2) + 0 + 1) / 4),
    ],
)
def test_three_ways_to_make_one_rate_of_two_questions(
    composite: Composite, value: Fraction
) -> None:
    assert estimate(
        frame_of(*FOUR), measure(ATTITUDE, SKILL, composite=composite), SIMPLE
    ).value == (value)


@pytest.mark.parametrize(
    ("composite", "value"),
    [
        (Composite.MEAN, Fraction(3, 4) * Fraction(1, 2) + Fraction(1, 4) * Fraction(3, 4)),
        (Composite.PERSON, (1 + Fraction(1, 4) + 0 + 1) / 4),
    ],
)
def test_questions_may_weigh_more_than_others(composite: Composite, value: Fraction) -> None:
    items = (replace(ATTITUDE, weight=Decimal("1.5")), replace(SKILL, weight=Decimal("0.5")))
    assert estimate(frame_of(*FOUR), measure(*items, composite=composite), SIMPLE).value == value


def test_a_score_is_a_mean_of_points_and_no_share() -> None:
    scored = measure(Item("skill", unsure=UNSURE, credit=SCORED), kind=MeasureKind.SCORE)
    frame = frame_of(*({"skill": grade} for grade in ["good", "fair", "bad", "unsure"]))
    rate = estimate(frame, scored, SIMPLE)
    assert (rate.value, rate.base, rate.left_out.unsure) == (Fraction(160, 300), 3, 1)


def test_net_promoters_may_be_fewer_than_none() -> None:
    net = measure(Item("again"), kind=MeasureKind.NPS)
    frame = frame_of(*({"again": point} for point in ["10", "8", "7", "6", "0"]))
    rate = estimate(frame, net, SIMPLE)
    assert (rate.value, rate.numerator, rate.credit) == (Fraction(-1, 5), 1, Fraction(-1))
    assert rate.interval is not None
    assert -1 < rate.interval.low < -0.2 < rate.interval.high < 1
    everybody = estimate(frame_of(*[{"again": "9"}] * 40), net, SIMPLE)
    assert everybody.interval is not None
    assert everybody.interval.low == pytest.approx(2 * wilson(40, 40).low - 1)


@given(
    grades=st.lists(st.sampled_from(["good", "fair", "bad"]), min_size=1, max_size=30),
    composite=st.sampled_from(Composite),
)
def test_whole_credits_are_the_plain_rate(grades: Sequence[str], composite: Composite) -> None:
    frame = frame_of(*({"skill": grade, "attitude": grade, "knows": "yes"} for grade in grades))
    whole = {"good": Decimal(1), "fair": Decimal("1.0")}
    items = (ATTITUDE, SKILL)
    credited = measure(*(replace(item, credit=whole) for item in items), composite=composite)
    assert estimate(frame, credited, SIMPLE) == estimate(
        frame, measure(*items, composite=composite), SIMPLE
    )


@pytest.mark.parametrize(
    ("defined", "sentence"),
    [
        (
            measure(replace(SKILL, credit=PARTIAL)),
            (
                "第3题选“满意”或“基本满意”（计0.9）的人数，占有效作答人数的比例"
                "（未作答的不计入，答不清楚、不适用的不计入）。"
            ),
        ),
        (
            measure(
                replace(ATTITUDE, weight=Decimal("0.6")),
                replace(SKILL, weight=Decimal("0.4")),
                composite=Composite.MEAN,
            ),
            (
                "第2题选“满意”或“基本满意”、第3题选“满意”或“基本满意”的人数，各占有效作答人数的比例，"
                "再取各题按权重0.6:0.4平均（未作答的不计入，答不清楚、不适用的不计入）。"
            ),
        ),
        (
            measure(ATTITUDE, SKILL, composite=Composite.PERSON),
            (
                "第2题选“满意”或“基本满意”、第3题选“满意”或“基本满意”的题数，占每人各题（有效作答人数）"
                "的比例，再取各人平均（未作答的不计入，答不清楚、不适用的不计入）。"
            ),
        ),
        (
            measure(Item("skill", unsure=UNSURE, credit=SCORED), kind=MeasureKind.SCORE),
            (
                "第3题选“满意”（计100分）或“基本满意”（计60分）或“不满意”（计0分），有效作答人数的平均分"
                "（未作答的不计入，答不清楚、不适用的不计入）。"
            ),
        ),
        (
            measure(Item("again"), kind=MeasureKind.NPS),
            "第5题打9、10分与打0至6分的人数，各占有效作答人数的比例之差（未作答的不计入）。",
        ),
    ],
)
def test_each_definition_reads_as_a_sentence(defined: Measure, sentence: str) -> None:
    assert describe(defined, ASKED) == sentence


def test_who_asks_everybody_has_no_error_left() -> None:
    frame = frame_of(*[{"skill": "good"}] * 45, *[{"skill": "bad"}] * 15)
    some = estimate(frame, measure(SKILL), Design(Sample.SIMPLE, population=120))
    census = estimate(frame, measure(SKILL), Design(Sample.SIMPLE, population=60))
    assert some.effective_n == pytest.approx(120)
    assert (census.error, census.interval_note, census.reliability) == (0, CENSUS_NOTE, ())
    assert census.interval is not None
    assert (census.interval.low, census.interval.high) == (0.75, 0.75)
    with pytest.raises(ValueError, match="60 asked of only 59"):
        estimate(frame, measure(SKILL), Design(Sample.SIMPLE, population=59))


@pytest.mark.parametrize(
    ("positive", "n", "doubts"),
    [
        (450, 500, ()),
        (18, 20, (Reliability.FEW_PEOPLE,)),
        (5, 8, (Reliability.FEW_PEOPLE, Reliability.WIDE_INTERVAL, Reliability.FEW_CLUSTERS)),
        (2, 60, (Reliability.WIDE_FOR_ITS_SIZE,)),
        (500, 500, (Reliability.NONE_OR_ALL,)),
    ],
)
def test_a_rate_says_what_speaks_against_it(
    positive: int, n: int, doubts: tuple[Reliability, ...]
) -> None:
    frame = frame_of(*[{"skill": "good"}] * positive, *[{"skill": "bad"}] * (n - positive))
    assert estimate(frame, measure(SKILL), SIMPLE).reliability == doubts


def test_a_drawn_sample_has_the_weighted_rates_that_r_has() -> None:
    frame, wanted = surveyed(), EXPECTED["wave1_two_adjust"]
    items = tuple(Item(name, TWO, UNSURE) for name in ("attitude", "skill", "needs", "convenience"))
    weights = (Decimal("0.4"), Decimal("0.3"), Decimal("0.2"), Decimal("0.1"))
    unequal = tuple(replace(item, weight=w) for item, w in zip(items, weights, strict=True))
    found = {
        "attitude_v2": measure(items[0]),
        "attitude_a2": measure(items[0], dont_know=DontKnow.IN_BASE),
        "composite_equal_item_rates": measure(*items, composite=Composite.MEAN),
        "composite_4321_item_rates": measure(*unequal, composite=Composite.MEAN),
        "composite_pooled_answers": measure(*items, composite=Composite.POOLED),
    }
    for key, defined in found.items():
        rate = estimate(frame, defined, DRAWN)
        assert weighted(rate) == near([wanted[key]["est"], wanted[key]["se"]])
    rate = estimate(frame, found["attitude_v2"], DRAWN)
    assert (rate.numerator, rate.base, rate.freedom) == (501, 577, 60)
    assert rate.value == Fraction(501, 577)
    assert rate.design_effect == pytest.approx(wanted["attitude_v2"]["deff_replace"])
    assert rate.interval == korn_graubard(rate.weighted or 0, rate.error or 0, 577, 60)


def test_scores_and_net_promoters_of_a_drawn_sample_equal_r() -> None:
    frame, wanted = surveyed(), EXPECTED["wave1_two_adjust"]
    score = measure(Item("needs", unsure=UNSURE, credit=SCORED), kind=MeasureKind.SCORE)
    net = measure(Item("again"), kind=MeasureKind.NPS)
    for key, defined in {"needs_sc": score, "npsx": net}.items():
        rate = estimate(frame, defined, DRAWN)
        assert weighted(rate) == near([wanted[key]["est"] / 100, wanted[key]["se"] / 100])
        assert rate.interval is not None
        assert rate.interval.low < (rate.weighted or 0) < rate.interval.high


def test_a_person_counts_once_however_many_questions_were_answered() -> None:
    frame = surveyed()
    rate = estimate(
        frame,
        measure(
            Item("attitude", TWO, UNSURE), Item("skill", TWO, UNSURE), composite=Composite.PERSON
        ),
        replace(DRAWN, sizes=(), weight="w"),
    )
    flags = pd.DataFrame({name: frame[name].isin(TWO) for name in ("attitude", "skill")})
    valid = frame[["attitude", "skill"]].isin([*TWO, "bad"])
    shares = flags.sum(axis=1) / valid.sum(axis=1)
    inside = valid.any(axis=1)
    assert float(rate.value) == pytest.approx(shares[inside].mean())
    assert rate.weighted == pytest.approx(np.average(shares[inside], weights=frame["w"][inside]))


def test_a_township_with_few_villages_borrows_the_design_effect_of_all() -> None:
    frame = surveyed()
    towns = sorted(frame["town"].unique())
    overall = estimate(frame, measure(ATTITUDE), DRAWN)
    groups = by_group(frame, measure(ATTITUDE), DRAWN, "town", towns)
    expected = EXPECTED["wave1_two_adjust_bytown"]
    assert expected["town"] == towns
    compared = 0
    for group, value, error in zip(
        groups, expected["attitude"], expected["attitude_se"], strict=True
    ):
        if group.status is not GroupStatus.SHOWN or group.rate is None:
            continue
        compared += 1
        rate = group.rate
        assert weighted(rate) == [pytest.approx(value), pytest.approx(error, abs=1e-12)]
        assert rate.interval is not None
        assert rate.interval.method is IntervalMethod.WILSON_POOLED
        assert rate.effective_n == pytest.approx(rate.base / (overall.design_effect or 0))
        assert Reliability.FEW_CLUSTERS in rate.reliability
    assert compared > 20


def test_one_village_alone_allows_no_interval() -> None:
    frame = surveyed()
    alone = frame[frame["village"] == frame["village"][0]].reset_index(drop=True)
    rate = estimate(alone, measure(ATTITUDE), DRAWN)
    assert (rate.interval, rate.interval_note) == (None, FEW_CLUSTERS_NOTE)


def test_a_lonely_village_stops_the_rate_until_somebody_chose() -> None:
    with pytest.raises(LonelyCluster, match="T31"):
        estimate(surveyed(), measure(ATTITUDE), replace(DRAWN, lonely=Lonely.REFUSE))


def test_both_bases_of_a_select_all_question_equal_r() -> None:
    """Asked of those who know, or of everybody: the same ticks over two bases."""
    frame = surveyed()
    channels = [f"ch{channel}" for channel in range(1, 8)]
    knows = frame["knows"] == "yes"
    ticks = {
        f"heard:{name}": frame[name].astype("boolean").where(knows, pd.NA) for name in channels
    }
    frame = frame.assign(**ticks, **{"heard?": knows})
    item = Item("heard", frozenset(channels))
    for base, key in ((Base.ROUTED, "aware"), (Base.INTERVIEWED, "all")):
        defined = replace(measure(item, kind=MeasureKind.SHARE, base=base), per_option=True)
        rates = estimate_options(frame, defined, DRAWN)
        wanted = EXPECTED["wave1_two_adjust"][f"channels_base_{key}"]
        assert [rate.weighted for rate in rates] == near(wanted["est"])
        assert [rate.error for rate in rates] == near(wanted["se"])
