"""The feed: what is read, what is refused and where, and that schema and parser agree."""

import copy
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analysis.scoring import feed
from analysis.scoring.feed import (
    Count,
    Feed,
    FeedError,
    Interval,
    Judgement,
    Measurement,
    Parts,
    Rate,
    Ratio,
    SurveyRef,
    Ticks,
)

SCHEMA = json.loads(Path(feed.__file__).with_name("feed.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

RATE: dict[str, Any] = {
    "indicator": "C32",
    "kind": "rate",
    "numerator": 365,
    "base": 412,
    "value": "365/412",
    "definition": "四道题满意率的平均",
    "interval": {"low": "0.85", "high": "0.91", "method": "wilson", "confidence": "0.95"},
    "interval_note": "",
    "survey": "beian-2020",
    "seal": None,
    "left_out": {"空白": 3},
    "source": "表8",
}
EXAMPLE: dict[str, Any] = {
    "format": "minping.feed/1",
    "survey": {"id": "beian-2020", "title": "满意度调查", "questionnaire": "beian/1"},
    "made_at": None,
    "measurements": [
        RATE,
        {"indicator": "C11", "kind": "ratio", "value": "1.02"},
        {"indicator": "C13", "kind": "ratio", "numerator": "1720", "denominator": "1699.5"},
        {"indicator": "C24", "kind": "count", "count": 0},
        {"indicator": "C03", "kind": "count", "parts": {"print": 0, "boards": 2}},
        {"indicator": "C22", "kind": "ticks", "ticks": {"ready": True}},
        {
            "indicator": "6",
            "kind": "judgement",
            "points": "42",
            "author": "评价组",
            "reason": "资金使用扣 3",
        },
        {
            "indicator": "C09",
            "kind": "ratio",
            "value": "0.8",
            "conditions": {"untrue_files": 2, "base_not_provided": False},
        },
        {
            "indicator": "3",
            "kind": "parts",
            "parts": {
                "claimed": {"kind": "rate", "numerator": 7, "base": 10, "value": "7/10"}
                | {"definition": "申领人数占常住人口数"},
                "verified": {"kind": "ratio", "numerator": "52", "denominator": "10"},
                "rectified": {"kind": "judgement", "points": "1", "author": "甲", "reason": "乙"},
                "publicity": True,
                "province": 1,
            },
        },
    ],
}


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_example_is_read_and_validates() -> None:
    VALIDATOR.validate(EXAMPLE)
    read = feed.parse(json.dumps(EXAMPLE))
    rate = read.measurements[0].content
    assert isinstance(rate, Rate)
    assert rate.value == Fraction(365, 412)
    assert rate.interval == Interval(Decimal("0.85"), Decimal("0.91"), "wilson", Decimal("0.95"))
    assert rate.left_out == {"空白": 3}
    assert read.measurements[7].conditions == {"untrue_files": 2, "base_not_provided": False}


def without(measurement: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in measurement.items() if name != key}


# What schema and parser must both refuse: a measurement, and the path that the error names.
BROKEN: list[tuple[dict[str, Any], str]] = [
    (without(RATE, "indicator"), "indicator"),
    (RATE | {"indicator": " "}, "indicator"),
    (without(RATE, "kind"), "kind"),
    (RATE | {"kind": "percentage"}, "kind"),
    (without(RATE, "numerator"), "numerator"),
    (RATE | {"numerator": "365"}, "numerator"),
    (RATE | {"numerator": True}, "numerator"),
    (RATE | {"numerator": -1}, "numerator"),
    (RATE | {"base": 0}, "base"),
    (RATE | {"value": 0.88}, "value"),
    (RATE | {"value": "88.35%"}, "value"),
    (RATE | {"value": "0.88"}, "value"),
    (RATE | {"value": "1/0"}, "value"),
    (RATE | {"definition": ""}, "definition"),
    (RATE | {"interval": {"low": "0.1"}}, "interval.high"),
    (RATE | {"interval": {**RATE["interval"], "low": 0.1}}, "interval.low"),
    (RATE | {"interval": {**RATE["interval"], "deff": "2"}}, "interval.deff"),
    (RATE | {"seal": 5}, "seal"),
    (RATE | {"seal": ""}, "seal"),
    (RATE | {"respondents": 0}, "respondents"),
    (RATE | {"respondents": "60"}, "respondents"),
    (RATE | {"left_out": 3}, "left_out"),
    (RATE | {"left_out": {"空白": -1}}, "left_out.空白"),
    (RATE | {"source": None}, "source"),
    (RATE | {"conditions": {"untrue_files": "2"}}, "conditions.untrue_files"),
    (RATE | {"weight": "5"}, "weight"),
    ({"indicator": "1", "kind": "ratio"}, "numerator"),
    ({"indicator": "1", "kind": "ratio", "value": 1.2}, "value"),
    ({"indicator": "1", "kind": "ratio", "value": "1e3"}, "value"),
    ({"indicator": "1", "kind": "ratio", "value": "1", "numerator": "1"}, "numerator"),
    ({"indicator": "1", "kind": "ratio", "numerator": "1"}, "denominator"),
    ({"indicator": "1", "kind": "count"}, "count"),
    ({"indicator": "1", "kind": "count", "count": 1.5}, "count"),
    ({"indicator": "1", "kind": "count", "count": 1, "parts": {}}, "parts"),
    ({"indicator": "1", "kind": "count", "parts": {"a": True}}, "parts.a"),
    ({"indicator": "1", "kind": "ticks"}, "ticks"),
    ({"indicator": "1", "kind": "ticks", "ticks": {"a": 1}}, "ticks.a"),
    ({"indicator": "1", "kind": "judgement", "points": "1", "author": "甲"}, "reason"),
    (
        {"indicator": "1", "kind": "judgement", "points": 1, "author": "甲", "reason": "乙"},
        "points",
    ),
    ({"indicator": "1", "kind": "parts"}, "parts"),
    ({"indicator": "1", "kind": "parts", "parts": {"a": "1"}}, "parts.a"),
    ({"indicator": "1", "kind": "parts", "parts": {"a": {"value": "1"}}}, "parts.a.kind"),
    ({"indicator": "1", "kind": "parts", "parts": {"a": {"kind": "count"}}}, "parts.a.kind"),
    (
        {"indicator": "1", "kind": "parts", "parts": {"a": {"kind": "ratio", "value": 1}}},
        "parts.a.value",
    ),
    (
        {
            "indicator": "1",
            "kind": "parts",
            "parts": {"a": {"kind": "ratio", "value": "1", "of": "2"}},
        },
        "parts.a.of",
    ),
]


@pytest.mark.parametrize(("measurement", "path"), BROKEN)
def test_schema_and_parser_refuse_the_same_measurements(
    measurement: dict[str, Any], path: str
) -> None:
    broken = EXAMPLE | {"measurements": [measurement]}
    assert not VALIDATOR.is_valid(broken)
    with pytest.raises(FeedError) as caught:
        feed.parse(json.dumps(broken))
    assert caught.value.path == f"$.measurements[0].{path}"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"format": "minping.feed/2"}, "$.format"),
        ({"survey": None}, "$.survey"),
        ({"survey": {"id": "1", "title": "t"}}, "$.survey.questionnaire"),
        ({"made_at": 5}, "$.made_at"),
        ({"measurements": None}, "$.measurements"),
        ({"measurements": {}}, "$.measurements"),
        ({"measurements": ["C32"]}, "$.measurements[0]"),
        ({"version": 1}, "$.version"),
    ],
)
def test_schema_and_parser_refuse_the_same_envelopes(change: dict[str, Any], path: str) -> None:
    broken = EXAMPLE | change
    assert not VALIDATOR.is_valid(broken)
    with pytest.raises(FeedError) as caught:
        feed.parse(json.dumps(broken))
    assert caught.value.path == path


