"""Scores, net promoters and partial credits are shown as what they are, never as a percentage."""

import csv
import io

import pytest
from flask import Flask

from app.db import transaction
from app.models import Area, SurveyState
from app.services import publishing
from surveys.reading import parse_toml
from tests.app.test_answering_every_kind import EVERY_KIND, send
from tests.conftest import Visitor, Zone, plan

MEASURES = """
[[measures]]
id = "score"
name = "平均分"
kind = "score"
base = "valid"
dont_know = "left_out"
items = [{ question = "overall", credit = { 1 = 0, 2 = 25, 3 = 50, 4 = 75, 5 = 100 } }]

[[measures]]
id = "net"
name = "净推荐值"
kind = "nps"
base = "valid"
dont_know = "left_out"
items = [{ question = "recommend" }]

[[measures]]
id = "partial"
name = "折算满意度"
kind = "satisfaction"
base = "routed"
dont_know = "left_out"
reading_of = "satisfaction"
items = [{ question = "overall", positive = ["2", "5"], credit = { 2 = 0.9 } }]
"""


@pytest.fixture
def rates(app: Flask, here: Zone, visitor: Visitor) -> str:
    """Open a survey with such measures, let six people answer, and return where its rates are."""
    with app.app_context(), transaction() as session:
        text = EVERY_KIND.read_text(encoding="utf-8") + MEASURES
        asked = parse_toml(text, "every_kind")
        area = session.get_one(Area, here.area)
        survey = publishing.make_survey(session, asked, area, plan("每种测量"))
        publishing.move_survey(session, survey, SurveyState.OPEN)
        path = f"/p/{publishing.load_posters(session, survey)[0].slug}"
        address = f"/desk/surveys/{survey.id}/rates"
    for _person in range(3):
        send(visitor, path, overall="2", recommend="0")
        send(visitor, path, overall="5", reason="", recommend="8")
    return address


def test_each_measure_is_shown_in_its_own_unit(rates: str, evaluator: Visitor) -> None:
    page = evaluator.get(rates)
    for name, figures in {
        "score": ["62.50 分"],
        "net": ["-50.00"],
        "partial": ["6（折算 5.70）", "95.00%", "“总体满意度”的另一种口径。"],
    }.items():
        (section,) = page.html.all("section", id=name)
        for figure in figures:
            assert figure in section.text
        assert ("%" in section.text) is (name == "partial")


def test_an_export_holds_the_same_figures(rates: str, evaluator: Visitor) -> None:
    body = evaluator.client.get(f"{rates}.csv").get_data().decode("utf-8-sig")
    shown = {row["编号"]: row["比率"] for row in reversed(list(csv.DictReader(io.StringIO(body))))}
    assert (shown["score"], shown["net"], shown["partial"]) == ("62.50", "-50.00", "95.00%")
