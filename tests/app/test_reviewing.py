"""Quality review: what signals show, what a person decides, what counts, and what is told of it."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.errors import Problem
from app.models import (
    Area,
    AuditEntry,
    Channel,
    Review,
    ReviewReason,
    ReviewState,
    Staff,
    Submission,
    SurveyState,
)
from app.services import inclusion, publishing, reviewing
from tests.app.test_designs_on_screen import draw
from tests.app.test_result_pages import RUBRIC, store
from tests.conftest import (
    EVALUATOR,
    NOW,
    Command,
    Page,
    Visitor,
    Zone,
    answers,
    change_survey,
    snapshot,
    submissions,
)

UNAWARE = answers(q1="unaware")


def page(zone: Zone, name: str = "review") -> str:
    return f"/desk/surveys/{zone.survey}/{name}"


def reference(app: Flask, zone: Zone, keys: Keys, answer: str = "unaware") -> str:
    """Return the address of the one submission with this answer to the first question."""
    (found,) = [one.key for one in submissions(app, zone.survey) if one.answers["q1"] == answer]
    return f"{page(zone)}/{reviewing.reference(keys, zone.survey, found)}"


def decide(
    visitor: Visitor, path: str, to: str, reason: str = "", words: str = "", *, status: int = 303
) -> Page:
    return visitor.fill(path, status=status, to=to, reason=reason, words=words)


def rates(flask: Command, zone: Zone) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(flask("rates", zone.survey, "--json").output)
    return found


def acts(app: Flask, *actions: str) -> list[AuditEntry]:
    with app.app_context(), reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.number)
        return [each for each in session.scalars(query) if each.action in actions]


@pytest.fixture
def doubtful(app: Flask, here: Zone, keys: Keys) -> str:
    """Nine people who know and one who does not; return where that one is reviewed."""
    store(app, here, keys, [*[answers()] * 9, UNAWARE])
    return reference(app, here, keys)


# ---------------------------------------------------------------------------------------------
# Decisions
# ---------------------------------------------------------------------------------------------


def test_what_is_set_aside_leaves_the_rates_and_comes_back(
    app: Flask, evaluator: Visitor, here: Zone, doubtful: str, flask: Command
) -> None:
    before = [(one.key, one.digest, one.state) for one in submissions(app, here.survey)]
    decide(evaluator, doubtful, "set_aside", "fabricated", "回访时对方说没有接受过访问")
    found = rates(flask, here)
    assert (found["submissions"], found["review"]["excluded"]) == (9, 1)
    shown = evaluator.get(f"/desk/surveys/{here.survey}/rates").text
    assert "另有 1 份经审核按规则不计入。" in shown
    # With and without, side by side, would tell everybody what that one person answered.
    assert (found["review"]["withheld"], found["review"]["rates"]) == (True, [])
    assert "相减会看出个别人的回答，这里不并列" in shown
    assert BESIDE in evaluator.get(page(here, "inclusion")).text
    decide(evaluator, doubtful, "valid", words="核对过，是本人")
    assert rates(flask, here)["submissions"] == 10
    # No submission was touched, and both decisions are kept.
    assert [(one.key, one.digest, one.state) for one in submissions(app, here.survey)] == before
    history = evaluator.get(doubtful).text
    assert "回访时对方说没有接受过访问" in history
    assert "核对过，是本人" in history


BESIDE = "9 / 9 = 100.00% 9 / 10 = 90.00% 9 / 9 = 100.00%"


def test_rates_with_and_without_stand_beside_each_other(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys, flask: Command
) -> None:
    store(app, here, keys, [*[answers()] * 9, *[UNAWARE] * 5])
    with app.app_context(), transaction() as session:
        rows = session.scalars(select(Submission).where(Submission.survey_id == here.survey))
        unaware = [row.key for row in rows if row.answers["q1"] == "unaware"]
        staff = session.scalars(select(Staff).where(Staff.name == EVALUATOR)).one()
        session.add_all(
            Review(
                submission_key=key,
                number=1,
                state=ReviewState.SET_ASIDE,
                reason=ReviewReason.FABRICATED,
                words="",
                staff_id=staff.id,
                at=NOW,
            )
            for key in unaware
        )
    found = rates(flask, here)["review"]
    (awareness,) = [one for one in found["rates"] if one["measure"] == "awareness"]
    counts = {
        name: (one["numerator"], one["base"])
        for name, one in awareness.items()
        if name != "measure"
    }
    assert counts == {"official": (9, 9), "with_all": (9, 14), "without_set_aside": (9, 9)}
    shown = evaluator.get(f"/desk/surveys/{here.survey}/rates").text
    assert "9 / 9 = 100.00% 9 / 14 = 64.29% 9 / 9 = 100.00%" in shown


def test_a_query_counts_until_the_rule_says_otherwise(
    evaluator: Visitor, here: Zone, doubtful: str, flask: Command
) -> None:
    decide(evaluator, doubtful, "queried", "careless")
    assert rates(flask, here)["submissions"] == 10
    evaluator.fill(page(here, "inclusion"), excludes_queried="y", reason="按县里的通知")
    assert rates(flask, here)["submissions"] == 9


@pytest.mark.parametrize(
    ("to", "reason", "words", "sentence"),
    [
        ("set_aside", "", "看着不对", "请选择理由"),
        ("queried", "", "", "请选择理由"),
        ("set_aside", "other", " ", "请写明是什么理由"),
        ("valid", "", "", "恢复有效要写明为什么"),
    ],
)
def test_no_decision_goes_without_its_reason(
    to: str, reason: str, words: str, sentence: str, app: Flask, evaluator: Visitor, doubtful: str
) -> None:
    evaluator.get(doubtful)
    before = snapshot(app)["reviews"]
    assert sentence in decide(evaluator, doubtful, to, reason, words, status=422).errors
    assert snapshot(app)["reviews"] == before


@pytest.mark.parametrize("to", ["", "erased"])
def test_a_decision_that_there_is_not_is_refused(
    to: str, app: Flask, evaluator: Visitor, doubtful: str
) -> None:
    decide(evaluator, doubtful, to, "test", status=400)
    assert snapshot(app)["reviews"] == []


def test_of_two_people_on_one_record_the_second_is_told(
    app: Flask, evaluator: Visitor, administrator: Visitor, doubtful: str
) -> None:
    open_form = administrator.get(doubtful).fields()
    decide(evaluator, doubtful, "set_aside", "test")
    late = {**open_form, "to": "queried", "reason": "careless"}
    assert "刚被别人审核过" in administrator.post(doubtful, late, status=400).text
    decide(evaluator, doubtful, "set_aside", "test", status=400)
    assert len(snapshot(app)["reviews"]) == 1


def test_of_two_at_once_the_database_refuses_one(
    app: Flask, here: Zone, doubtful: str, keys: Keys
) -> None:
    assert doubtful
    decision = reviewing.Decision(ReviewState.QUERIED, ReviewReason.CARELESS, "", 0)
    with app.app_context(), transaction() as session:
        staff = session.scalars(select(Staff).where(Staff.name == EVALUATOR)).one()
        case = reviewing.load_case(session, publishing.find_survey(session, here.survey), keys)
        (record,) = [one for one in case.records if one.answers["q1"] == "unaware"]
        reviewing.decide(session, record, decision, staff, NOW)
        with pytest.raises(Problem):
            reviewing.decide(session, record, decision, staff, NOW)
        assert len(session.scalars(select(Review)).all()) == 1


def test_looks_and_decisions_are_on_record_without_the_key(
    app: Flask, evaluator: Visitor, here: Zone, doubtful: str
) -> None:
    decide(evaluator, doubtful, "set_aside", "careless", "十秒答完")
    looked, decided = acts(app, "submission_viewed", "submission_reviewed")
    name = doubtful.rpartition("/")[2]
    assert looked.object == decided.object == f"survey {here.survey} submission {name}"
    assert (decided.after, decided.reason) == (
        {"state": "set_aside", "review_reason": "careless"},
        "十秒答完",
    )
    keys = {str(one.key) for one in submissions(app, here.survey)}
    chain = str(snapshot(app)["audit_entries"]).replace("-", "")
    assert not [key for key in keys if key.replace("-", "") in chain]


def test_a_receipt_does_not_lead_staff_to_the_answers(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    """Whoever sees a resident's receipt learns the key by it, and must find nothing with that."""
    receipt = visitor.submit(f"/s/{here.codes[0]}").receipt
    (stored,) = submissions(app, here.survey)
    assert str(stored.key) in visitor.get(f"/r/{receipt}").body
    for name in (str(stored.key), stored.key.hex, receipt):
        assert evaluator.get(f"{page(here)}/{name}", status=303).location == page(here)
    listed = evaluator.get(page(here), state="valid").body
    assert str(stored.key) not in listed
    assert receipt not in listed


