"""Questionnaires on paper: keyed once or twice, compared, settled, and stored exactly once."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.config import Keys
from app.db import reading, transaction
from app.formats import date_of
from app.models import (
    AuditEntry,
    Channel,
    Keying,
    KeyingDifference,
    Notice,
    Slip,
    SlipState,
    SurveyState,
)
from app.services import slips as slips_service
from tests.app.test_answering_every_kind import open_every_kind
from tests.app.test_importing import confirm, headings, upload, workbook
from tests.conftest import (
    FIELDWORKER,
    Command,
    Page,
    Visitor,
    Zone,
    answers,
    change_survey,
    finish_wiping,
    submissions,
)

# The questionnaire of the tests in letters, as `answers()` has it in codes.
TYPED = {
    "q1": "a",
    "q2": "EF",
    "q3": "1",
    "q4": "A",
    "q5": "b",
    "q6": "A",
    "q7": "Ｂ",
    "q8": "f",
    "q9": "D",
    "q10": "C",
    "q11": "B",
    "q12": "A",
}
SetUp = Callable[[int], None]


def home(zone: Zone) -> str:
    return f"/field/surveys/{zone.survey}/paper"


def desk(zone: Zone) -> str:
    return f"/desk/surveys/{zone.survey}/paper"


@pytest.fixture
def double(evaluator: Visitor, here: Zone) -> SetUp:
    """Say how many of a hundred slips are keyed twice."""

    def say(share: int) -> None:
        evaluator.fill(desk(here), action=desk(here), share=str(share))

    return say


def opened(visitor: Visitor, zone: Zone) -> dict[str, list[str]]:
    """Open an empty form; return its token and key."""
    path = f"{home(zone)}/key"
    fields = visitor.get(path).fields(path)
    return {name: fields[name] for name in ("csrf_token", "_key")}


def key(
    visitor: Visitor,
    zone: Zone,
    number: str = "12",
    *,
    status: int | None = 303,
    form: Mapping[str, list[str]] | None = None,
    **changes: str,
) -> Page:
    """Key one slip as the form sends it."""
    hidden = form or opened(visitor, zone)
    sent = {**TYPED, "_area": str(zone.towns[0]), "_number": number, "_end": "1", **changes}
    given = {name: value for name, value in sent.items() if value}
    return visitor.post(f"{home(zone)}/key", {**hidden, **given}, status=status)


def settle(
    visitor: Visitor, zone: Zone, picks: Mapping[str, str], number: str = "12", status: int = 303
) -> Page:
    """Settle a slip: by control "first", "second", or what stands on the slip."""
    path = f"{home(zone)}/differences"
    token = visitor.get(path).html.all("input", name="csrf_token")[0].attributes["value"]
    sent = {"csrf_token": token, "_area": str(zone.towns[0]), "_number": number}
    for name, pick in picks.items():
        if pick in {"first", "second"}:
            sent[f"pick-{name}"] = pick
        else:
            sent |= {f"pick-{name}": "other", f"other-{name}": pick}
    return visitor.post(path, sent, status=status)


def states(app: Flask, zone: Zone) -> dict[str, SlipState]:
    with app.app_context(), reading() as session:
        found = session.scalars(select(Slip).where(Slip.survey_id == zone.survey))
        return {slip.number: slip.state for slip in found}


def kept(app: Flask) -> list[object]:
    """Return everything typed that is still kept."""
    with app.app_context(), reading() as session:
        return [typed for typed in session.scalars(select(Keying.typed)) if typed is not None]


def acts(app: Flask, action: str) -> list[AuditEntry]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


# ---------------------------------------------------------------------------------------------
# Keyed once
# ---------------------------------------------------------------------------------------------


def test_nothing_is_keyed_before_it_is_said_whether_twice(
    fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    assert "定好以后才能录入" in fieldworker.get(home(here)).text
    page = fieldworker.get(f"{home(here)}/key")
    assert not page.html.all("form", id="keying")
    double(0)
    form = evaluator.get(desk(here)).fields(desk(here))
    assert form["share"] == ["100"]
    key(fieldworker, here)
    assert "单录" in evaluator.get(desk(here)).text


def test_a_slip_becomes_one_submission_that_does_not_say_which(
    app: Flask, fieldworker: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    page = key(fieldworker, here, " ００12")
    (stored,) = submissions(app, here.survey)
    expected = {name: given[0] if name != "q2" else given for name, given in answers().items()}
    assert {name: stored.answers[name] for name in expected} == expected
    assert (stored.channel, stored.area_id) == (Channel.PAPER, here.towns[0])
    assert (stored.duration_seconds, stored.interviewer_id, stored.batch_id) == (None, None, None)
    assert states(app, here) == {"12": SlipState.STORED}
    assert kept(app) == []
    said = fieldworker.get(page.location).text
    assert "12 号已保存。" in said
    assert "已存成答卷" in said
    with app.app_context(), reading() as session:
        (keying,) = session.scalars(select(Keying))
        assert keying.key != stored.key
    (act,) = acts(app, "slip_keyed")
    assert (act.actor, act.object, act.after) == (FIELDWORKER, f"survey {here.survey}", None)
    assert (act.at.minute, act.at.second) == (0, 0)


def test_a_retry_stores_nothing_twice(
    app: Flask, fieldworker: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    hidden = opened(fieldworker, here)
    key(fieldworker, here, form=hidden)
    again = key(fieldworker, here, form=hidden, q1="B")
    assert "这次没有改动" in fieldworker.get(again.location).text
    assert [one.answers["q1"] for one in submissions(app, here.survey)] == ["aware"]
    assert len(acts(app, "slip_keyed")) == 1
    other = key(fieldworker, here, "13", form=hidden, status=400)
    assert "已经录过另一份问卷" in other.text


def test_the_same_number_is_not_keyed_again(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    key(fieldworker, here)
    assert "您已经录过" in key(fieldworker, here, "012", status=422).text
    assert "已经录完" in key(evaluator, here, status=422).text
    key(evaluator, here, _area=str(here.towns[1]))  # another village counts for itself
    assert len(submissions(app, here.survey)) == 2


def test_every_fault_is_said_at_its_field_and_nothing_is_lost(
    app: Flask, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    page = key(evaluator, here, "", _area="", q1="C", q3="AB", status=422)
    for said in (
        "请选择问卷是哪个片区的",
        "请填写问卷上的编号",
        "第 1 题的选项有误",
        "第 3 题只能选一个",
    ):
        assert said in page.text
    assert "有 4 处要改" in page.text
    assert page.html.all("input", id="k-q3")[0].attributes["value"] == "AB"
    assert page.html.all("input", id="k-q5")[0].attributes["value"] == "b"
    assert states(app, here) == {}


def test_the_enter_key_only_checks(
    app: Flask, fieldworker: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    page = fieldworker.get(f"{home(here)}/key")
    (form,) = page.html.all("form", id="keying")
    assert "name" not in form.all("button")[0].attributes
    checked = key(fieldworker, here, _end="", q3="", q12="", status=200)
    assert "还没有保存。空着的题：3、12。" in checked.text
    assert states(app, here) == {}


def test_blanks_are_blanks(app: Flask, fieldworker: Visitor, here: Zone, double: SetUp) -> None:
    double(0)
    key(fieldworker, here, q3="", q6="")
    (stored,) = submissions(app, here.survey)
    assert not {"q3", "q6"} & stored.answers.keys()


def test_every_kind_of_question_can_be_keyed(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    survey = open_every_kind(app, here)
    path = f"/desk/surveys/{survey}/paper"
    evaluator.fill(path, action=path, share="0")
    typed = {
        "went": "A",
        "times": "１２ 次",
        "children": "2",
        "last": "20260305",
        "why": "b、e",
        "why.other": "取药",
        "overall": "2",
        "reason:unsure": "A",
        "parts.staff": "C",
        "parts.skill": "A",
        "parts.price": "4",
        "wishes.hours": "1",
        "wishes.drugs": "２",
        "hours": "早上七点",
        "recommend": "10",
        "heard": "A",
    }
    path = f"/field/surveys/{survey}/paper/key"
    sent = {**typed, "_area": str(here.towns[0]), "_number": "甲-7", "_end": "1"}
    form = fieldworker.get(path).fields(path)
    faulty = {**form, **sent, "why": "ABCD", "parts.price": "E", "times": "x"}
    page = fieldworker.post(path, faulty, status=422)
    for said in ("第 2 题请填数字", "第 5 题最多选 3 个", "第 8-3 题的选项有误"):
        assert said in page.text
    fieldworker.post(path, {**form, **sent})
    (stored,) = submissions(app, survey)
    assert stored.answers == {
        "went": "yes",
        "times": "12",
        "children": "2",
        "last": "2026-03-05",
        "why": ["pressure", "other"],
        "overall": "2",
        "reason": "refused",
        "parts.staff": "bad",
        "parts.skill": "good",
        "parts.price": "unsure",
        "wishes.hours": "1",
        "wishes.drugs": "2",
        "recommend": "10",
        "heard": "board",
    }


# ---------------------------------------------------------------------------------------------
# Keyed twice
# ---------------------------------------------------------------------------------------------


def test_two_who_key_alike_make_one_submission(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    first = key(fieldworker, here)
    assert "请另一个人再录一遍" in fieldworker.get(first.location).text
    assert submissions(app, here.survey) == []
    assert "12" in evaluator.get(home(here)).text.partition("等您录第二遍的")[2]
    assert "第二遍要由另一个人录" in key(fieldworker, here, status=422).text
    key(evaluator, here, q2="f e", q7="2")  # in another order and by position: the same answers
    assert len(submissions(app, here.survey)) == 1
    assert states(app, here) == {"12": SlipState.STORED}
    assert kept(app) == []


def test_differences_are_shown_with_both_values_and_settled(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    key(fieldworker, here, q5="A", q9="")
    key(evaluator, here, q12="C")
    assert submissions(app, here.survey) == []
    page = evaluator.get(f"{home(here)}/differences")
    shown = {
        each.all("legend")[0].text.split(".")[0]: each.text for each in page.html.all("fieldset")
    }
    assert set(shown) == {"5", "9", "12"}
    assert "第一遍： 空着" in shown["9"]
    assert "第二遍：D 费用增加" in shown["9"]
    unsaid = settle(evaluator, here, {"q5": "second"}, status=422)
    assert unsaid.text.count("请对照问卷选一个") == 2
    wrong = settle(evaluator, here, {"q5": "X", "q9": "second", "q12": "B"}, status=422)
    assert "第 5 题的选项有误" in wrong.text
    assert submissions(app, here.survey) == []
    settle(fieldworker, here, {"q5": "second", "q9": "second", "q12": "B"})
    (stored,) = submissions(app, here.survey)
    assert stored.answers["q5"] == "fair"
    assert stored.answers["q9"] == "increased"
    assert stored.answers["q12"] not in {"much_improved", "not_improved"}
    assert kept(app) == []
    with app.app_context(), reading() as session:
        found = session.execute(
            select(
                KeyingDifference.question_id,
                KeyingDifference.first_wrong,
                KeyingDifference.second_wrong,
            ).order_by(KeyingDifference.question_id)
        ).all()
    assert [tuple(row) for row in found] == [
        ("q12", True, True),
        ("q5", True, False),
        ("q9", True, False),
    ]
    again = settle_named(evaluator, here, status=400)
    assert "已经由别人处理" in again.text


def settle_named(visitor: Visitor, zone: Zone, status: int) -> Page:
    token = visitor.get(home(zone)).html.all("input", name="csrf_token")[0].attributes["value"]
    sent = {"csrf_token": token, "_area": str(zone.towns[0]), "_number": "12"}
    return visitor.post(f"{home(zone)}/differences", sent, status=status)


def test_who_was_led_astray_by_one_error_made_one(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    survey = open_every_kind(app, here)
    zone = Zone(here.area, here.towns, survey, here.batch, here.codes, here.slug, here.rubric)
    path = f"/desk/surveys/{survey}/paper"
    evaluator.fill(path, action=path, share="100")
    typed = {"went": "A", "times": "3", "why": "A", "overall": "5", "recommend": "9", "heard": "A"}
    for visitor, went in ((fieldworker, "A"), (evaluator, "B")):
        sent = {**typed, "went": went, "_area": str(here.towns[0]), "_number": "12", "_end": "1"}
        visitor.post(f"{home(zone)}/key", {**opened(visitor, zone), **sent})
    page = evaluator.get(f"{home(zone)}/differences")
    assert len(page.html.all("fieldset")) == 5
    begun = page.fields(f"{home(zone)}/differences")
    # What only one was led to begins with what that one keyed.
    assert {name for name in begun if name.startswith("pick-")} == {
        "pick-times",
        "pick-why",
        "pick-overall",
        "pick-recommend",
    }
    evaluator.post(f"{home(zone)}/differences", {**begun, "pick-went": "first"})
    assert submissions(app, survey)[0].answers["times"] == "3"
    keyers = evaluator.get(path).html.rows()
    assert keyers["zhang"][2] == "1"
    assert keyers["li"][2] == "0"


def test_agreement_by_question_and_errors_by_keyer(
    fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    for number in ("1", "2", "3", "4"):
        key(fieldworker, here, number, q1="B" if number == "1" else "A")
        key(evaluator, here, number)
    assert (
        "已录 4 份 = 已存成答卷 3 + 等第二遍 0 + 待核对 1 + 到期删除 0"
        in evaluator.get(desk(here)).text
    )
    settle(evaluator, here, {"q1": "second"}, "1")
    rows = evaluator.get(desk(here)).html.rows()
    first = next(cells for name, cells in rows.items() if name.startswith("1. "))
    assert first == ["4", "3", "75.00%"]
    assert rows["li"] == ["4", "48", "1", "2.08%"]
    assert rows["zhang"] == ["4", "48", "0", "0.00%"]


def test_a_share_is_drawn_alike_for_one_slip_and_near_its_size(keys: Keys) -> None:
    drawn = [slips_service.is_keyed_twice(keys, (1, 2, str(n)), 20) for n in range(2000)]
    assert drawn == [slips_service.is_keyed_twice(keys, (1, 2, str(n)), 20) for n in range(2000)]
    assert 300 < sum(drawn) < 500  # 400 ± 5.6 standard deviations
    assert not any(slips_service.is_keyed_twice(keys, (1, 2, str(n)), 0) for n in range(99))
    assert all(slips_service.is_keyed_twice(keys, (1, 2, str(n)), 100) for n in range(99))


def test_the_share_is_fixed_once_a_slip_was_keyed(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(20)
    double(100)
    assert evaluator.fill(desk(here), action=desk(here), share="101", status=422).errors
    form = evaluator.get(desk(here)).fields(desk(here))
    key(fieldworker, here)
    assert "不能再改" in evaluator.post(desk(here), {**form, "share": "0"}, status=400).text
    assert [act.after for act in acts(app, "double_entry_set")] == [{"share": 20}, {"share": 100}]


def test_a_slip_under_a_wrong_number_is_taken_back(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    key(fieldworker, here)
    path = f"{home(here)}/withdraw"
    fieldworker.post(path, fieldworker.get(home(here)).fields(path))
    assert states(app, here) == {}
    assert len(acts(app, "slip_withdrawn")) == 1
    key(fieldworker, here)
    fields = fieldworker.get(home(here)).fields(path)
    key(evaluator, here)
    assert "不能撤回" in fieldworker.post(path, fields, status=400).text
    assert len(submissions(app, here.survey)) == 1


@pytest.mark.parametrize(("share", "taken"), [(0, [303, 422]), (100, [303, 303])])
def test_two_who_key_the_same_slip_at_once_make_one_submission(
    share: int,
    taken: list[int],
    app: Flask,
    fieldworker: Visitor,
    evaluator: Visitor,
    here: Zone,
    double: SetUp,
) -> None:
    double(share)
    forms = {visitor: opened(visitor, here) for visitor in (fieldworker, evaluator)}

    def send(visitor: Visitor) -> int:
        return key(visitor, here, form=forms[visitor], status=None).status

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, forms)) == taken
    assert len(submissions(app, here.survey)) == 1
    assert states(app, here) == {"12": SlipState.STORED}


# ---------------------------------------------------------------------------------------------
# When, and by whom
# ---------------------------------------------------------------------------------------------


def test_late_paper_is_taken_until_the_survey_is_ended(
    app: Flask, fieldworker: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    hidden = opened(fieldworker, here)
    change_survey(app, here.survey, closes_at=datetime.now(UTC) - timedelta(hours=1))
    key(fieldworker, here, form=hidden)
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    page = key(fieldworker, here, "13", status=400)
    assert "结束以前才能录入" in page.text


def test_a_survey_with_unsettled_slips_is_not_ended(
    fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    key(fieldworker, here)
    path = f"/desk/surveys/{here.survey}"
    fields = evaluator.get(path).fields(f"{path}/state")
    page = evaluator.post(f"{path}/state", {**fields, "to": "closed"}, status=400)
    assert "还有 1 份纸质问卷" in page.text
    key(evaluator, here)
    evaluator.post(f"{path}/state", {**fields, "to": "closed"})


def test_slips_of_another_branch_are_neither_seen_nor_settled(
    fieldworker: Visitor,
    evaluator: Visitor,
    outsider: Visitor,
    here: Zone,
    double: SetUp,
) -> None:
    double(100)
    elsewhere = str(here.towns[1])
    key(evaluator, here, "99", _area=elsewhere)
    page = fieldworker.get(home(here))
    assert "99" not in page.text
    assert "已录 0 份" in page.text
    refused = key(fieldworker, here, "99", _area=elsewhere, status=422)
    assert "请选择问卷是哪个片区的" in refused.text
    token = page.html.all("input", name="csrf_token")[0].attributes["value"]
    named = {"csrf_token": token, "_area": elsewhere, "_number": "99"}
    fieldworker.post(f"{home(here)}/withdraw", named, status=404)
    fieldworker.post(f"{home(here)}/differences", named, status=404)
    outsider.get(home(here), status=404)
    outsider.get(f"{home(here)}/questionnaire.pdf", status=404)


def test_the_version_of_the_notice_is_keyed_and_compared(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    path = f"/desk/surveys/{here.survey}/notice"
    evaluator.fill(path, purpose="评价公共卫生服务，不作他用")
    assert fieldworker.get(f"{home(here)}/key").html.all("select", name="_notice")
    key(fieldworker, here, _notice="1")
    key(evaluator, here, _notice="2")
    assert "第一遍：第 1 版" in evaluator.get(f"{home(here)}/differences").text
    settle(evaluator, here, {"_notice": "3"}, status=422)
    settle(evaluator, here, {"_notice": "0000000017"}, status=422)
    settle(evaluator, here, {"_notice": "1"})
    assert [one.notice_number for one in submissions(app, here.survey)] == [1]


def test_a_slip_is_not_both_keyed_and_imported(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(0)
    town = str(here.towns[0])
    key(fieldworker, here, "0012")
    names = headings(evaluator, here)
    page = upload(evaluator, here, workbook(names, [{"编号": "12"}]), status=422, area=town)
    assert "已经在本系统录入" in page.text
    shown = upload(evaluator, here, workbook(names, [{"编号": "013"}]), area=town)
    confirm(evaluator, here, shown)
    refused = key(fieldworker, here, "13", status=422)
    assert "已经从表格导入" in refused.text
    assert len(submissions(app, here.survey)) == 2


# ---------------------------------------------------------------------------------------------
# What is not kept
# ---------------------------------------------------------------------------------------------


def test_what_was_never_settled_is_erased_at_its_date(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp, flask: Command
) -> None:
    double(100)
    for number in ("1", "2", "3"):
        key(fieldworker, here, number)
    key(evaluator, here, "2", q1="B")
    key(evaluator, here, "3")
    with app.app_context(), transaction() as session:
        notice = session.get_one(Notice, (here.survey, 1))
        notice.erase_at = date_of(datetime.now(UTC)) - timedelta(days=1)
    shown = json.loads(flask("retention", "run", "--dry-run", "--json").stdout)
    assert shown["erased"][0]["slips"] == 2
    assert len(kept(app)) == 3
    app.test_cli_runner().invoke(args=["retention", "run"])
    finish_wiping(app)
    assert kept(app) == []
    assert states(app, here) == {
        "1": SlipState.ERASED,
        "2": SlipState.ERASED,
        "3": SlipState.STORED,
    }
    said = "已录 3 份 = 已存成答卷 1 + 等第二遍 0 + 待核对 0 + 到期删除 2"
    assert said in evaluator.get(desk(here)).text


def test_nothing_joins_a_slip_and_its_submission_once_mixed(
    app: Flask, backend: str, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    """PostgreSQL marks rows with the transaction that wrote them; SQLite has no such mark."""
    double(100)
    for number in ("3", "1", "2"):
        key(fieldworker, here, number, q1="B")
        key(evaluator, here, number)
        settle(evaluator, here, {"q1": "second"}, number)
    finish_wiping(app)
    if backend == "sqlite":
        with app.app_context(), reading() as session:
            rows = session.execute(
                text(
                    "SELECT sql FROM sqlite_master WHERE name IN ("
                    "'slips', 'keyings', 'keying_differences')"
                )
            )
            assert all("WITHOUT ROWID" in row.sql for row in rows)
        return
    with app.app_context(), reading() as session:
        for table in ("slips", "keyings", "keying_differences", "submissions"):
            query = f"SELECT count(DISTINCT xmin::text) FROM {table} WHERE survey_id = :survey"  # noqa: S608
            assert session.scalar(text(query), {"survey": here.survey}) == 1


def test_a_slip_has_no_instant_and_no_counter() -> None:
    for table in (Slip, Keying, KeyingDifference):
        kinds = {str(column.type).split("(")[0] for column in table.__table__.columns}
        assert not kinds & {"DATETIME", "DATE", "TIMESTAMP"}
        assert "id" not in table.__table__.columns


def test_the_log_never_names_a_slip(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone, double: SetUp
) -> None:
    double(100)
    key(fieldworker, here, "987654", q1="B")
    key(evaluator, here, "987654")
    settle(evaluator, here, {"q1": "first"}, "987654")
    key(fieldworker, here, "987655")
    path = f"{home(here)}/withdraw"
    fieldworker.post(path, fieldworker.get(home(here)).fields(path))
    with app.app_context(), reading() as session:
        rows = [
            str((row.object, row.before, row.after, row.reason))
            for row in session.scalars(select(AuditEntry))
        ]
    assert len([row for row in rows if str(here.survey) in row]) >= 5
    assert not [row for row in rows if "98765" in row]
