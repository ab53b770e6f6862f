"""Estimates under a design, beside what R's survey package makes of the same synthetic survey."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.designs import (
    Design,
    Drawn,
    Estimate,
    Lonely,
    LonelyCluster,
    Sample,
    lay_out,
    mean,
    ratios,
    standard_error,
    summarise,
    totals,
)
from analysis.intervals import Interval, arcsine, korn_graubard, logit, student
from analysis.weights import MarginError, Margins, indicators, kish_loss, rake

ORACLE = Path(__file__).with_name("oracle")
EXPECTED: Mapping[str, Any] = json.loads(
    ORACLE.joinpath("minping_expected.json").read_text("utf-8")
)
PEOPLE = pd.read_csv(ORACLE / "minping" / "responses.csv")
MARGINS = EXPECTED["margins"]
ITEMS = ("attitude", "skill", "needs", "convenience")
TOP, TOP_TWO = ["满意"], ["满意", "基本满意"]
SCORES = {"满意": 100, "基本满意": 60, "不满意": 0}

# R's two names for leaving a lonely village out of the variance are one choice here.
LONELY = {
    "adjust": Lonely.ADJUST,
    "average": Lonely.AVERAGE,
    "remove": Lonely.CERTAINTY,
    "certainty": Lonely.CERTAINTY,
}
DESIGNS: Mapping[str, Mapping[str, Any]] = {
    "two": {"stratum": "town", "clusters": ("village", "rid"), "sizes": ("Nvill", "Npers")},
    "wr": {"stratum": "town", "clusters": ("village",), "weight": "w"},
    "one": {"stratum": "town", "clusters": ("village",), "sizes": ("Nvill",), "weight": "w"},
    "srs": {"weight": "w"},
    "strat_srs": {"stratum": "town", "weight": "w"},
}
KEYS = [
    (wave, kind, lonely)
    for wave, kind, lonely in product((1, 2), DESIGNS, LONELY)
    if f"wave{wave}_{kind}_{lonely}" in EXPECTED
]
CALIBRATED = {
    "calibrate_raking_sex_age_town": MARGINS,
    "poststratify_town": {"town": MARGINS["town"]},
}

Amounts = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]


def near(expected: object) -> object:
    return pytest.approx(expected, rel=1e-8, abs=1e-12)


def wave_of(wave: int) -> pd.DataFrame:
    return PEOPLE[PEOPLE["wave"] == wave].reset_index(drop=True)


def drawn(
    frame: pd.DataFrame, kind: str = "two", lonely: str = "adjust", margins: Margins | None = None
) -> Drawn:
    design = Design(Sample.DRAWN, lonely=LONELY[lonely], **DESIGNS[kind], margins=margins or {})
    return lay_out(frame, design)


def variable(frame: pd.DataFrame, name: str) -> tuple[Amounts, Flags]:
    """Return the amounts and the domain of one of R's variables (oracle_minping.R)."""
    everybody = np.ones(len(frame), dtype=bool)
    if name == "aware1":
        return (frame["aware"] == "知道").to_numpy(dtype=float), everybody
    if name == "npsx":
        nps = frame["nps"].to_numpy()
        return 100.0 * (nps >= 9) - 100.0 * (nps <= 6), everybody
    item, reading = name.rsplit("_", 1)
    answers = frame[item]
    if reading == "a2":
        return answers.isin(TOP_TWO).to_numpy(dtype=float), answers.notna().to_numpy()
    valid = (answers.notna() & (answers != "不清楚")).to_numpy()
    if reading == "sc":
        return answers.map(SCORES).to_numpy(dtype=float), valid
    return answers.isin(TOP_TWO if reading == "v2" else TOP).to_numpy(dtype=float), valid


