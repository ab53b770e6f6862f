"""Towns by one rate: the figures of the rates page, drawn and in a table, nobody exposed."""

import pytest
from flask import Flask

from app.config import Keys
from app.db import transaction
from tests.conftest import Page, Visitor, Zone, add_submissions, answers

RUBRIC = "beian-2020-public-health"


def charted(page: Page) -> list[str]:
    return [each.text for each in page.html.all("text")]


def store(app: Flask, zone: Zone, keys: Keys, *people: int) -> str:
    with app.app_context(), transaction() as session:
        for town, count in enumerate(people):
            sheets = [answers()] * count + [answers(q1="unaware")] * (town if count else 0)
            add_submissions(session, zone.survey, zone.towns[town], sheets, keys)
    return f"/desk/surveys/{zone.survey}/ranking"


def test_the_highest_stands_first_with_the_figures_of_the_rates_page(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    path = store(app, here, keys, 9, 9, 9)
    page = evaluator.get(path, measure="awareness", rubric=RUBRIC)
    rows = page.html.rows()
    rates = evaluator.get(path.replace("ranking", "rates"))
    shown = next(each for each in rates.html.all("section", id="awareness")).rows()
    assert list(rows)[1:] == ["忠门镇", "东埔镇", "山亭镇"]
    for town in ("忠门镇", "东埔镇", "山亭镇"):
        numerator, base, rate, interval = rows[town]
        assert [numerator, base, rate, interval] == [*shown[town][:2], *shown[town][3:5]]
        assert {town, rate} <= set(charted(page))
    assert any("满分 85" in text for text in charted(page))


def test_a_small_town_is_named_and_not_drawn(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    page = evaluator.get(store(app, here, keys, 20, 6, 1))
    assert "忠门镇" in charted(page)
    assert not {"东埔镇", "山亭镇"} & set(charted(page))
    assert "东埔镇：人数太少" in page.text


def test_without_answers_there_is_no_chart(evaluator: Visitor, here: Zone) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/ranking")
    assert charted(page) == []
    assert "没有可以列出的片区" in page.text


@pytest.mark.parametrize("asked", [{"measure": "none"}, {"rubric": "none"}])
def test_what_is_not_offered_is_refused(
    asked: dict[str, str], evaluator: Visitor, here: Zone
) -> None:
    assert evaluator.get(f"/desk/surveys/{here.survey}/ranking", status=422, **asked).errors


def test_a_cross_table_is_drawn_beside_itself(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    path = store(app, here, keys, 20, 9, 1).replace("ranking", "cross")
    page = evaluator.get(path, question="q1")
    assert {"全部", "忠门镇", "知道", "100.00%"} <= set(charted(page))
    assert not {"东埔镇", "山亭镇"} & set(charted(page))
    (chart,) = page.html.all("svg")
    assert chart.attributes["aria-label"]