def test_a_receipt_says_what_the_rule_makes_of_a_decision(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone, keys: Keys
) -> None:
    receipt = visitor.submit(f"/s/{here.codes[0]}", UNAWARE).receipt
    one = reference(app, here, keys)
    decide(evaluator, one, "set_aside", "test")
    assert "没有计入结果" in visitor.get(f"/r/{receipt}").text
    evaluator.fill(page(here, "inclusion"), excluded=["duplicate"], reason="只去掉重复的")
    assert "已计入结果" in visitor.get(f"/r/{receipt}").text


def test_another_zone_neither_sees_nor_decides(
    app: Flask, outsider: Visitor, noise: Zone, doubtful: str
) -> None:
    name = doubtful.rpartition("/")[2]
    token = outsider.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    sent = {"csrf_token": token, "to": "set_aside", "reason": "test", "seen": "0"}
    before = snapshot(app)
    outsider.get(doubtful, status=404)
    outsider.post(doubtful, sent, status=404)
    outsider.get(f"{page(noise)}/{name}", status=303)
    outsider.post(f"{page(noise)}/{name}", sent, status=404)
    assert snapshot(app) == before


def test_neither_auditors_nor_fieldworkers_see_one_persons_answers(
    auditor: Visitor, fieldworker: Visitor, doubtful: str
) -> None:
    auditor.get(doubtful, status=403)
    fieldworker.get(doubtful, status=403)


