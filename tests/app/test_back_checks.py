"""Back-checks: drawn by chance, asked by somebody else, and nothing kept of who or what."""

import re
import uuid

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.models import AuditEntry, BackCheck, BackCheckPlan, Channel, Submission
from app.services import collecting, publishing
from surveys.answers import check
from surveys.library import bundled
from tests.conftest import (
    EVALUATOR,
    FIELDWORKER,
    NOW,
    QUESTIONNAIRE,
    House,
    Page,
    Visitor,
    Zone,
    answers,
    snapshot,
)


def store(house: House, zone: Zone, who: str, count: int) -> None:
    """Store interviews by this member of staff, all in the first town."""
    with house.app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, zone.survey)
        for _ in range(count):
            sheet = check(bundled()[QUESTIONNAIRE], answers())
            delivery = collecting.Delivery(
                uuid.uuid4(), sheet, 200, interviewer_id=house.world.staff[who]
            )
            invitation = collecting.invite(survey, zone.towns[0], Channel.INTERVIEWED)
            collecting.record_submission(session, invitation, delivery, house.settings.keys, NOW)


def desk(zone: Zone) -> str:
    return f"/desk/surveys/{zone.survey}/back-checks"


def field(zone: Zone) -> str:
    return f"/field/surveys/{zone.survey}/back-checks"


def draw(visitor: Visitor, zone: Zone, *, status: int = 303, **changes: object) -> Page:
    given = {"percent": "10", "questions": ["q1", "q3"], **changes}
    return visitor.fill(desk(zone), status=status, **given)  # type: ignore[arg-type]


def record(
    visitor: Visitor, zone: Zone, number: int, outcome: str, *, status: int = 303, **again: str
) -> Page:
    token = visitor.get(field(zone)).fields("/staff/sign-out")["csrf_token"]
    sent = {f"again-{name}": code for name, code in again.items()}
    return visitor.post(
        f"{field(zone)}/{number}", {"csrf_token": token, "outcome": outcome, **sent}, status=status
    )


def checks(app: Flask) -> list[BackCheck]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(BackCheck).order_by(BackCheck.number)))


def test_everybodys_share_is_drawn_and_topped_up(
    app: Flask, house: House, evaluator: Visitor, here: Zone
) -> None:
    store(house, here, EVALUATOR, 21)
    store(house, here, FIELDWORKER, 4)
    draw(evaluator, here)
    assert len(checks(app)) == 3 + 1
    token = evaluator.get(desk(here)).fields("/staff/sign-out")["csrf_token"]
    again = evaluator.post(desk(here), {"csrf_token": token}, status=400)
    assert "没有需要补抽的访谈" in again.text
    store(house, here, FIELDWORKER, 8)
    evaluator.post(desk(here), {"csrf_token": token})
    assert [each.number for each in checks(app)] == [1, 2, 3, 4, 5]
    with app.app_context(), reading() as session:
        plan = session.get_one(BackCheckPlan, here.survey)
    assert f"随机种子 {plan.seed}" in evaluator.get(desk(here)).text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"percent": "4"}, "比例应在 5 到 10 之间"),
        ({"percent": "11"}, "比例应在 5 到 10 之间"),
        ({"questions": []}, "请选择 1 到 5 道题"),
        ({"questions": ["q1", "q3", "q4", "q5", "q6", "q7"]}, "请选择 1 到 5 道题"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    changes: dict[str, object],
    sentence: str,
    app: Flask,
    house: House,
    evaluator: Visitor,
    here: Zone,
) -> None:
    store(house, here, FIELDWORKER, 3)
    assert sentence in draw(evaluator, here, status=422, **changes).errors
    assert snapshot(app)["back_check_plans"] == []


