"""Rates of other sources: beside the survey's own, marked, and never made into answers."""

import json

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading
from app.models import AuditEntry, ExternalRate
from tests.conftest import Page, Visitor, Zone, answers, snapshot, submissions

SOURCE = "卫健局服务评价系统，2026 年第三季度"


def page(zone: Zone) -> str:
    return f"/desk/surveys/{zone.survey}/external"


def enter(visitor: Visitor, zone: Zone, *, status: int = 303, **changes: str) -> Page:
    asked = {
        "measure": "awareness",
        "area": str(zone.area),
        "numerator": "97",
        "base": "100",
        "source": SOURCE,
    }
    return visitor.fill(page(zone), action=page(zone), status=status, **{**asked, **changes})


def entered(app: Flask) -> list[ExternalRate]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(ExternalRate).order_by(ExternalRate.id)))


def test_a_rate_stands_beside_the_survey_s_own_and_is_no_answer(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    enter(evaluator, here)
    assert submissions(app, here.survey) == []
    text = evaluator.get(f"/desk/surveys/{here.survey}/rates").text
    assert "有效答卷 0 份" in text
    assert f"外部数据，不计入上面的比率：北岸经济开发区 97 / 100，97.00%。来源：{SOURCE}" in text
    csv = evaluator.get(f"/desk/surveys/{here.survey}/rates.csv").response.get_data(as_text=True)
    assert f"外部数据：{SOURCE},97,100" in csv


def feed(visitor: Visitor, zone: Zone) -> dict[str, dict[str, str]]:
    path = f"/desk/surveys/{zone.survey}/scores/beian-2020-public-health/feed.json"
    measured = json.loads(visitor.get(path).body)["measurements"]
    return {each["source"]: each for each in measured}


def test_a_feed_takes_it_only_where_nobody_answered(
    evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    enter(evaluator, here)
    (source,) = feed(evaluator, here)
    assert source == f"外部数据：{SOURCE}"
    visitor.submit(f"/s/{here.codes[0]}", answers())
    assert f"外部数据：{SOURCE}" not in feed(evaluator, here)


def test_a_part_of_the_area_does_not_stand_for_the_whole(evaluator: Visitor, here: Zone) -> None:
    enter(evaluator, here, area=str(here.towns[0]))
    assert feed(evaluator, here) == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base": "0"}, "总共多少人"),
        ({"base": "-3"}, "总共多少人"),
        ({"numerator": "101"}, "应在 0 和总人数之间"),
        ({"numerator": "-1"}, "应在 0 和总人数之间"),
        ({"numerator": ""}, "请填写人数"),
        ({"source": " "}, "请写明数据从哪里来"),
        ({"base": "9999999999999"}, "总共多少人"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    changes: dict[str, str], sentence: str, app: Flask, evaluator: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    assert sentence in enter(evaluator, here, status=422, **changes).errors
    assert snapshot(app) == before


def withdraw(visitor: Visitor, zone: Zone, rate: int, reason: str, *, status: int = 303) -> Page:
    token = visitor.get(page(zone)).fields("/staff/sign-out")["csrf_token"]
    sent = {"csrf_token": token, "reason": reason}
    return visitor.post(f"{page(zone)}/{rate}/withdraw", sent, status=status)


def test_a_wrong_rate_is_withdrawn_with_a_reason(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    enter(evaluator, here)
    (rate,) = entered(app)
    withdraw(evaluator, here, rate.id, "", status=400)
    withdraw(evaluator, here, rate.id, "抄错了")
    withdraw(evaluator, here, rate.id, "再来", status=400)
    assert "抄错了" in evaluator.get(page(here)).text
    assert "外部数据，不计入" not in evaluator.get(f"/desk/surveys/{here.survey}/rates").text
    assert feed(evaluator, here) == {}
    with app.app_context(), reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.number)
        acts = [each for each in session.scalars(query) if each.action.startswith("rate_")]
    assert [(act.action, act.reason) for act in acts] == [
        ("rate_entered", ""),
        ("rate_withdrawn", "抄错了"),
    ]


def test_another_zone_neither_enters_nor_withdraws(
    app: Flask, evaluator: Visitor, outsider: Visitor, here: Zone, noise: Zone
) -> None:
    enter(evaluator, here)
    (rate,) = entered(app)
    withdraw_there = f"{page(noise)}/{rate.id}/withdraw"
    token = outsider.get(page(noise)).fields("/staff/sign-out")["csrf_token"]
    outsider.post(withdraw_there, {"csrf_token": token, "reason": "x"}, status=404)
    enter(outsider, noise, area=str(here.area), status=422)
    assert SOURCE not in outsider.get(page(noise)).text
    assert [each.withdrawn_at for each in entered(app)] == [None]


def test_an_auditor_reads_and_enters_nothing(
    app: Flask, evaluator: Visitor, auditor: Visitor, here: Zone
) -> None:
    enter(evaluator, here)
    assert SOURCE in auditor.get(page(here)).text
    token = auditor.get(page(here)).fields("/staff/sign-out")["csrf_token"]
    auditor.post(page(here), {"csrf_token": token, "numerator": "1", "base": "2"}, status=403)
    assert len(entered(app)) == 1
