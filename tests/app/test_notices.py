"""What residents are told: whole, corrected in versions, and each answer under its own."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading, transaction
from app.models import AuditEntry, Notice, SurveyState
from tests.conftest import (
    EVALUATOR,
    NOTICE,
    NOW,
    Page,
    Visitor,
    Zone,
    change_survey,
    snapshot,
    submissions,
)


@pytest.fixture
def path(here: Zone) -> str:
    return f"/desk/surveys/{here.survey}/notice"


def versions(app: Flask, here: Zone) -> Sequence[Notice]:
    with app.app_context(), reading() as session:
        query = select(Notice).where(Notice.survey_id == here.survey).order_by(Notice.number)
        return session.scalars(query).all()


def acts(app: Flask) -> list[AuditEntry]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def correct(visitor: Visitor, path: str, *, status: int = 303, **changes: str) -> Page:
    return visitor.fill(path, action=None, status=status, **changes)


def change_notice(app: Flask, here: Zone, **changes: object) -> None:
    with app.app_context(), transaction() as session:
        notice = session.get_one(Notice, (here.survey, 1))
        for name, value in changes.items():
            setattr(notice, name, value)


def days(count: int) -> str:
    return str(NOTICE.erase_at + timedelta(days=count))


def test_a_correction_is_shown_and_the_old_version_stays(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone, path: str
) -> None:
    correct(evaluator, path, organiser="北岸卫健局")
    assert [each.organiser for each in versions(app, here)] == ["示范区卫健局", "北岸卫健局"]
    assert "北岸卫健局" in visitor.get(f"/p/{here.slug}").text
    assert "示范区卫健局" not in visitor.get(f"/s/{here.codes[0]}").text
    shown = evaluator.get(path).text
    assert "第 2 版 （现在给群众看的）" in shown
    assert "示范区卫健局" in shown


def test_an_answer_names_the_version_that_it_was_shown(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone, path: str
) -> None:
    before = visitor.open_form(f"/p/{here.slug}")
    correct(evaluator, path, purpose="改进服务")
    visitor.submit(f"/p/{here.slug}", form=before)
    assert [each.notice_number for each in submissions(app, here.survey)] == [1]
    visitor.submit(f"/p/{here.slug}")
    assert sorted(each.notice_number for each in submissions(app, here.survey)) == [1, 2]


def test_a_correction_is_on_record_with_before_and_after(
    app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    correct(evaluator, path, readers="评价人员和审计人员", reason="写漏了")
    (act,) = acts(app)
    assert (act.actor, act.action, act.object) == (
        EVALUATOR,
        "notice_corrected",
        f"survey {here.survey}",
    )
    assert act.before == {"notice": 1, "readers": "评价人员"}
    assert act.after == {"notice": 2, "readers": "评价人员和审计人员"}
    assert act.reason == "写漏了"


def test_nothing_corrected_is_no_version(app: Flask, evaluator: Visitor, path: str) -> None:
    before = snapshot(app)
    correct(evaluator, path)
    assert snapshot(app) == before


def test_of_two_corrections_at_once_the_second_is_told(
    app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    opened = evaluator.get(path).fields()
    correct(evaluator, path, purpose="改进服务")
    page = evaluator.post(path, {**opened, "purpose": "别的"}, status=400)
    assert "刚被别人改过" in page.text
    assert [each.purpose for each in versions(app, here)] == ["评价公共卫生服务", "改进服务"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"organiser": " "}, "请填写谁在调查。"),
        ({"collected": "长" * 501}, "500"),
        ({"erase_at": "2020-01-01"}, "删除日期应晚于截止时间。"),
        ({"erase_at": days(6 * 365)}, "删除日期最晚为截止后 5 年。"),
        ({"erase_at": days(1)}, "推迟删除要写明理由。"),
        ({"contact": "a\x00b"}, "控制字符"),
    ],
)
def test_a_faulty_correction_changes_nothing_and_loses_nothing(
    changes: dict[str, str], sentence: str, app: Flask, evaluator: Visitor, path: str
) -> None:
    before = snapshot(app)
    page = correct(evaluator, path, status=422, **{"purpose": "改进服务", **changes})
    assert sentence in page.errors
    assert page.fields()["purpose"] == ["改进服务"]
    assert snapshot(app) == before


@pytest.mark.parametrize(("moved", "reason"), [(-30, ""), (30, "评价延期，经批准")])
def test_the_erase_date_moves(
    moved: int, reason: str, app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    correct(evaluator, path, erase_at=days(moved), reason=reason)
    (act,) = acts(app)
    assert act.action == "erase_date_changed"
    assert (act.before, act.after) == (
        {"notice": 1, "erase_at": days(0)},
        {"notice": 2, "erase_at": days(moved)},
    )
    assert act.reason == reason
    shown = NOTICE.erase_at + timedelta(days=moved)
    assert f"{shown:%Y年%m月%d日}" in evaluator.get(f"/desk/surveys/{here.survey}").text


def test_the_erase_date_moves_no_more_once_something_is_erased(
    app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    change_notice(app, here, erased_at=NOW)
    page = correct(evaluator, path, status=422, erase_at=days(30), reason="延期")
    assert "删除日期不能再改" in page.errors
    correct(evaluator, path, contact="卫健局 新电话")


def test_a_closed_survey_may_be_erased_before_its_end(
    app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    tomorrow = str((NOW + timedelta(days=2)).date())
    correct(evaluator, path, erase_at=tomorrow)
    assert str(versions(app, here)[-1].erase_at) == tomorrow
    page = correct(evaluator, path, status=422, erase_at="2020-01-01")
    assert "不能早于今天" in page.errors


def test_a_survey_with_an_incomplete_notice_is_not_opened(
    app: Flask, evaluator: Visitor, here: Zone, path: str
) -> None:
    change_survey(app, here.survey, state=SurveyState.PAUSED)
    change_notice(app, here, organiser="")
    survey = f"/desk/surveys/{here.survey}"
    token = evaluator.get(survey).fields(f"{survey}/state")["csrf_token"]
    page = evaluator.post(f"{survey}/state", {"csrf_token": token, "to": "open"}, status=400)
    assert "先补全再开放" in page.text
    correct(evaluator, path, organiser="卫健局")
    evaluator.post(f"{survey}/state", {"csrf_token": token, "to": "open"})


def test_an_auditor_reads_the_versions_and_corrects_nothing(
    app: Flask, auditor: Visitor, path: str
) -> None:
    before = snapshot(app)
    page = auditor.get(path)
    assert "示范区卫健局" in page.text
    assert "发布新的一版" not in page.text
    token = page.fields("/staff/sign-out")["csrf_token"]
    auditor.post(path, {"csrf_token": token, "purpose": "别的"}, status=403)
    assert snapshot(app) == before


def test_an_area_that_is_added_is_on_record(app: Flask) -> None:
    app.test_cli_runner().invoke(args=["areas", "add", "新村", "--parent", "忠门镇"])
    (act,) = acts(app)
    assert (act.action, act.after) == ("area_added", {"title": "新村"})