ACCEPTED: list[dict[str, Any]] = [
    {
        "indicator": "1",
        "kind": "rate",
        "numerator": 0,
        "base": 1,
        "value": "0",
        "definition": "d",
    },
    RATE | {"interval": None, "seal": "ab12"},
    RATE | {"respondents": 60},
    {"indicator": "1", "kind": "ratio", "value": "12"},
    {"indicator": "1", "kind": "count", "parts": {}},
    {"indicator": "1", "kind": "ticks", "ticks": {}},
    {"indicator": "1", "kind": "parts", "parts": {}},
]


@pytest.mark.parametrize("measurement", ACCEPTED)
def test_schema_and_parser_accept_the_same_measurements(measurement: dict[str, Any]) -> None:
    accepted = EXAMPLE | {"measurements": [measurement]}
    VALIDATOR.validate(accepted)
    assert feed.parse(json.dumps(accepted)).measurements[0].indicator == measurement["indicator"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"numerator": 413}, "分子大于基数"),
        ({"value": "413/412"}, "不能大于 1"),
        ({"interval": {**RATE["interval"], "low": "0.95"}}, "从低到高"),
        ({"interval": {**RATE["interval"], "high": "1.1"}}, "从低到高"),
    ],
)
def test_the_parser_refuses_what_a_schema_cannot_say(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        feed.parse(json.dumps(EXAMPLE | {"measurements": [RATE | change]}))


def test_two_measurements_of_one_indicator_are_refused() -> None:
    with pytest.raises(FeedError, match="两个测量值：C32"):
        feed.parse(json.dumps(EXAMPLE | {"measurements": [RATE, copy.deepcopy(RATE)]}))


def test_a_ratio_over_nothing_is_refused() -> None:
    ratio = {"indicator": "1", "kind": "ratio", "numerator": "1", "denominator": "0"}
    with pytest.raises(FeedError, match="不可计算"):
        feed.parse(json.dumps(EXAMPLE | {"measurements": [ratio]}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "第 1 行"),
        ("[]", "一组键和值"),
        ('{"format": "a", "format": "b"}', "重复的键：format"),
        ("[" * 100_000, "嵌套太深"),
    ],
)
def test_text_that_is_no_feed_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        feed.parse(text)