@pytest.mark.parametrize(("wave", "kind", "lonely"), KEYS)
def test_means_and_design_effects_equal_r(wave: int, kind: str, lonely: str) -> None:
    frame, expected = wave_of(wave), EXPECTED[f"wave{wave}_{kind}_{lonely}"]
    layout = drawn(frame, kind, lonely)
    assert layout.freedom(np.ones(len(frame), dtype=bool)) == expected["degf"]
    variables = [key for key in expected if isinstance(expected[key], dict)]
    compared = [name for name in variables if "deff" in expected[name]]
    assert len(compared) >= 5
    for name in compared:
        amounts, domain = variable(frame, name)
        found, wanted = mean(layout, amounts, domain), expected[name]
        interval = student(found.value, found.error, expected["degf"])
        assert found.design_effect_without_replacement == near(wanted["deff"])
        assert [
            found.value,
            found.error,
            found.freedom,
            found.n,
            found.design_effect,
            found.weight_sum,
            interval.low,
            interval.high,
            len(layout.weights[domain]) / (1 + kish_loss(layout.weights[domain])),
        ] == near(
            [
                wanted["est"],
                wanted["se"],
                wanted["degf_domain"],
                wanted["n"],
                wanted["deff_replace"],
                wanted["sumw"],
                wanted["low"],
                wanted["high"],
                wanted["kish_neff"],
            ]
        )


def same_interval(found: Interval, wanted: Mapping[str, float], tolerance: float = 1e-7) -> bool:
    ends = [wanted["low"], wanted["high"]]
    return [found.low, found.high] == pytest.approx(ends, rel=tolerance, abs=tolerance)


def same_intervals(found: Estimate, wanted: Mapping[str, Any]) -> None:
    share, error, freedom = found.value, found.error, found.freedom
    assert same_interval(korn_graubard(share, error, found.n, freedom), wanted["beta"])
    assert same_interval(logit(share, error, freedom), wanted["xlogit"])
    assert same_interval(student(share, error, freedom), wanted["mean"])
    # R's own two ways to the same interval agree to 5e-10 only.
    assert same_interval(logit(share, error, freedom), wanted["logit"])
    interval = arcsine(share, error, freedom)
    if interval.low > 0 and interval.high < 1:
        assert same_interval(interval, wanted["asin"])


@pytest.mark.parametrize("wave", [1, 2])
@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize(
    ("name", "key"), [("aware1", "ciprop_aware"), ("attitude_v2", "ciprop_attitude_v2")]
)
def test_intervals_of_proportions_equal_r(wave: int, kind: str, name: str, key: str) -> None:
    frame = wave_of(wave)
    found = mean(drawn(frame, kind), *variable(frame, name))
    same_intervals(found, EXPECTED[f"wave{wave}_{kind}_adjust"][key])


@pytest.mark.parametrize("wave", [1, 2])
@pytest.mark.parametrize("kind", ["two", "strat_srs"])
def test_a_township_keeps_the_whole_design(wave: int, kind: str) -> None:
    frame = wave_of(wave)
    layout, (aware, _) = drawn(frame, kind), variable(frame, "aware1")
    compared = 0
    for wanted in EXPECTED[f"wave{wave}_{kind}_{'adjust_' * (kind == 'two')}bytown_domain"]:
        found = mean(layout, aware, (frame["town"] == wanted["town"]).to_numpy())
        assert [found.value, found.error, found.freedom, found.n] == near(
            [wanted["est"], wanted["se"], wanted["degf"], wanted["n"]]
        )
        if "ciprop" in wanted:
            same_intervals(found, wanted["ciprop"])
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("wave", [1, 2])
def test_domains_across_strata_equal_r(wave: int) -> None:
    frame = wave_of(wave)
    layout, (aware, _) = drawn(frame), variable(frame, "aware1")
    wanted = EXPECTED[f"wave{wave}_two_adjust_bysexage"]
    found = [
        mean(layout, aware, ((frame["sex"] == sex) & (frame["age"] == age)).to_numpy())
        for sex, age in zip(wanted["sex"], wanted["age"], strict=True)
    ]
    assert [each.value for each in found] == near(wanted["aware"])
    assert [each.error for each in found] == near(wanted["se"])
    towns = EXPECTED[f"wave{wave}_two_adjust_bytown"]
    attitude, valid = variable(frame, "attitude_v2")
    by_town = [mean(layout, attitude, valid & (frame["town"] == town)) for town in towns["town"]]
    assert [each.value for each in by_town] == near(towns["attitude"])
    assert [each.error for each in by_town] == near(towns["attitude_se"])


