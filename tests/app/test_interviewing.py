"""A fieldworker fills the form in for a resident: stored once, with who asked and never whom."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading, transaction
from app.models import AuditEntry, Channel, SurveyState
from app.services import publishing
from tests.conftest import (
    FIELDWORKER,
    Page,
    Visitor,
    World,
    Zone,
    answers,
    snapshot,
    submissions,
)


def address(zone: Zone) -> str:
    return f"/field/surveys/{zone.survey}/interview"


def open_form(visitor: Visitor, zone: Zone) -> dict[str, list[str]]:
    fields = visitor.get(address(zone)).fields()
    return {name: fields[name] for name in ("_token", "key", "_area")}


def send(
    visitor: Visitor,
    zone: Zone,
    form: Mapping[str, Sequence[str]] | None = None,
    given: Mapping[str, Sequence[str]] | None = None,
    *,
    status: int = 303,
    **changes: str,
) -> Page:
    """Send an interview as the form does."""
    hidden = open_form(visitor, zone) if form is None else form
    asked = {"_read": "1", "_channel": "interviewed", "_end": "1"}
    sent = {**(answers() if given is None else given), **hidden, **asked, **changes}
    return visitor.post(
        address(zone), {name: value for name, value in sent.items() if value}, status=status
    )


def acts(app: Flask) -> list[AuditEntry]:
    with app.app_context(), reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == "interviewed")
        return list(session.scalars(query.order_by(AuditEntry.number)))


def test_an_interview_is_stored_with_who_asked(
    app: Flask, fieldworker: Visitor, world: World
) -> None:
    here = world.here
    page = send(fieldworker, here, _channel="telephoned")
    (stored,) = submissions(app, here.survey)
    assert stored.channel is Channel.TELEPHONED
    assert stored.interviewer_id == world.staff[FIELDWORKER]
    assert stored.area_id == here.towns[0]
    assert stored.batch_id is None
    assert stored.answers["q1"] == "aware"
    receipt = fieldworker.get(page.location)
    assert receipt.receipt == stored.receipt
    (next_one,) = [link for link in receipt.html.all("a") if link.text == "下一位"]
    again = fieldworker.get(next_one.attributes["href"])
    assert (
        again.html.all("input", name="_channel", value="telephoned")[0].attributes["checked"] == ""
    )
    assert not [
        each for each in again.html.all("input", name="_read") if "checked" in each.attributes
    ]


def test_a_retry_gives_the_same_receipt_and_stores_nothing_twice(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    form = open_form(fieldworker, here)
    first = send(fieldworker, here, form)
    assert send(fieldworker, here, form).location == first.location
    assert len(submissions(app, here.survey)) == 1
    assert len(acts(app)) == 1


def test_other_answers_under_the_same_key_are_refused(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    form = open_form(fieldworker, here)
    send(fieldworker, here, form)
    page = send(fieldworker, here, form, answers(q1="unaware"), status=409)
    assert "以第一次提交的为准" in page.text
    assert submissions(app, here.survey)[0].answers["q1"] == "aware"


def test_the_log_says_who_asked_and_tells_no_minute(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    send(fieldworker, here)
    (act,) = acts(app)
    assert (act.actor, act.object) == (FIELDWORKER, f"survey {here.survey}")
    assert act.after == {"form": "interviewed"}
    assert (act.at.minute, act.at.second, act.at.microsecond) == (0, 0, 0)


def test_everything_that_is_wrong_is_said_at_once(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    page = send(evaluator, here, given=answers(q3=""), _read="", _area="", _channel="", status=422)
    for sentence in ("先把说明读给对方听", "片区", "当面问的还是打电话", "第 3 题"):
        assert sentence in page.text
    assert "还有 4 处需要修改" in page.text
    (kept,) = page.html.all("input", id="q1-aware")
    assert "checked" in kept.attributes
    assert submissions(app, here.survey) == []


@pytest.mark.parametrize("channel", ["paper", "scanned", "x"])
def test_other_channels_are_no_interview(
    channel: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    send(fieldworker, here, _channel=channel, status=422)
    assert submissions(app, here.survey) == []


def test_an_area_beyond_ones_branch_is_refused(
    app: Flask, fieldworker: Visitor, here: Zone, noise: Zone
) -> None:
    offered = fieldworker.get(address(here)).html.all("option")
    assert [each.attributes["value"] for each in offered] == [str(here.towns[0])]
    for area in (here.towns[1], here.area, noise.towns[0]):
        send(fieldworker, here, _area=str(area), status=422)
    assert submissions(app, here.survey) == []


def test_another_person_cannot_send_ones_form(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    page = send(evaluator, here, open_form(fieldworker, here), status=400)
    assert "您的选择都还在" in page.text
    assert submissions(app, here.survey) == []


@pytest.mark.parametrize("token", ["", "forged"])
def test_a_forged_form_is_shown_again_and_stores_nothing(
    token: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    page = send(fieldworker, here, _token=token, status=400)
    assert snapshot(app) == before
    assert page.fields()["_token"] != [token]


def test_a_residents_form_is_no_interview(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    form = {**visitor.open_form(f"/p/{here.slug}"), "_area": [str(here.towns[0])]}
    send(fieldworker, here, form, status=400)
    assert submissions(app, here.survey) == []


def test_what_was_taken_down_without_a_network_says_when_itself(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    """The phone makes the key and knows the time; the form may have been opened days before."""
    form = {**open_form(fieldworker, here), "key": [str(uuid.uuid4())]}
    finished = datetime.now(UTC) - timedelta(days=1)
    started = finished - timedelta(seconds=421)
    send(fieldworker, here, form, _started=started.isoformat(), _finished=finished.isoformat())
    (stored,) = submissions(app, here.survey)
    assert str(stored.key) == form["key"][0]
    assert stored.duration_seconds == 421


@pytest.mark.parametrize(
    ("started", "finished"),
    [
        ("2026-01-01T10:00:00+08:00", "2026-01-01T09:00:00+08:00"),
        ("2026-01-01T10:00:00+08:00", "2026-01-09T10:00:00+08:00"),
        ("2126-01-01T10:00:00+08:00", "2126-01-01T10:05:00+08:00"),
        ("2026-01-01T10:00:00", "2026-01-01T10:05:00"),
        ("2026-01-01T10:00:00+08:00", ""),
        ("yesterday", "today"),
    ],
)
def test_impossible_times_are_refused(
    started: str, finished: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    send(fieldworker, here, status=400, _started=started, _finished=finished)
    assert submissions(app, here.survey) == []


@pytest.mark.parametrize("state", [SurveyState.PAUSED, SurveyState.CLOSED])
def test_a_survey_that_does_not_run_is_not_asked(
    state: SurveyState, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    form = open_form(fieldworker, here)
    with app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, here.survey)
        publishing.move_survey(session, survey, state)
    fieldworker.get(address(here), status=403)
    send(fieldworker, here, form, status=403)
    assert submissions(app, here.survey) == []


def test_a_receipt_of_another_survey_is_not_found(
    fieldworker: Visitor, outside_fieldworker: Visitor, here: Zone, noise: Zone
) -> None:
    page = send(fieldworker, here)
    receipt = page.location.partition("?")[0].rpartition("/")[2]
    outside_fieldworker.get(f"{address(noise)}/{receipt}", status=303)
    outside_fieldworker.get(f"{address(here)}/{receipt}", status=404)


def test_an_auditor_asks_nobody(app: Flask, auditor: Visitor, here: Zone) -> None:
    auditor.get(address(here), status=403)
    auditor.post(address(here), {}, status=403)
    assert submissions(app, here.survey) == []