TEXTS = st.text(min_size=1).filter(lambda text: bool(text.strip()))
CASES = st.integers(0, 10**6)
AMOUNTS = st.decimals(0, 10**9, places=7, allow_nan=False)
BY_NAME = st.dictionaries(TEXTS, CASES, max_size=3)
SHARES = st.fractions(0, 1)
INTERVALS = st.tuples(st.decimals(0, 1, places=6), st.decimals(0, 1, places=6)).map(
    lambda ends: Interval(min(ends), max(ends), "wilson", Decimal("0.95"))
)
RATES = st.integers(1, 10**6).flatmap(
    lambda base: st.builds(
        Rate,
        numerator=st.integers(0, base),
        base=st.just(base),
        value=SHARES,
        definition=TEXTS,
        interval=st.none() | INTERVALS,
        interval_note=st.text(),
        survey=st.text(),
        seal=st.none() | TEXTS,
        left_out=BY_NAME,
        respondents=st.none() | st.integers(1, 10**6),
    )
)
RATIOS = st.builds(Ratio, AMOUNTS, st.decimals("0.5", 100, places=3))
JUDGEMENTS = st.builds(Judgement, AMOUNTS, TEXTS, TEXTS)
CONTENTS = st.one_of(
    RATES,
    RATIOS,
    st.builds(Count, count=CASES),
    st.builds(Count, parts=BY_NAME),
    st.builds(Ticks, st.dictionaries(TEXTS, st.booleans(), max_size=3)),
    JUDGEMENTS,
    st.builds(
        Parts,
        st.dictionaries(TEXTS, st.booleans() | CASES | RATES | RATIOS | JUDGEMENTS, max_size=3),
    ),
)
MEASUREMENTS = st.builds(
    Measurement,
    indicator=TEXTS,
    content=CONTENTS,
    source=st.text(),
    conditions=st.dictionaries(TEXTS, CASES | st.booleans(), max_size=2),
)
FEEDS = st.builds(
    Feed,
    survey=st.builds(SurveyRef, TEXTS, TEXTS, TEXTS),
    measurements=st.lists(MEASUREMENTS, max_size=4, unique_by=lambda each: each.indicator).map(
        tuple
    ),
    made_at=st.none() | TEXTS,
)


@settings(deadline=None)  # a busy machine may take its time; only what is read back counts
@given(original=FEEDS)
def test_a_dumped_feed_validates_and_is_read_back_unchanged(original: Feed) -> None:
    text = feed.dump(original)
    VALIDATOR.validate(json.loads(text))
    assert feed.parse(text) == original
