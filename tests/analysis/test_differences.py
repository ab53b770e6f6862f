"""Differences and their tests, beside R's results."""

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import differences
from analysis.designs import Design, Drawn, Lonely, Sample, lay_out, mean
from analysis.differences import (
    above_target,
    below_target,
    between_counts,
    between_domains,
    between_surveys,
    fisher,
    holm,
    independence,
    paired,
    share_difference,
)

ORACLE = Path(__file__).with_name("oracle")
BINOM = json.loads(ORACLE.joinpath("binom_expected.json").read_text("utf-8"))
SURVEYS = json.loads(ORACLE.joinpath("minping_expected.json").read_text("utf-8"))
PEOPLE = pd.read_csv(ORACLE / "minping" / "responses.csv")
TWO = Design(
    Sample.DRAWN,
    stratum="stratum",
    clusters=("village", "rid"),
    sizes=("Nvill", "Npers"),
    lonely=Lonely.ADJUST,
)


def drawn(frame: pd.DataFrame) -> Drawn:
    stratum = frame["wave"].astype(str) + frame["town"]
    return lay_out(frame.assign(stratum=stratum), TWO)


def near(expected: object) -> object:
    return pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("name", ["aware1", "attitude_v2"])
def test_a_difference_between_waves_equals_r(name: str) -> None:
    wanted = SURVEYS[f"wave_diff_{name}"]
    if name == "aware1":
        amounts, domain = PEOPLE["aware"] == "知道", np.ones(len(PEOPLE), dtype=bool)
    else:
        amounts = PEOPLE["attitude"].isin(["满意", "基本满意"])
        domain = (PEOPLE["attitude"].notna() & (PEOPLE["attitude"] != "不清楚")).to_numpy()
    waves = [(PEOPLE["wave"] == wave).to_numpy() for wave in (1, 2)]
    both = between_domains(drawn(PEOPLE), amounts, *(domain & wave for wave in waves))
    first, second = (mean(drawn(PEOPLE[wave]), amounts[wave], domain[wave]) for wave in waves)
    apart = between_surveys(first, second)
    expected = [wanted["diff"], wanted["se"], wanted["degf"], wanted["p_t"]]
    assert [both.value, both.error, both.freedom, both.p] == near(expected)
    assert [apart.value, apart.error, apart.freedom, apart.p] == near(expected)
    assert apart.interval.low < 0 < apart.interval.high or wanted["p_t"] < 0.05


def test_two_groups_who_live_together_do_not_err_independently() -> None:
    frame = PEOPLE[PEOPLE["wave"] == 1]
    layout, aware = drawn(frame), frame["aware"] == "知道"
    men = (frame["sex"] == "男").to_numpy()
    together = between_domains(layout, aware, men, ~men)
    apart = between_surveys(mean(layout, aware, men), mean(layout, aware, ~men))
    assert together.value == pytest.approx(apart.value)
    assert together.error != pytest.approx(apart.error, rel=1e-3)
    assert together.freedom == 60


def test_a_difference_without_errors_has_no_p() -> None:
    census = PEOPLE.assign(Nvill=PEOPLE["nvill"], Npers=PEOPLE["npers"])
    men = (census["sex"] == "男").to_numpy()
    found = between_domains(drawn(census), census["aware"] == "知道", men, ~men)
    assert (found.p, found.error) == (None, 0)
    assert found.interval.low == found.interval.high == found.value


@pytest.mark.parametrize(
    ("key", "columns"),
    [("wave_chisq_aware_F", ("aware", "wave")), ("wave1_chisq_aware_age_F", ("aware", "age"))],
)
def test_cross_tables_equal_r(key: str, columns: tuple[str, str]) -> None:
    frame = PEOPLE[PEOPLE["wave"] == 1] if "wave1" in key else PEOPLE
    found, wanted = independence(drawn(frame), *(frame[name] for name in columns)), SURVEYS[key]
    assert [found.statistic, *found.freedom, found.p] == near(
        [wanted["stat"], wanted["ndf"], wanted["ddf"], wanted["p"]]
    )


def test_a_question_with_one_answer_has_no_cross_table() -> None:
    frame = PEOPLE[PEOPLE["wave"] == 1]
    with pytest.raises(ValueError, match="wave has"):
        independence(drawn(frame), frame["aware"], frame["wave"])


@pytest.mark.parametrize("case", BINOM["two_sample"], ids=lambda c: f"{c['x1']}-{c['x2']}")
def test_two_simple_samples_equal_r(case: dict[str, Any]) -> None:
    first, second = (case["x1"], case["n1"]), (case["x2"], case["n2"])
    plain, corrected = (between_counts(first, second, corrected=flag) for flag in (False, True))
    interval = share_difference(first, second)
    assert [
        plain.statistic,
        plain.p,
        corrected.statistic,
        corrected.p,
        fisher(first, second),
    ] == near([case[key] for key in ("chisq", "p", "chisq_cc", "p_cc", "fisher_p")])
    assert [interval.low, interval.high] == pytest.approx(
        case["ci_wald_diff_p1_minus_p2"], rel=1e-7
    )


def test_samples_that_all_say_the_same_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="the same"):
        between_counts((5, 5), (9, 9))


@pytest.mark.parametrize("case", BINOM["mcnemar"], ids=lambda c: str(c["table"]))
def test_two_questions_of_the_same_people_equal_r(case: dict[str, Any]) -> None:
    _, only_first, only_second, _ = case["table"]
    found = paired(only_first, only_second)
    assert [found.statistic, found.p] == near([case["chisq"], case["p"]])
    with pytest.raises(ValueError, match="alike"):
        paired(0, 0)


@pytest.mark.parametrize("case", BINOM["threshold"], ids=lambda c: f"{c['x']}/{c['n']}")
def test_a_target_is_tested_exactly(case: dict[str, Any]) -> None:
    found = [test(case["x"], case["n"], case["target"]) for test in (below_target, above_target)]
    assert found == near([case["p_exact_less"], case["p_exact_greater"]])


def test_holm_equals_r() -> None:
    assert holm(BINOM["p_adjust"]["p"]) == near(tuple(BINOM["p_adjust"]["holm"]))
    assert holm([]) == ()


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(differences).failed == 0
