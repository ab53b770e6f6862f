"""Differences between surveys and towns: tested, corrected, and never between withheld rates."""

import pytest
from flask import Flask

from analysis.differences import fisher
from app.config import Keys
from app.db import transaction
from app.models import Area, Channel, SurveyState
from app.services import publishing
from surveys.library import bundled
from tests.app.test_result_pages import section, store
from tests.conftest import QUESTIONNAIRE, Visitor, Zone, add_submissions, answers, plan


def sheets(aware: int, unaware: int) -> list[dict[str, list[str]]]:
    return [answers()] * aware + [answers(q1="unaware")] * unaware


@pytest.fixture
def earlier(app: Flask, here: Zone, keys: Keys) -> int:
    """Another survey of this zone: 60 of 100 people were aware."""
    with app.app_context(), transaction() as session:
        area = session.get_one(Area, here.area)
        made = publishing.make_survey(session, bundled()[QUESTIONNAIRE], area, plan("前年"))
        publishing.move_survey(session, made, SurveyState.OPEN)
        add_submissions(session, made.id, here.towns[0], sheets(60, 40), keys)
        return made.id


def test_a_rise_since_another_survey_is_tested(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys, earlier: int
) -> None:
    """By hand: 0.8 - 0.6, error sqrt(.24/99 + .16/99), t with 198 degrees of freedom."""
    store(app, here, keys, sheets(80, 20))
    page = evaluator.get(f"/desk/surveys/{here.survey}/differences?with={earlier}")
    rows = section(page, "surveys").rows()
    first, second, change, interval, p, corrected, said = rows["政策知晓度"]
    assert (first, second, change) == ("60.00%", "80.00%", "20")
    assert interval == "7.47 – 32.53"
    assert p == "0.0019"
    assert float(corrected) > float(p)
    assert said == "有差异 · t 检验"


def test_towns_are_compared_with_one_of_them(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    for town, (aware, unaware) in enumerate(((18, 2), (8, 12), (19, 1))):
        store(app, here, keys, sheets(aware, unaware), town=town)
    page = evaluator.get(
        f"/desk/surveys/{here.survey}/differences", measure="awareness", town=str(here.towns[0])
    )
    rows = section(page, "towns").rows()
    assert rows["山亭镇"][4] == f"{fisher((18, 20), (19, 20)):.0f}" == "1"
    assert "Fisher" in rows["山亭镇"][6]
    assert "看不出差异" in rows["山亭镇"][6]
    assert rows["东埔镇"][2] == "-50"
    assert "有差异" in rows["东埔镇"][6]


def test_withheld_towns_are_not_compared(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    for town, people in ((0, 9), (1, 6), (2, 2)):
        store(app, here, keys, sheets(people, 0), town=town)
    page = evaluator.get(
        f"/desk/surveys/{here.survey}/differences", measure="awareness", town=str(here.towns[0])
    )
    rows = section(page, "towns").rows()
    for name in ("东埔镇", "山亭镇"):
        assert rows[name][1:] == [*["—"] * 5, "没有可以列出的比率。"]


def test_volunteers_have_no_error_to_test_with(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys, earlier: int
) -> None:
    store(app, here, keys, sheets(80, 20), channel=Channel.POSTER)
    page = evaluator.get(f"/desk/surveys/{here.survey}/differences?with={earlier}")
    row = section(page, "surveys").rows()["政策知晓度"]
    assert row[-1] == "没有抽样误差可用，不能检验。"
    assert row[4:6] == ["—", "—"]


def test_another_zones_survey_cannot_be_compared(
    evaluator: Visitor, here: Zone, noise: Zone
) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/differences?with={noise.survey}")
    assert not page.html.all("section", id="surveys")
    assert "噪声" not in page.text
