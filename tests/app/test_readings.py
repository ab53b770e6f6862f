"""Two definitions of one measure beside each other: the same answers, other points."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import pytest
from flask import Flask

from app.config import Keys
from app.db import transaction
from app.models import Area, SurveyState
from app.services import publishing
from surveys.reading import parse_toml
from tests.conftest import Visitor, Zone, add_submissions, plan

SUINING = "suining-2022-public-health:satisfaction"
ASKED = """
format = "minping.questionnaire/1"
id = "clinic"
version = 1
title = "卫生院满意度"
language = "zh-Hans"
introduction = "请您评价。"

[source]
document = "made up for the tests"
place = "nowhere"

[[sections]]
id = "all"
title = "全部"

[[sections.questions]]
id = "knows"
number = "1"
text = "您知道签约服务吗？"
kind = "single"
options = [{ code = "yes", text = "知晓" }, { code = "no", text = "不知晓" }]

[[sections.questions]]
id = "service"
number = "2"
text = "您对签约服务满意吗？"
kind = "single"
relevant = "knows = 'yes'"
options = [
    { code = "good", text = "满意" },
    { code = "fair", text = "基本满意" },
    { code = "bad", text = "不满意" },
]

[[measures]]
id = "satisfaction"
name = "满意度"
kind = "satisfaction"
base = "routed"
dont_know = "in_base"
items = [{ question = "service", positive = ["good", "fair"] }]
"""


def open_survey(
    app: Flask, here: Zone, keys: Keys, sheets: Sequence[Mapping[str, Sequence[str]]]
) -> str:
    """Open a survey with these answers; return where its definitions are tried."""
    with app.app_context(), transaction() as session:
        area = session.get_one(Area, here.area)
        made = publishing.make_survey(session, parse_toml(ASKED, "asked"), area, plan("签约服务"))
        publishing.move_survey(session, made, SurveyState.OPEN)
        add_submissions(session, made.id, here.towns[0], sheets, keys)
        return f"/desk/surveys/{made.id}/readings"


@pytest.fixture
def address(app: Flask, here: Zone, keys: Keys) -> str:
    """Of 100 people 10 do not know the service and are not asked; 81 of the other 90 like it."""
    sheets = [
        *[{"knows": ["no"]}] * 10,
        *[{"knows": ["yes"], "service": ["good"]}] * 61,
        *[{"knows": ["yes"], "service": ["fair"]}] * 20,
        *[{"knows": ["yes"], "service": ["bad"]}] * 9,
    ]
    return open_survey(app, here, keys, sheets)


def side(name: str, *positive: str, **changes: str) -> list[tuple[str, str]]:
    given = {"subject": "satisfaction", "of": "satisfaction", **changes}
    return [
        *((f"{name}.{key}", value) for key, value in given.items()),
        *((f"{name}.service", code) for code in positive or ("good", "fair")),
    ]


def trials(visitor: Visitor, address: str, *given: tuple[str, str]) -> dict[str, list[str]]:
    page = visitor.get(f"{address}?{urlencode([('indicator', SUINING), *given])}")
    (found,) = page.html.all("div", id="trials")
    return found.rows()


def test_81_and_90_percent_are_two_definitions_and_5_points_apart(
    evaluator: Visitor, address: str
) -> None:
    """The test case of the issue; a popular survey server prints the first without saying so."""
    found = trials(evaluator, address, *side("a", base="interviewed"), *side("b", base="routed"))
    assert found["1"] == ["81.00%", "1.00 分", "81", "100", "0", "72.22% – 87.49%"]
    assert found["2"][:5] == ["90.00%", "5.50 分", "81", "90", "0"]
    path = f"{address}?{urlencode([('indicator', SUINING), *side('a', base='interviewed')])}"
    text = evaluator.get(path).text
    assert "占实际调查人数的比例（未作答的计入）。 社会公众满意度 81/100 = 81.00%" in text
    assert "社会公众满意度 81/90 = 90.00% 低于 95% 5.00 个百分点" in text


def test_a_definition_begins_as_the_questionnaire_has_it(evaluator: Visitor, address: str) -> None:
    found = trials(evaluator, address)
    assert found["1"] == found["2"]
    assert found["1"][2:4] == ["81", "90"]


def test_an_option_may_count_in_part(evaluator: Visitor, address: str) -> None:
    found = trials(evaluator, address, *side("a", **{"service.fair": "0.9"}), *side("b", "good"))
    assert [found["1"][0], *found["1"][2:4]] == ["87.78%", "81（折算 79.00）", "90"]
    assert [found["2"][0], *found["2"][2:4]] == ["67.78%", "61", "90"]


def test_a_question_becomes_a_measure(evaluator: Visitor, address: str) -> None:
    subject = {"subject": "question:knows", "of": "question:knows"}
    picked = [*((f"a.{key}", value) for key, value in subject.items()), ("a.knows", "yes")]
    found = trials(evaluator, address, *picked)["1"]
    assert [found[0], *found[2:5]] == ["90.00%", "90", "100", "0"]
    fresh = trials(evaluator, address, ("a.subject", "question:knows"))
    assert fresh["1"] == ["第1题还没有选哪些选项算肯定。"]


@pytest.mark.parametrize("worth", ["-1", "1.5", "eins", "NaN", "1e-9999999"])
def test_a_number_that_is_none_is_said(worth: str, evaluator: Visitor, address: str) -> None:
    found = trials(evaluator, address, *side("a", **{"service.fair": worth}))
    assert found["1"] == ["第2题的数字应在 0 和 1 之间。"]
    assert found["2"][2:4] == ["81", "90"]


def test_few_people_are_withheld_under_every_definition(
    evaluator: Visitor, app: Flask, here: Zone, keys: Keys
) -> None:
    """Three answers hidden as a rate of three are not shown as three of a hundred either."""
    few = [{"knows": ["yes"], "service": ["good"]}] * 3
    again = open_survey(app, here, keys, [{"knows": ["no"]}] * 97 + few)
    found = trials(evaluator, again, *side("a", base="interviewed"), *side("b", base="routed"))
    assert found["1"] == found["2"] == ["不足 5 人作答，为保护答题人不列。"]
