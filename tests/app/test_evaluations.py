"""One rubric over a zone's towns: fed, entered, sent back, ranked, handed out, closed, erased."""

import json
import tracemalloc
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.formats import BEIJING
from app.models import Area, AuditEntry, Entry, Evaluation, EvaluationObject, EvidenceFile, Staff
from app.services import devices, evaluations
from app.services.evidence_files import LARGEST_EVIDENCE
from app.spreadsheets.reading import Column, read_table
from tests.analysis.scoring.test_scoring_command import run
from tests.conftest import (
    EVALUATED_BY,
    FIELDWORKER,
    NOW,
    PDF,
    TOWNS,
    Command,
    House,
    Page,
    Visitor,
    Zone,
    _read,
    add_submissions,
    answers,
    snapshot,
)

ALL_DONE = {"part0_met": "yes", "part1_met": "yes", "part2_met": "yes"}
HEADINGS = ("名次", "评价对象", "已确定得分")
LATER = (datetime.now(BEIJING) + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M")


def entry_path(zone: Zone, indicator: str, scored: int | None = None) -> str:
    return f"/field/evaluations/objects/{scored or zone.scored}/indicators/{indicator}"


def send(
    visitor: Visitor,
    path: str,
    typed: Mapping[str, str],
    *,
    status: int = 303,
    action: str | None = None,
) -> Page:
    """Open a page, type this into its form, and send it."""
    fields = visitor.get(path).fields(action)
    return visitor.post(action or path, {**fields, **typed}, status=status)


def enter(
    visitor: Visitor, zone: Zone, indicator: str, typed: Mapping[str, str], *, status: int = 303
) -> Page:
    path = entry_path(zone, indicator)
    return send(visitor, path, typed, status=status, action=path)


def review_path(zone: Zone, indicator: str) -> str:
    return f"/desk/evaluations/objects/{zone.scored}/indicators/{indicator}"


def send_back(
    visitor: Visitor, zone: Zone, indicator: str, *, status: int = 303, **more: str
) -> Page:
    asked = {"reason": "请核对台账", "due": LATER, **more}
    return visitor.fill(review_path(zone, indicator), status=status, **asked)


def csrf(visitor: Visitor) -> dict[str, list[str]]:
    return {"csrf_token": visitor.get("/staff/account/").fields("/staff/sign-out")["csrf_token"]}


def overview(zone: Zone) -> str:
    return f"/desk/evaluations/{zone.evaluation}"


def objects(app: Flask, evaluation: int) -> dict[str, int]:
    with app.app_context(), reading() as session:
        query = select(EvaluationObject).where(EvaluationObject.evaluation_id == evaluation)
        return {each.name: each.id for each in session.scalars(query)}


def versions(app: Flask, zone: Zone, indicator: str) -> list[tuple[int, str]]:
    with app.app_context(), reading() as session:
        query = select(Entry).where(Entry.object_id == zone.scored, Entry.indicator == indicator)
        return [
            (each.version, each.state.value)
            for each in session.scalars(query.order_by(Entry.version))
        ]


def acts(app: Flask) -> list[str]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


def change_evaluation(app: Flask, zone: Zone, **changes: object) -> None:
    with app.app_context(), transaction() as session:
        found = session.get_one(Evaluation, zone.evaluation)
        for name, value in changes.items():
            setattr(found, name, value)


@pytest.fixture
def colleague(house: House) -> Visitor:
    """The same fieldworker at another device."""
    visitor = Visitor(house.app)
    with house.app.app_context(), transaction() as session:
        staff = session.get_one(Staff, house.world.staff[FIELDWORKER])
        token = devices.open_session(session, staff, datetime.now(UTC))
    with visitor.client.session_transaction() as cookie:
        cookie["token"] = token
    return visitor


# ---------------------------------------------------------------------------------------------
# Making one
# ---------------------------------------------------------------------------------------------


def test_an_evaluator_makes_one_for_the_areas_below_and_for_named_objects(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    made = evaluator.fill(
        "/desk/evaluations/new",
        action=None,
        name="2026年度评价",
        rubric=EVALUATED_BY,
        places=[str(town) for town in here.towns[:2]],
        others="数管局\n\n财政局",
    )
    text = evaluator.get(made.location).text
    for name in (*TOWNS[:2], "数管局", "财政局"):
        assert name in text
    assert TOWNS[2] not in text
    assert "暂不排名" in text
    assert acts(app) == ["evaluation_made"]


def test_every_fault_of_a_new_one_is_said_at_once(
    app: Flask, evaluator: Visitor, noise: Zone
) -> None:
    before = snapshot(app)
    page = evaluator.fill(
        "/desk/evaluations/new",
        status=422,
        name="评价",
        places=[],
        others="",
        year="1900",
        deadline="2020-01-01T00:00",
        erase_at="2019-01-01",
    )
    for sentence in ("请至少选一个评价对象", "年份应在", "截止时间应晚于现在", "删除日期应晚于"):
        assert sentence in page.text
    stranger = str(noise.towns[0])
    evaluator.fill("/desk/evaluations/new", status=422, name="评价", places=[stranger])
    assert snapshot(app) == before


# ---------------------------------------------------------------------------------------------
# Entering, sending back, taking
# ---------------------------------------------------------------------------------------------


def test_a_measurement_goes_from_entered_to_returned_to_entered_to_accepted(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    enter(fieldworker, here, "1", {**ALL_DONE, "part1_met": "no", "note": "督查台账"})
    assert (
        "没有做到“至少开展一次专项督查"
        in evaluator.get(f"/desk/evaluations/objects/{here.scored}").text
    )
    send_back(evaluator, here, "1")
    assert "请核对台账" in fieldworker.get(entry_path(here, "1")).text
    assert "已退回，等待更正" in evaluator.get(f"/desk/evaluations/objects/{here.scored}").text
    enter(fieldworker, here, "1", ALL_DONE)
    sheet = f"/desk/evaluations/objects/{here.scored}"
    evaluator.fill(sheet, action=f"{sheet}/accept")
    assert versions(app, here, "1") == [
        (1, "entered"),
        (2, "returned"),
        (3, "entered"),
        (4, "accepted"),
    ]
    assert "已被采纳" in fieldworker.get(entry_path(here, "1")).text
    assert acts(app) == [
        "measurement_entered",
        "measurement_returned",
        "measurement_entered",
        "measurement_accepted",
    ]
    history = evaluator.get(review_path(here, "1")).text
    for told in ("第 1 版", "第 4 版", "督查台账", "退回理由：请核对台账"):
        assert told in history


@pytest.mark.parametrize(
    ("indicator", "typed", "working"),
    [
        (
            "2",
            {"part0_met": "yes", "part1_cases": "1", "part2_cases": "０", "part3_met": "yes"},
            "得 10 / 10 分",
        ),
        (
            "3",
            {
                "part0_numerator": "81",
                "part0_denominator": "100",
                "part1_numerator": "400",
                "part1_denominator": "100",
                "part2_numerator": "9",
            },
            "得 30.00 / 36 分",
        ),
        ("4", {"part0_cases": "2"}, "得 6.00 / 10 分"),
    ],
)
def test_each_kind_of_rule_asks_for_what_it_scores(
    indicator: str,
    typed: dict[str, str],
    working: str,
    evaluator: Visitor,
    fieldworker: Visitor,
    here: Zone,
) -> None:
    enter(fieldworker, here, indicator, typed)
    sheet = evaluator.get(f"/desk/evaluations/objects/{here.scored}").text
    assert working.replace(".00", "") in sheet.replace(".00", "")
    again = fieldworker.get(entry_path(here, indicator)).fields(entry_path(here, indicator))
    assert {name: again[name][0] for name in typed if typed[name] != "０"} == {
        name: text for name, text in typed.items() if text != "０"
    }


@pytest.mark.parametrize(
    ("indicator", "typed", "sentence"),
    [
        ("1", {"part0_met": "yes"}, "请填写这一项"),
        ("1", {**ALL_DONE, "part0_met": "perhaps"}, "请选择是否做到"),
        ("4", {"part0_cases": "-1"}, "请填写不小于 0 的整数"),
        ("4", {"part0_cases": "1.5"}, "请填写不小于 0 的整数"),
        ("3", {"part0_numerator": "八十"}, "请填写数字"),
        (
            "3",
            {
                "part0_numerator": "8",
                "part0_denominator": "0",
                "part1_numerator": "1",
                "part2_numerator": "1",
            },
            "分母是 0",
        ),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_nothing_is_lost(
    indicator: str,
    typed: dict[str, str],
    sentence: str,
    app: Flask,
    fieldworker: Visitor,
    here: Zone,
) -> None:
    before = snapshot(app)
    page = enter(fieldworker, here, indicator, {**typed, "note": "我的说明"}, status=422)
    assert sentence in page.errors
    kept = page.fields(entry_path(here, indicator))
    assert kept["note"] == ["我的说明"]
    assert all(kept.get(name, [text]) == [text] for name, text in typed.items())
    assert snapshot(app) == before


def test_a_judgement_is_the_evaluators_alone(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    assert "由评价人员评定" in fieldworker.get(entry_path(here, "7")).text
    sent = {**csrf(fieldworker), "points": "6", "reason": "很好", "seen": "0", "note": ""}
    fieldworker.post(entry_path(here, "7"), sent, status=400)
    assert versions(app, here, "7") == []
    page = enter(evaluator, here, "7", {"points": "7", "reason": "按时完成"}, status=422)
    assert "评定的得分超出了分值" in page.errors
    enter(evaluator, here, "7", {"points": "5.5", "reason": "按时完成"})
    assert versions(app, here, "7") == [(1, "accepted")]
    with app.app_context(), reading() as session:
        (act,) = session.scalars(select(AuditEntry))
    assert act.after is not None
    assert act.after["figures"] == "5.5"
    assert "按时完成" not in json.dumps(act.after, ensure_ascii=False)


def test_nobody_enters_what_the_survey_measures_or_what_is_lost(
    fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    for indicator, sentence in (("10", "由问卷调查测量"), ("8", "评分标准在文件里遗失")):
        assert sentence in fieldworker.get(entry_path(here, indicator)).text
        sent = {**csrf(evaluator), "numerator": "9", "denominator": "9", "seen": "0"}
        evaluator.post(entry_path(here, indicator), sent, status=400)


def test_after_the_deadline_only_what_was_sent_back_is_open(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    enter(fieldworker, here, "1", ALL_DONE)
    change_evaluation(app, here, deadline=NOW - timedelta(minutes=1))
    assert "填报已经截止" in fieldworker.get(entry_path(here, "1")).text
    late = {**csrf(fieldworker), **ALL_DONE, "seen": "1", "note": ""}
    assert "填报已经截止" in fieldworker.post(entry_path(here, "1"), late, status=400).text
    fieldworker.post(
        f"/field/evaluations/objects/{here.scored}/self", {**late, "score-": "9"}, status=400
    )
    send_back(evaluator, here, "1")
    enter(fieldworker, here, "1", ALL_DONE)
    assert versions(app, here, "1")[-1] == (3, "entered")


def test_the_deadline_is_moved_with_a_reason_and_by_one_at_a_time(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    action, path = f"{overview(here)}/deadline", overview(here)
    old = evaluator.get(path).fields(action)
    evaluator.fill(path, action=action, status=422, deadline=LATER, reason=" ")
    evaluator.fill(path, action=action, status=422, deadline="2020-01-01T00:00", reason="x")
    evaluator.post(action, {**old, "deadline": LATER, "reason": "汛期"})
    stale = evaluator.post(action, {**old, "deadline": LATER, "reason": "晚了"}, status=400)
    assert "刚被别人改过" in stale.text
    assert acts(app) == ["deadline_moved"]


def test_of_two_on_one_record_the_second_sees_the_first_and_loses_nothing(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    path = entry_path(here, "4")
    mine, theirs = (each.get(path).fields(path) for each in (fieldworker, evaluator))
    evaluator.post(path, {**theirs, "part0_cases": "3"})
    change_entry_state(app, here, "4", "entered")
    page = fieldworker.post(path, {**mine, "part0_cases": "1", "note": "我的"}, status=409)
    assert "刚被别人改过" in page.text
    kept = page.fields(path)
    assert (kept["part0_cases"], kept["note"], kept["seen"]) == (["1"], ["我的"], ["1"])
    fieldworker.post(path, kept)
    assert [number for number, _state in versions(app, here, "4")] == [1, 2]


def change_entry_state(app: Flask, zone: Zone, indicator: str, state: str) -> None:
    with app.app_context(), transaction() as session:
        entry = session.get_one(Entry, (zone.scored, indicator, 1))
        entry.state = type(entry.state)(state)


def test_only_the_version_that_was_looked_at_is_accepted(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    enter(fieldworker, here, "4", {"part0_cases": "1"})
    sheet = f"/desk/evaluations/objects/{here.scored}"
    looked_at = evaluator.get(sheet).fields(f"{sheet}/accept")
    enter(fieldworker, here, "4", {"part0_cases": "0"})
    evaluator.post(f"{sheet}/accept", looked_at, status=409)
    assert versions(app, here, "4") == [(1, "entered"), (2, "entered")]


def test_only_the_version_that_was_looked_at_is_returned(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    enter(fieldworker, here, "4", {"part0_cases": "1"})
    looked_at = evaluator.get(review_path(here, "4")).fields()
    enter(fieldworker, here, "4", {"part0_cases": "0"})
    asked = {**looked_at, "reason": "请核对", "due": LATER}
    page = evaluator.post(review_path(here, "4"), asked, status=409)
    assert "刚被别人改过" in page.errors
    kept = page.fields()
    assert (kept["reason"], kept["seen"]) == (["请核对"], ["2"])
    evaluator.post(review_path(here, "4"), kept)
    assert versions(app, here, "4")[-1] == (3, "returned")


# ---------------------------------------------------------------------------------------------
# Rates of the survey, ranking, comparison
# ---------------------------------------------------------------------------------------------


def answered(app: Flask, zone: Zone, keys: Keys, people: dict[int, tuple[int, int]]) -> None:
    """Let so many be content and so many not, by town."""
    content = answers(q6="satisfied", q5="fair")
    with app.app_context(), transaction() as session:
        for town, (happy, unhappy) in people.items():
            sheets = [content] * happy + [answers(**UNHAPPY)] * unhappy
            add_submissions(session, zone.survey, zone.towns[town], sheets, keys)


UNHAPPY = {"q4": "not_met", "q5": "inconvenient", "q6": "dissatisfied", "q7": "dissatisfied"}


def test_each_town_is_scored_by_its_own_rate_and_small_ones_by_none(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    answered(app, here, keys, {0: (12, 0), 1: (9, 0), 2: (2, 0)})
    feeds = json.loads(evaluator.get(f"{overview(here)}/feeds.json").body)["feeds"]
    rates = {
        each["object"]["name"]: [one for one in each["measurements"] if one["indicator"] == "10"]
        for each in feeds
    }
    assert rates[TOWNS[0]][0]["base"] > 0
    # The one with 2 answers is withheld, and with it another: else the total would tell.
    hidden = [name for name, found in rates.items() if not found]
    assert hidden == [TOWNS[1], TOWNS[2]]
    numbers = objects(app, here.evaluation)
    page = evaluator.get(f"/desk/evaluations/objects/{numbers[TOWNS[2]]}").text
    assert "为保护答题人不单列" in page
    assert Fraction(rates[TOWNS[0]][0]["value"]) <= 1


def fill_in(evaluator: Visitor, scored: int, zone: Zone, cases: str) -> None:
    """Enter everything for one object; `cases` hospitals are missing."""
    typed: dict[str, dict[str, str]] = {
        "1": ALL_DONE,
        "2": {"part0_met": "yes", "part1_cases": "0", "part2_cases": "0", "part3_met": "yes"},
        "3": {
            "part0_numerator": "9",
            "part0_denominator": "10",
            "part1_numerator": "5",
            "part2_numerator": "8",
        },
        "4": {"part0_cases": cases},
        "5": {"part0_met": "yes"},
        "6": {"part0_cases": "0"},
        "7": {"points": "6", "reason": "按时"},
        "9": {"part0_met": "yes"},
    }
    for indicator, each in typed.items():
        path = entry_path(zone, indicator, scored)
        send(evaluator, path, each, action=path)


def test_page_command_and_module_say_the_same_to_the_digit(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys, flask: Command, tmp_path: Path
) -> None:
    answered(app, here, keys, {0: (12, 0), 1: (12, 0), 2: (12, 0)})
    numbers = objects(app, here.evaluation)
    for name, cases in zip(TOWNS[:2], ("0", "0"), strict=True):
        fill_in(evaluator, numbers[name], here, cases)
    file = tmp_path / "feeds.json"
    file.write_text(evaluator.get(f"{overview(here)}/feeds.json").body, encoding="utf-8")
    module = run("rank", EVALUATED_BY, str(file), "--json")
    assert module.returncode == 0, module.stderr
    command = flask("evaluation", here.evaluation, "--json").stdout
    ranking = json.loads(module.stdout)
    assert json.loads(command) == ranking
    assert (
        run("rank", EVALUATED_BY, str(file)).stdout == flask("evaluation", here.evaluation).stdout
    )
    rows = evaluator.get(overview(here)).html
    shown = {row[1]: row for row in table_rows(rows)}
    for each in (*ranking["ranked"], *ranking["unranked"]):
        row = shown[each["object"]["name"]]
        certain, possible = each["total"]["certain"], each["total"]["possible"]
        assert row[2].startswith(certain)
        assert possible in row[2]
        assert (row[0].split()[0] == str(each["place"])) == (each["place"] is not None)
    assert [each["place"] for each in ranking["ranked"]] == [1, 1]
    assert [each["object"]["name"] for each in ranking["unranked"]] == [TOWNS[2]]
    book = evaluator.get(f"{overview(here)}/ranking.xlsx").response.get_data()
    rows_of_book = read_table(book, "ranking.xlsx", [*map(Column, HEADINGS)]).rows
    in_book = {row.cells["评价对象"]: row.cells for row in rows_of_book}
    for each in ranking["ranked"]:
        cells = in_book[each["object"]["name"]]
        assert Decimal(cells["已确定得分"]) == Decimal(each["total"]["certain"])
        assert cells["名次"] == str(each["place"])


def table_rows(html: object) -> list[list[str]]:
    return [
        [cell.text for cell in row.children if hasattr(cell, "tag")]
        for row in html.all("tr")  # type: ignore[attr-defined]
        if len([cell for cell in row.children if hasattr(cell, "tag")]) > 1
    ]


def test_self_scores_and_the_year_before_stand_beside_the_points(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    answered(app, here, keys, {0: (12, 0), 1: (12, 0), 2: (12, 0)})
    fill_in(evaluator, here.scored, here, "1")
    own = f"/field/evaluations/objects/{here.scored}/self"
    assert "请填写数字" in send(fieldworker, own, {"score-": "很高"}, status=422).errors
    send(fieldworker, own, {"score-": "99.5", "score-4": "10"})
    before = f"{overview(here)}/year-before"
    send(evaluator, before, {f"total-{here.scored}": "80"})
    text = evaluator.get(overview(here)).text
    certain = next(
        row for row in table_rows(evaluator.get(overview(here)).html) if row[1] == TOWNS[0]
    )
    points = float(certain[2].split()[0])
    assert f"比自评 {points - 99.5:+.2f}" in text
    assert f"比上年 {points - 80:+.2f}" in text
    send(fieldworker, own, {"score-": ""})
    assert "比自评" not in evaluator.get(overview(here)).text


def test_the_year_before_may_be_another_evaluation(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    answered(app, here, keys, {0: (12, 0), 1: (12, 0), 2: (12, 0)})
    fill_in(evaluator, here.scored, here, "1")
    made = evaluator.fill(
        "/desk/evaluations/new",
        name="下一年",
        rubric=EVALUATED_BY,
        previous=str(here.evaluation),
        places=[str(town) for town in here.towns],
    )
    (before,) = [
        row for row in table_rows(evaluator.get(overview(here)).html) if row[1] == TOWNS[0]
    ]
    (after,) = [row for row in table_rows(evaluator.get(made.location).html) if row[1] == TOWNS[0]]
    assert after[5] == before[2].split()[0]


def test_the_evaluator_chooses_which_measure_feeds_which_indicator(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    path = f"{overview(here)}/sources"
    send(evaluator, path, {"measure-10": ""})
    enter(fieldworker, here, "10", {"numerator": "9", "denominator": "10"})
    assert versions(app, here, "10") == [(1, "entered")]
    send(evaluator, path, {"measure-10": "attitude"})
    assert "由问卷调查测量" in fieldworker.get(entry_path(here, "10")).text
    evaluator.post(path, {**csrf(evaluator), "measure-10": "none"}, status=400)
    assert acts(app).count("sources_chosen") == 2


def test_a_closed_one_stands_whatever_comes_after(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    answered(app, here, keys, {0: (12, 0), 1: (12, 0), 2: (12, 0)})
    enter(fieldworker, here, "4", {"part0_cases": "1"})
    evaluator.post(f"{overview(here)}/close", csrf(evaluator))
    evaluator.post(f"{overview(here)}/close", csrf(evaluator), status=400)
    before = evaluator.get(overview(here)).text
    answered(app, here, keys, {0: (0, 30), 1: (0, 30), 2: (0, 30)})
    assert evaluator.get(overview(here)).text == before
    late = {**csrf(fieldworker), "part0_cases": "0", "seen": "1", "note": ""}
    fieldworker.post(entry_path(here, "4"), late, status=400)
    upload(fieldworker, here, "a.pdf", PDF, status=400)
    sheet = f"/desk/evaluations/objects/{here.scored}"
    evaluator.post(f"{sheet}/accept", {**csrf(evaluator), "entry": "4:1"}, status=400)


# ---------------------------------------------------------------------------------------------
# Evidence
# ---------------------------------------------------------------------------------------------


def upload(visitor: Visitor, zone: Zone, name: str, content: bytes, *, status: int = 303) -> Page:
    """Send a file as a browser does; the test client would put large ones into files of its own."""
    path, token = f"{entry_path(zone, '4')}/evidence", csrf(visitor)["csrf_token"][0]
    part = "--x\r\nContent-Disposition: form-data; name="
    head = f'{part}"csrf_token"\r\n\r\n{token}\r\n{part}"file"; filename="{name}"\r\n\r\n'
    response = visitor.client.post(
        path,
        data=head.encode() + content + b"\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
        headers={"Referer": "https://localhost/"},
    )
    return _read(path, response, status)


def zipped(*names: bytes) -> bytes:
    return b"PK\x03\x04" + b"....".join(names)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("报告.pdf", PDF),
        ("照片.JPG", b"\xff\xd8\xff\xe0abc"),
        ("截图.png", b"\x89PNG\r\n\x1a\nabc"),
        ("表.xlsx", zipped(b"[Content_Types].xml", b"xl/workbook.xml")),
        ("文.docx", zipped(b"[Content_Types].xml", b"word/document.xml")),
    ],
)
def test_evidence_comes_back_as_it_was_and_only_as_an_attachment(
    name: str, content: bytes, app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    upload(fieldworker, here, name, content)
    with app.app_context(), reading() as session:
        number = session.scalars(select(EvidenceFile.id).order_by(EvidenceFile.id.desc())).first()
    for visitor, side in ((fieldworker, "/field"), (evaluator, "/desk")):
        path = f"{side}/evaluations/objects/{here.scored}/evidence/{number}"
        response = visitor.get(path).response
        assert response.get_data() == content
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment;")
        assert response.headers["Content-Security-Policy"].endswith("; sandbox")
    assert acts(app) == ["evidence_added", "evidence_downloaded", "evidence_downloaded"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("页面.pdf", b"<html><script>alert(1)</script></html>", "和后缀 .pdf 不符"),
        ("页面.html", b"<html></html>", "只收这些文件"),
        ("图.svg", b"<svg/>", "只收这些文件"),
        ("程序.exe", b"MZ", "只收这些文件"),
        ("没有后缀", PDF, "只收这些文件"),
        ("空.pdf", b"", "文件是空的"),
        ("大.pdf", PDF + b"0" * LARGEST_EVIDENCE, "文件超过 7 MB"),
        ("别的.xlsx", zipped(b"[Content_Types].xml", b"word/document.xml"), "和后缀 .xlsx 不符"),
        (
            "宏.xlsx",
            zipped(b"[Content_Types].xml", b"xl/workbook.xml", b"xl/vbaProject.bin"),
            "文件里有宏",
        ),
    ],
)
def test_a_hostile_file_is_refused_with_a_reason(
    name: str, content: bytes, sentence: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    assert sentence in upload(fieldworker, here, name, content, status=422).errors
    assert snapshot(app) == before


def test_eleven_megabytes_are_refused_before_they_are_read(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    upload(fieldworker, here, "大.pdf", PDF + b"0" * 11 * 1024 * 1024, status=413)
    assert snapshot(app) == before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\文件\\证明.pdf", "C_文件证明.pdf"),
        ("a%22b<script>.pdf", "a_b_script.pdf"),
    ],
)
def test_a_hostile_name_names_nothing_but_the_file(
    name: str, shown: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    upload(fieldworker, here, name, PDF)
    with app.app_context(), reading() as session:
        number = session.scalars(select(EvidenceFile.id).order_by(EvidenceFile.id.desc())).first()
    path = f"/field/evaluations/objects/{here.scored}/evidence/{number}"
    header = fieldworker.get(path).response.headers["Content-Disposition"]
    assert f"filename=evidence-{number}.pdf" in header
    assert unquote(header.rpartition("UTF-8''")[2]) == shown
    assert "<script>" not in fieldworker.get(entry_path(here, "4")).body


def test_no_more_files_than_a_few_for_one_indicator(fieldworker: Visitor, here: Zone) -> None:
    for number in range(10):
        upload(fieldworker, here, f"{number}.pdf", PDF)
    assert "最多 10 个文件" in upload(fieldworker, here, "11.pdf", PDF, status=422).errors


def test_evidence_is_erased_at_its_date(
    app: Flask, flask: Command, evaluator: Visitor, here: Zone
) -> None:
    today = datetime.now(BEIJING).date()
    change_evaluation(app, here, erase_at=today)
    said = json.loads(flask("retention", "run", "--dry-run", "--json").stdout)
    assert said["evidence_erased"] == [{"evaluation": here.evaluation, "files": 1}]
    evaluator.get(f"/desk/evaluations/objects/{here.scored}/evidence/{here.file}")
    app.test_cli_runner().invoke(args=["retention", "run"])
    evaluator.get(f"/desk/evaluations/objects/{here.scored}/evidence/{here.file}", status=404)
    with app.app_context(), reading() as session:
        file = session.get_one(EvidenceFile, here.file)
        assert (file.name, file.content, file.size) == ("", None, len(PDF))
    assert "到期删除的文件" in evaluator.get(review_path(here, "1")).text
    assert acts(app)[-1] == "evidence_erased"
    again = json.loads(flask("retention", "run", "--dry-run", "--json").stdout)
    assert again["evidence_erased"] == []


# ---------------------------------------------------------------------------------------------
# Whose it is
# ---------------------------------------------------------------------------------------------


def test_a_town_sees_and_enters_its_own_object_alone(
    app: Flask, fieldworker: Visitor, outsider: Visitor, here: Zone
) -> None:
    numbers = objects(app, here.evaluation)
    home = fieldworker.get("/field/evaluations/").text
    assert TOWNS[0] in home
    assert TOWNS[1] not in home
    before = snapshot(app)
    other = numbers[TOWNS[1]]
    sent = {**csrf(fieldworker), **ALL_DONE, "seen": "0", "note": ""}
    fieldworker.post(entry_path(here, "1", other), sent, status=404)
    fieldworker.get(f"/field/evaluations/objects/{other}", status=404)
    fieldworker.get(f"/field/evaluations/objects/{other}/evidence/{here.file}", status=404)
    outsider.post(entry_path(here, "1"), {**csrf(outsider), **ALL_DONE, "seen": "0"}, status=404)
    outsider.get(f"/desk/evaluations/objects/{here.scored}/evidence/{here.file}", status=404)
    fieldworker.post(f"{overview(here)}/close", csrf(fieldworker), status=403)
    assert snapshot(app) == before


def test_a_file_of_another_object_is_not_found_under_ones_own(
    outsider: Visitor, here: Zone, noise: Zone
) -> None:
    outsider.get(f"/desk/evaluations/objects/{noise.scored}/evidence/{here.file}", status=404)


def test_an_auditor_reads_and_changes_nothing(app: Flask, auditor: Visitor, here: Zone) -> None:
    auditor.get(overview(here))
    auditor.get(review_path(here, "1"))
    before = snapshot(app)
    auditor.post(f"{overview(here)}/close", csrf(auditor), status=403)
    auditor.get(entry_path(here, "1"), status=403)
    assert snapshot(app) == before


def test_a_long_rubric_is_not_read_once_for_every_object(app: Flask, here: Zone) -> None:
    """A rubric of one's own may have 400,000 signs, an evaluation 500 objects."""
    with app.app_context(), transaction() as session:
        found = session.get_one(Evaluation, here.evaluation)
        found.rubric_document += f"\n# {'x' * 300_000}\n"
        session.add_all(
            EvaluationObject(evaluation_id=found.id, area_id=here.area, name=f"部门{number}")
            for number in range(100)
        )
    with app.app_context(), reading() as session:
        branch = session.get_one(Area, here.area)
        tracemalloc.start()
        assert len(evaluations.load_objects_of_branch(session, branch)) > 100
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 5_000_000