@pytest.mark.parametrize("wave", [1, 2])
@pytest.mark.parametrize("kind", DESIGNS)
def test_composites_and_both_bases_of_a_select_all_question_equal_r(wave: int, kind: str) -> None:
    frame, wanted = wave_of(wave), EXPECTED[f"wave{wave}_{kind}_adjust"]
    layout = drawn(frame, kind)
    pairs = [variable(frame, f"{item}_v2") for item in ITEMS]
    y = np.column_stack([np.where(domain, amounts, 0) for amounts, domain in pairs])
    d = np.column_stack([domain for _, domain in pairs])
    rates = ratios(layout, y, d)
    composites = {
        "composite_equal_item_rates": rates.combined([0.25] * 4),
        "composite_4321_item_rates": rates.combined([0.4, 0.3, 0.2, 0.1]),
        "composite_pooled_answers": ratios(layout, y.sum(axis=1), d.sum(axis=1)),
    }
    for key, found in composites.items():
        assert [found.values[0], standard_error(layout, found)] == near(
            [wanted[key]["est"], wanted[key]["se"]]
        )
    aware = (frame["aware"] == "知道").to_numpy()
    for key, base in {"aware": aware, "all": np.ones(len(frame), dtype=bool)}.items():
        shares = [mean(layout, frame[f"ch{channel}"], base) for channel in range(1, 8)]
        expected = wanted[f"channels_base_{key}"]
        assert [share.value for share in shares] == near(expected["est"])
        assert [share.error for share in shares] == near(expected["se"])


@pytest.mark.parametrize(("key", "margins"), CALIBRATED.items())
def test_raked_weights_and_their_errors_equal_r(
    key: str, margins: Mapping[str, Mapping[str, float]]
) -> None:
    frame, wanted = wave_of(1), EXPECTED[f"wave1_two_adjust_{key}"]
    layout = drawn(frame, margins=margins)
    assert layout.weights == pytest.approx(np.array(wanted["weights"]), rel=1e-8)
    aware = mean(layout, *variable(frame, "aware1"))
    attitude = mean(layout, *variable(frame, "attitude_v2"))
    assert [aware.value, aware.error, attitude.value, attitude.error] == near(
        [wanted[name][figure] for name in ("aware1", "attitude_v2") for figure in ("est", "se")]
    )
    same_intervals(aware, wanted["aware_ciprop"])
    assert len(frame) / (1 + kish_loss(layout.weights)) == near(wanted["kish_neff"])


def test_a_lonely_village_is_refused_unless_somebody_chose() -> None:
    frame = wave_of(1)
    layout = lay_out(frame, Design(Sample.DRAWN, **DESIGNS["wr"]))
    with pytest.raises(LonelyCluster, match="T31"):
        mean(layout, *variable(frame, "aware1"))


def test_collapsing_puts_a_lonely_township_with_its_neighbour() -> None:
    frame = wave_of(1)
    design = Design(Sample.DRAWN, lonely=Lonely.COLLAPSE, **DESIGNS["wr"])
    by_hand = frame.assign(town=frame["town"].replace("T31", "T30"))
    found = mean(lay_out(frame, design), *variable(frame, "aware1"))
    wanted = mean(
        lay_out(by_hand, Design(Sample.DRAWN, **DESIGNS["wr"])), *variable(frame, "aware1")
    )
    assert [found.error, found.freedom] == near([wanted.error, 61])