# ---------------------------------------------------------------------------------------------
# What may be said of one submission
# ---------------------------------------------------------------------------------------------


def test_a_submission_is_described_only_as_far_as_enough_share_it(
    app: Flask, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 6, town=0)
    store(app, here, keys, [answers()] * 5, town=1)
    store(app, here, keys, [answers()] * 5, town=0, channel=Channel.TELEPHONED)
    store(app, here, keys, [answers()] * 1, town=1, channel=Channel.TELEPHONED)
    with app.app_context(), reading() as session:
        case = reviewing.load_case(session, publishing.find_survey(session, here.survey), keys)
    said = sorted({(one.channel, one.town, one.interviewer) for one in case.records}, key=str)
    # One telephoned person in the second town: then no town is said of those telephoned.
    assert said == [
        ("paper", "东埔镇", None),
        ("paper", "忠门镇", None),
        ("telephoned", None, None),
    ]


def test_a_survey_that_asks_for_larger_groups_says_less_of_each(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 6, town=0)
    store(app, here, keys, [answers()] * 5, town=1)
    draw(evaluator, f"/desk/surveys/{here.survey}", kind="simple", smallest="6")
    with app.app_context(), reading() as session:
        case = reviewing.load_case(session, publishing.find_survey(session, here.survey), keys)
    assert {(one.channel, one.town) for one in case.records} == {("paper", None)}


