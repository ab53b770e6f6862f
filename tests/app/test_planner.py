"""The planner: sizes over 31 townships, what they can carry, and targets written by a button."""

from urllib.parse import urlencode

import pytest
from flask import Flask

from app.db import transaction
from app.models import Area
from app.services import areas, publishing, survey_areas
from tests.conftest import Visitor, Zone

SUINING = "suining-2022-public-health:satisfaction"
FIELDS = {
    "share": "85",
    "unit": "percent",
    "precision": "5",
    "indicator": SUINING,
    "is_each": "y",
    "design_effect": "1.25",
    "response": "100",
    "fewest": "0",
    "most": "",
    "allocation": "proportional",
}


@pytest.fixture
def county(app: Flask, here: Zone) -> str:
    """Make 31 townships of 20,000 people, as Huoqiu has that many."""
    with app.app_context(), transaction() as session:
        root = session.get_one(Area, here.area)
        more = [areas.add_area(session, f"第{number}镇", root) for number in range(4, 32)]
        for town in [*(session.get_one(Area, one) for one in here.towns), *more]:
            town.population = 20_000
        survey_areas.take_in(session, publishing.find_survey(session, here.survey))
    return f"/desk/surveys/{here.survey}/plan"


def address(county: str, **changes: str) -> str:
    return f"{county}?{urlencode({**FIELDS, **changes})}"


def test_31_townships_need_what_the_simulation_said(evaluator: Visitor, county: str) -> None:
    page = evaluator.get(address(county))
    assert "共找 7502 人，约收 7502 份答卷" in page.text
    assert page.html.rows()["第31镇"][:4] == ["20000", "242", "242", "5"]
    assert "不能单独公布比率" not in page.text


def test_the_same_sample_spread_says_what_it_cannot_carry(evaluator: Visitor, county: str) -> None:
    """± 5 points for the county alone: eight people per township rank nobody."""
    changes = {"is_each": ""}
    without = {name: value for name, value in {**FIELDS, **changes}.items() if name != "is_each"}
    page = evaluator.get(f"{county}?{urlencode(without)}")
    assert "共找 245 人" in page.text
    assert "31 个乡镇的有效样本不到 30 人，不能单独公布比率、也不能排名" in page.text
    assert "31 个乡镇各自的得分可能差 1 分以上" in page.text


def test_points_ask_for_more_than_the_eye_expects(evaluator: Visitor, county: str) -> None:
    """Half a point of this rule is one percentage point."""
    page = evaluator.get(address(county, unit="points", precision="0.5"))
    town = page.html.rows()["第31镇"]
    assert int(town[1]) > 3000
    assert town[4] in {"± 0.50 分", "± 0.49 分"}


def test_the_button_writes_the_answers_as_targets(evaluator: Visitor, county: str) -> None:
    asked = address(county, response="80")
    evaluator.fill(asked, action=asked, channel="interviewed")
    cards = county.replace("/plan", "/cards")
    assert evaluator.get(cards).text.count("243") >= 31
    assert "设定目标份数" in evaluator.get("/desk/audit").text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"share": "100"}, "应在 1 和 99 之间。"),
        ({"precision": ""}, "请填写。"),
        ({"share": "sNaN"}, "应在 1 和 99 之间。"),
        ({"most": "9" * 4_000}, "应在 1 和 1000000 之间。"),
        ({"unit": "points", "indicator": "none"}, "要按得分规划，请选择一个指标。"),
        ({"is_each": "", "most": "2"}, "人分不下去"),
    ],
)
def test_what_cannot_be_planned_is_said_beside_its_field(
    changes: dict[str, str], said: str, evaluator: Visitor, county: str
) -> None:
    given = {name: value for name, value in {**FIELDS, **changes}.items() if value}
    if given["indicator"] == "none":
        given["indicator"] = ""
    page = evaluator.get(f"{county}?{urlencode(given)}")
    assert said in page.errors
    assert not page.html.all("section", id="plan")


def test_towns_without_people_are_named(evaluator: Visitor, here: Zone) -> None:
    path = f"/desk/surveys/{here.survey}/plan"
    assert "计算样本量" in evaluator.get(path).text
    refused = evaluator.get(f"{path}?{urlencode({**FIELDS, 'share': '71'})}")
    assert "这些片区没有人口" in refused.errors
    assert refused.html.all("input", name="share", value="71")