def test_what_contradicts_itself_is_no_design() -> None:
    frame = wave_of(1)
    two = DESIGNS["two"]
    with pytest.raises(ValueError, match="2 stages of drawing, but 1 sizes"):
        lay_out(frame, Design(Sample.DRAWN, **{**two, "sizes": ("Nvill",)}))
    with pytest.raises(ValueError, match="smaller than what was drawn"):
        lay_out(frame.assign(Nvill=1), Design(Sample.DRAWN, **two))
    with pytest.raises(ValueError, match="differs within a stratum"):
        lay_out(frame.assign(Nvill=range(20, 20 + len(frame))), Design(Sample.DRAWN, **two))
    with pytest.raises(ValueError, match="above 0"):
        lay_out(frame.assign(w=0.0), Design(Sample.DRAWN, weight="w"))
    with pytest.raises(ValueError, match="town is missing"):
        lay_out(frame.assign(town=None), Design(Sample.DRAWN, stratum="town"))
    with pytest.raises(ValueError, match="empty frame"):
        lay_out(frame.head(0), Design(Sample.DRAWN))
    with pytest.raises(ZeroDivisionError):
        mean(drawn(frame), frame["nps"], np.zeros(len(frame), dtype=bool))


def test_a_census_has_no_error() -> None:
    """All three villages of each township, and everybody in them."""
    frame = wave_of(1).assign(Nvill=lambda x: x["nvill"], Npers=lambda x: x["npers"])
    layout = lay_out(frame, Design(Sample.DRAWN, **DESIGNS["two"]))
    found = mean(layout, *variable(frame, "aware1"))
    assert found.error == 0
    assert found.value == pytest.approx((frame["aware"] == "知道").mean())


def test_strata_that_each_answer_alike_have_no_error_left_by_rounding() -> None:
    """Their true variance is 0; one of 1e-33 would claim 10³⁰ people, and has no interval."""
    frame = pd.DataFrame(
        {"town": list("aabbccc"), "w": [15_000.0] * 2 + [10_000.0] * 2 + [25_000 / 3] * 3}
    )
    layout = lay_out(frame, Design(Sample.DRAWN, stratum="town", weight="w"))
    found = mean(layout, frame["town"] != "a")
    assert found.error == 0
    assert found.design_effect is None
    interval = korn_graubard(found.value, found.error, found.n, found.freedom)
    assert 0 < interval.low < found.value < interval.high < 1


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_row_order_and_the_scale_of_weights_do_not_matter(factor: float, seed: int) -> None:
    frame = wave_of(1)
    shuffled = frame.sample(frac=1, random_state=seed).assign(w=lambda x: x["w"] * factor)
    found = mean(drawn(shuffled, "wr"), *variable(shuffled, "attitude_v2"))
    wanted = mean(drawn(frame, "wr"), *variable(frame, "attitude_v2"))
    assert [found.value, found.error, found.freedom, found.design_effect] == pytest.approx(
        [wanted.value, wanted.error, wanted.freedom, wanted.design_effect]
    )


def test_a_total_has_its_own_error() -> None:
    """By hand: of 4 people each stands for 2, and 1, 0, 1 and 1 add up to 6."""
    frame = pd.DataFrame({"w": [2.0] * 4})
    layout = lay_out(frame, Design(Sample.DRAWN, weight="w"))
    found = totals(layout, [1, 0, 1, 1])
    assert found.values[0] == 6
    assert standard_error(layout, found) == pytest.approx((4 / 3 * 3) ** 0.5)  # 4/3 * (3*.25+2.25)


MARGIN_CASES = st.lists(
    st.tuples(st.sampled_from("男女"), st.sampled_from(["青年", "中年", "老年"])), max_size=40
).map(lambda rows: [*rows, *product("男女", ["青年", "中年", "老年"])])