def test_free_texts_are_not_shown(evaluator: Visitor, doubtful: str) -> None:
    shown = evaluator.get(doubtful)
    assert "不知道" in shown.text
    assert "文字回答不在这里显示" in shown.text
    assert not shown.html.all("blockquote")


# ---------------------------------------------------------------------------------------------
# Signals on the page
# ---------------------------------------------------------------------------------------------


def test_signals_lead_to_the_submissions_and_the_filter_stays_in_the_address(
    app: Flask, evaluator: Visitor, here: Zone, doubtful: str
) -> None:
    with app.app_context(), transaction() as session:
        query = select(Submission).where(Submission.survey_id == here.survey)
        for one in session.scalars(query):
            one.duration_seconds = 12 if one.answers["q1"] == "unaware" else 90
    shown = evaluator.get(page(here))
    assert shown.html.all("table")[0].rows()["答得太快"][:2] == ["10", "1"]
    chosen = evaluator.get(page(here), signal="too_fast")
    links = [
        each.attributes["href"]
        for each in chosen.html.all("a")
        if re.fullmatch(rf"{page(here)}/[0-9a-f]+", each.attributes.get("href", ""))
    ]
    assert links == [doubtful]
    assert "1 秒/题" in chosen.text
    (picked,) = chosen.html.all("option", value="too_fast")
    assert "selected" in picked.attributes
    assert "0 份。" in evaluator.get(page(here), signal="too_fast", state="queried").text