def test_cards_and_posters_are_never_drawn(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    assert "没有需要补抽的访谈" in draw(evaluator, here, status=400).text
    assert snapshot(app)["back_check_plans"] == []


def test_answers_are_compared_unseen_and_not_kept(
    app: Flask, house: House, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    store(house, here, EVALUATOR, 21)
    draw(evaluator, here)
    shown = fieldworker.get(f"{field(here)}/1")
    assert not [each for each in shown.html.all("input") if "checked" in each.attributes]
    record(fieldworker, here, 1, "asked_again", q1="aware", q3="often")
    record(fieldworker, here, 2, "asked_again", q1="aware", q3="never")
    record(fieldworker, here, 3, "never_interviewed")
    first, second, third = checks(app)
    assert first.matches == {"q1": True, "q3": True}
    assert second.matches == {"q1": True, "q3": False}
    assert third.matches == {}
    assert first.checked_hour is not None
    assert first.checked_hour.minute == 0
    row = evaluator.get(desk(here)).html.all("table")[0].rows()[EVALUATOR]
    assert row[:5] == ["3", "2", "1", "0", "1 / 3"]
    assert row[5].startswith("33.3%")
    assert "[6.1%, 79.2%]" in row[5]  # R prop.test(1, 3, correct = FALSE)
    rates = evaluator.get(desk(here)).html.all("table")[1].rows()
    assert [cells[0] for cells in list(rates.values())[1:]] == ["2 / 2", "1 / 2"]


def test_who_was_not_reached_is_in_no_base(
    house: House, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    store(house, here, EVALUATOR, 3)
    draw(evaluator, here)
    record(fieldworker, here, 1, "not_reached")
    row = evaluator.get(desk(here)).html.all("table")[0].rows()[EVALUATOR]
    assert row == ["1", "0", "0", "1", "0 / 0", "—"]


def test_a_check_is_recorded_once(
    app: Flask, house: House, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    store(house, here, EVALUATOR, 3)
    draw(evaluator, here)
    assert "请选择回访的结果" in record(fieldworker, here, 1, "", status=422).text
    assert "至少填写一道题" in record(fieldworker, here, 1, "asked_again", status=422).text
    record(fieldworker, here, 1, "asked_again", q1="none", status=400)
    record(fieldworker, here, 1, "not_reached")
    record(fieldworker, here, 1, "asked_again", q1="aware", status=404)
    assert [each.outcome for each in checks(app)] == ["not_reached"]


def test_nobody_checks_their_own_interviews(
    house: House, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    store(house, here, FIELDWORKER, 3)
    draw(evaluator, here)
    assert "现在没有等您回访的访谈" in fieldworker.get(field(here)).text
    fieldworker.get(f"{field(here)}/1", status=303)
    record(fieldworker, here, 1, "not_reached", status=404)
    assert "第 1 户" in evaluator.get(field(here)).text


def test_another_zone_finds_and_records_nothing(
    app: Flask, house: House, evaluator: Visitor, outsider: Visitor, here: Zone
) -> None:
    store(house, here, FIELDWORKER, 3)
    draw(evaluator, here)
    outsider.get(f"{field(here)}/1", status=404)
    token = outsider.get("/field/").fields("/staff/sign-out")["csrf_token"]
    sent = {"csrf_token": token, "outcome": "not_reached"}
    outsider.post(f"{field(here)}/1", sent, status=404)
    assert [each.outcome for each in checks(app)] == [None]


def test_the_log_knows_the_hour_and_neither_answers_nor_people(
    app: Flask, house: House, evaluator: Visitor, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    assert keys
    store(house, here, EVALUATOR, 3)
    draw(evaluator, here)
    record(fieldworker, here, 1, "asked_again", q1="aware")
    with app.app_context(), reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == "back_check_recorded")
        (act,) = session.scalars(query).all()
        found = [str(key) for key in session.scalars(select(Submission.key))]
    assert (act.at.minute, act.after) == (0, {"outcome": "asked_again"})
    assert re.fullmatch(r"survey \d+ back-check 1", act.object)
    assert not [key for key in found if key in str(act.before) + str(act.object)]