@given(rows=MARGIN_CASES, men=st.floats(0.1, 0.9), young=st.floats(0.1, 0.4))
def test_raked_weights_meet_every_margin(
    rows: list[tuple[str, str]], men: float, young: float
) -> None:
    frame = pd.DataFrame(rows, columns=["sex", "age"])
    margins = {
        "sex": {"男": men, "女": 1 - men},
        "age": {"青年": young, "中年": 0.5, "老年": 0.5 - young},
    }
    raked = rake(frame, np.ones(len(frame)), margins)
    met = indicators(frame, margins).T @ raked.weights
    wanted = [share for counts in margins.values() for share in counts.values()]
    assert met == pytest.approx(wanted, rel=1e-9)
    assert raked.lowest <= 1 <= raked.highest
    assert raked.loss >= -1e-12


def test_trimmed_weights_stay_below_their_ceiling_and_say_what_it_cost() -> None:
    frame = wave_of(1)
    start = np.ones(len(frame))
    margins = {"sex": {"男": 900, "女": 100}, "age": MARGIN_AGES}
    free, tight = rake(frame, start, margins), rake(frame, start, margins, most=1.5)
    assert free.trimmed == 0
    assert tight.trimmed > 0
    assert tight.weights.max() <= 1.5 * 1000 / len(frame) * (1 + 1e-9)
    assert tight.loss < free.loss
    assert tight.distance > free.distance
    with pytest.raises(ValueError, match="at most 1 times"):
        rake(frame, start, margins, most=1)


MARGIN_AGES = {"18-44": 400, "45-64": 370, "65+": 230}


@pytest.mark.parametrize(
    ("sexes", "margins", "reason"),
    [
        (["男", None], {"sex": {"男": 1, "女": 1}}, "missing in 1 rows"),
        (["男", "女"], {"sex": {"男": 1}}, "the population has no"),
        (["男", "男"], {"sex": {"男": 1, "女": 1}}, "nobody in the sample"),
        (["男", "女"], {"sex": {"男": 1, "女": 0}}, "no people in"),
        (["男", "女"], {"sex": {"男": 1, "女": 1}, "town": {"A": 1, "B": 3}}, "adds up to 4"),
        # The man is in A and the woman in B, so both margins say the same twice, differently.
        (["男", "女"], {"sex": {"男": 1, "女": 3}, "town": {"A": 3, "B": 1}}, "do not settle"),
    ],
)
def test_margins_that_cannot_be_met_are_refused(
    sexes: list[str | None], margins: Mapping[str, Mapping[str, float]], reason: str
) -> None:
    frame = pd.DataFrame({"sex": sexes, "town": ["A", "B"]})
    with pytest.raises(MarginError, match=reason):
        rake(frame, np.ones(2), margins)


def test_a_person_scored_over_several_questions_has_one_influence() -> None:
    frame = wave_of(1)
    layout = drawn(frame)
    amounts, domain = variable(frame, "attitude_v2")
    y = np.where(domain, amounts, 0)
    joint = ratios(layout, np.column_stack([y, y]), np.column_stack([domain, domain]))
    twice = summarise(layout, joint.combined([0.5, 0.5]), y, domain)
    once = mean(layout, amounts, domain)
    assert (twice.error, twice.design_effect) == near((once.error, once.design_effect))


@given(st.permutations(range(60)))
def test_what_a_margin_fixes_has_no_error_in_any_order(order: list[int]) -> None:
    """Rounding left errors of 1e-18, and with them an effective size without end."""
    people = pd.DataFrame(
        {
            "town": [number % 3 for number in order],
            "better": pd.Categorical([("yes", "some", "no")[number % 7 % 3] for number in order]),
            "w": 1.0,
        }
    )
    margins = {"better": {"yes": 3000, "some": 4000, "no": 3000}}
    drawn = lay_out(people, Design(Sample.DRAWN, weight="w", stratum="town", margins=margins))
    fixed = mean(drawn, (people["better"] == "yes").to_numpy(dtype=float))
    assert fixed.value == pytest.approx(0.3)
    assert fixed.error == 0.0