def test_what_is_not_flagged_is_listed_once_nothing_more_comes_in(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    """Else the list before and after one card is answered would show what was answered."""
    store(app, here, keys, [UNAWARE])
    with app.app_context(), transaction() as session:
        (row,) = session.scalars(select(Submission).where(Submission.survey_id == here.survey))
        row.received_hour = datetime(2026, 11, 2, 2, tzinfo=UTC)  # ten in the morning there
    one = reference(app, here, keys)
    assert one not in evaluator.get(page(here), state="valid").body
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    assert one in evaluator.get(page(here), state="valid").body


def test_a_list_has_pages(app: Flask, evaluator: Visitor, here: Zone, keys: Keys) -> None:
    store(app, here, keys, [answers()] * 51)
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    first = evaluator.get(page(here), state="valid")
    second = evaluator.get(page(here), state="valid", page="2")
    assert [len(each.html.all("table")[-1].rows()) for each in (first, second)] == [51, 2]
    assert "下一页" in first.text
    assert "下一页" not in second.text


@pytest.mark.parametrize("query", ["signal=x", "state=x", "page=x", "page=-1"])
def test_a_filter_that_there_is_not_is_none(query: str, evaluator: Visitor, here: Zone) -> None:
    assert "0 份。" in evaluator.get(f"{page(here)}?{query}").text


def test_the_command_says_what_the_page_says(
    flask: Command, evaluator: Visitor, here: Zone, doubtful: str
) -> None:
    decide(evaluator, doubtful, "set_aside", "test")
    found = json.loads(flask("review", here.survey, "--json").output)
    assert found["submissions"] == 10
    assert found["states"] == {"valid": 9, "queried": 0, "set_aside": 1}
    assert found["opt_in_share"] == "0"
    assert {each["signal"]: each["judged"] for each in found["signals"]}["too_fast"] == 10
    assert "判为无效 1" in flask("review", here.survey).output


# ---------------------------------------------------------------------------------------------
# The rule
# ---------------------------------------------------------------------------------------------


def test_a_rule_of_a_draft_needs_no_reason_and_leaves_no_mark(
    app: Flask, evaluator: Visitor, here: Zone, flask: Command
) -> None:
    change_survey(app, here.survey, state=SurveyState.DRAFT)
    evaluator.fill(page(here, "inclusion"), excluded=["duplicate", "test"])
    change_survey(app, here.survey, state=SurveyState.OPEN)
    rule = rates(flask, here)["review"]
    assert (rule["rule"], rule["excluded_reasons"]) == (1, ["duplicate", "test"])
    assert (rule["late_changes"], rule["mark"]) == (0, "")
    assert "开始后修改过" not in evaluator.get(f"/desk/surveys/{here.survey}/rates").text


def test_a_rule_that_is_changed_late_is_marked_in_every_output(
    app: Flask, evaluator: Visitor, here: Zone, doubtful: str, flask: Command
) -> None:
    assert doubtful
    path = page(here, "inclusion")
    assert "要写明理由" in evaluator.fill(path, excluded=["test"], status=422).errors
    evaluator.fill(path, excluded=["test"], reason="县里定的")
    mark = "纳入规则在调查开始后修改过（1 次）"
    desk = f"/desk/surveys/{here.survey}"
    for name in ("rates", "tables", f"scores/{RUBRIC}", "review", "inclusion"):
        assert mark in evaluator.get(f"{desk}/{name}").text, name
    for name in ("rates.csv", "tables.csv"):
        assert mark in evaluator.get(f"{desk}/{name}").response.get_data(as_text=True), name
    measured = json.loads(evaluator.get(f"{desk}/scores/{RUBRIC}/feed.json").body)["measurements"]
    assert all(mark in each["source"] for each in measured)
    assert measured
    assert rates(flask, here)["review"]["mark"] == mark
    for command in (
        ["rates", here.survey],
        ["score", here.survey, RUBRIC],
        ["review", here.survey],
    ):
        assert mark in flask(*command).output
    (changed,) = acts(app, "inclusion_changed")
    assert (changed.reason, changed.after and changed.after["excluded"]) == ("县里定的", "test")


def test_of_two_changes_of_the_rule_the_second_is_told(
    app: Flask, evaluator: Visitor, administrator: Visitor, here: Zone
) -> None:
    path = page(here, "inclusion")
    open_form = administrator.get(path).fields()
    evaluator.fill(path, excluded=["test"], reason="第一次")
    late = {**open_form, "excluded": ["other"], "reason": "第二次"}
    assert "刚被别人改过" in administrator.post(path, late, status=400).text
    assert "没有变化" in evaluator.fill(path, excluded=["test"], reason="x", status=400).text
    assert len(snapshot(app)["inclusion_rules"]) == 1


def test_a_reason_that_the_rule_does_not_name_counts(
    evaluator: Visitor, here: Zone, doubtful: str, flask: Command
) -> None:
    evaluator.fill(page(here, "inclusion"), excluded=["duplicate"], reason="县里定的")
    decide(evaluator, doubtful, "set_aside", "careless")
    assert rates(flask, here)["submissions"] == 10
    assert (
        "9 / 10 = 90.00% 9 / 10 = 90.00% 9 / 9 = 100.00%"
        in evaluator.get(page(here, "inclusion")).text
    )


def test_every_reader_counts_alike(
    app: Flask, evaluator: Visitor, here: Zone, doubtful: str
) -> None:
    decide(evaluator, doubtful, "set_aside", "duplicate")
    token = evaluator.get(f"/desk/surveys/{here.survey}/cards").fields("/staff/sign-out")
    target = {**token, "area": str(here.area), "channel": "paper", "number": "20"}
    evaluator.post(f"/desk/surveys/{here.survey}/cards", target)
    assert "9" in evaluator.get(f"/desk/surveys/{here.survey}/cards").text
    survey = evaluator.get(f"/desk/surveys/{here.survey}").text
    assert "有效答卷 9 份" in survey
    csv = evaluator.get(f"/desk/surveys/{here.survey}/rates.csv").response.get_data(as_text=True)
    assert ",9,0,1," in csv
    with app.app_context(), reading() as session:
        rule = inclusion.load_inclusion(session, here.survey)
        query = select(Submission.key).where(
            Submission.survey_id == here.survey, inclusion.is_counted(rule)
        )
        assert len(session.scalars(query).all()) == 9
        assert session.get_one(Area, here.area)
