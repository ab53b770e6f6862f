"""The audit chain: every act leaves a row, and a row that was touched is found and named."""

import re
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from sqlalchemy import delete, insert, make_url, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.config import Keys
from app.db import reading, transaction
from app.models import Area, AuditEntry, Role, Staff
from app.services import audit, publishing
from app.services.audit import Act, Action, Fault, FaultKind
from app.services.codes import in_fours
from tests.conftest import (
    EVALUATOR,
    FIELDWORKER,
    NOTICE_FIELDS,
    Command,
    NewVisitor,
    StartApp,
    Visitor,
    Zone,
    _connect,
    change_survey,
    issue_batch,
    make_cards,
    snapshot,
)

ROOT = Path(__file__).parents[2]
RUBRIC = "beian-2020-public-health"
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
STAFF_ACTS = {
    Action.STAFF_ADDED,
    Action.STAFF_CLOSED,
    Action.STAFF_UNLOCKED,
    Action.PASSWORD_RESET,
    Action.PASSWORD_CHANGED,
    Action.STAFF_CHANGED,
    Action.FACTOR_ENROLLED,
    Action.FACTOR_RESET,
    Action.RECOVERY_CODES_MADE,
    Action.RECOVERY_CODE_USED,
    Action.SIGNED_IN,
}


def entries(app: Flask) -> Sequence[AuditEntry]:
    """Return what was done beside signing in and keeping accounts."""
    with app.app_context(), reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    return [entry for entry in found if entry.action not in STAFF_ACTS]


def lines(app: Flask) -> list[str]:
    return [f"{each.actor}: {each.action} {each.object}" for each in entries(app)]


def verdict(app: Flask, keys: Keys) -> audit.Verdict:
    with app.app_context(), reading() as session:
        return audit.verify_chain(session, keys)


def faults(app: Flask, keys: Keys) -> list[Fault]:
    return list(verdict(app, keys).faults)


def path_of(session: Session, zone: Zone) -> str:
    return session.get_one(Area, zone.area).path


def record(app: Flask, keys: Keys, zone: Zone, count: int, **changes: object) -> None:
    """Append rows that nobody needs to earn."""
    with app.app_context(), transaction() as session:
        for number in range(count):
            act = Act("zhang", Action.SURVEY_MADE, f"survey {number}", path_of(session, zone))
            made = replace(act, **changes)  # type: ignore[arg-type]
            audit.record_act(session, keys, made, NOON + timedelta(minutes=number))


@pytest.fixture
def six(app: Flask, keys: Keys, here: Zone) -> Flask:
    """An application whose chain has six rows."""
    record(app, keys, here, 6, before={"state": "draft"}, after={"state": "open"}, reason="试")
    assert [entry.number for entry in entries(app)] == [1, 2, 3, 4, 5, 6]
    assert faults(app, keys) == []
    return app


def tamper(app: Flask, *statements: object) -> None:
    with app.app_context(), transaction() as session:
        for statement in statements:
            session.execute(statement)  # type: ignore[call-overload]


def renumber(number: int, to: int) -> object:
    return update(AuditEntry).where(AuditEntry.number == number).values(number=to)


# ---------------------------------------------------------------------------------------------
# Every act leaves a row
# ---------------------------------------------------------------------------------------------


def test_what_is_done_in_the_browser_is_on_record(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    made = evaluator.fill("/desk/surveys/new", status=303, title="新调查", **NOTICE_FIELDS)
    number = made.location.rsplit("/", 1)[1]
    for to in ("open", "paused", "open", "closed"):
        path = f"/desk/surveys/{number}/state"
        token = evaluator.get(f"/desk/surveys/{number}").fields(path)["csrf_token"]
        evaluator.post(path, {"csrf_token": token, "to": to})
    fieldworker.fill(f"/field/surveys/{here.survey}", size="7", holder="村委会")
    for tail in ("sheet.pdf", "cards/2", "cards/2.png"):
        fieldworker.get(f"/field/batches/{here.batch}/{tail}")
    evaluator.get(f"/desk/surveys/{here.survey}/scores/{RUBRIC}/feed.json")
    done = lines(app)
    batch = re.sub(r"\D", "", done[5].rpartition(" ")[2])
    assert done == [
        f"{EVALUATOR}: survey_made survey {number}",
        f"{EVALUATOR}: survey_opened survey {number}",
        f"{EVALUATOR}: survey_paused survey {number}",
        f"{EVALUATOR}: survey_opened survey {number}",
        f"{EVALUATOR}: survey_closed survey {number}",
        f"{FIELDWORKER}: batch_made batch {batch}",
        f"{FIELDWORKER}: sheet_printed batch {here.batch}",
        f"{FIELDWORKER}: card_shown batch {here.batch} card 2",
        f"{FIELDWORKER}: card_shown batch {here.batch} card 2",
        f"{EVALUATOR}: feed_downloaded survey {here.survey}",
    ]
    assert faults(app, keys) == []


def test_what_is_done_by_command_is_on_record(
    app: Flask, flask: Command, here: Zone, keys: Keys, tmp_path: Path
) -> None:
    number = flask(
        *("surveys", "create", "beian-2020-fielded", "山亭镇", "山亭镇调查"),
        *("--opens", "2026-11-01 08:00", "--closes", "2026-12-31 18:00"),
        *("--organiser", "卫健局", "--purpose", "评价服务", "--collected", "选项"),
        *("--readers", "评价人员", "--contact", "卫健局", "--erase", "2027-12-31"),
    ).stdout.split("\t")[0]
    for command in ("open", "pause", "close"):
        flask("surveys", command, number)
    batch = flask("cards", "make", here.survey, "东埔镇", 3, "--holder", "村委会").stdout.split()[0]
    flask("cards", "sheet", batch, "--output", tmp_path / "cards.pdf")
    assert lines(app) == [
        f"command line: survey_made survey {number}",
        f"command line: survey_opened survey {number}",
        f"command line: survey_paused survey {number}",
        f"command line: survey_closed survey {number}",
        f"command line: batch_made batch {batch}",
        f"command line: sheet_printed batch {batch}",
    ]
    assert faults(app, keys) == []


def test_a_row_says_from_what_to_what_and_where(app: Flask, flask: Command, here: Zone) -> None:
    flask("surveys", "pause", here.survey)
    (entry,) = entries(app)
    assert (entry.before, entry.after) == ({"state": "open"}, {"state": "paused"})
    with app.app_context(), reading() as session:
        assert entry.area_path == path_of(session, here)
    assert abs(entry.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_looking_leaves_no_row(app: Flask, evaluator: Visitor, here: Zone) -> None:
    for path in ("/desk/", "/desk/audit", f"/desk/surveys/{here.survey}/rates", "/field/"):
        evaluator.get(path)
    assert entries(app) == []


def test_what_was_refused_leaves_no_row(
    app: Flask, evaluator: Visitor, outsider: Visitor, flask: Command, here: Zone, tmp_path: Path
) -> None:
    change_survey(app, here.survey, title="满意度调查😀")
    before = snapshot(app)["audit_entries"]
    evaluator.fill("/desk/surveys/new", status=422, title="新调查")
    evaluator.fill(f"/field/surveys/{here.survey}", status=422, size="0", holder="村委会")
    evaluator.get(f"/field/batches/{here.batch}/sheet.pdf", status=422)
    evaluator.get(f"/field/batches/{here.batch}/cards/99", status=404)
    evaluator.get(f"/desk/surveys/{here.survey}/scores/none/feed.json", status=404)
    for tail in ("sheet.pdf", "cards/1", "cards/1.png"):
        outsider.get(f"/field/batches/{here.batch}/{tail}", status=404)
    flask("surveys", "open", here.survey, status=2)
    flask("cards", "sheet", here.batch, "--output", tmp_path / "cards.pdf", status=2)
    assert snapshot(app)["audit_entries"] == before
    assert not list(tmp_path.iterdir())


class PowerCutError(Exception):
    """What ends a transaction half-way."""


def test_an_act_and_its_row_are_kept_together_or_not_at_all(
    app: Flask, here: Zone, keys: Keys
) -> None:
    def make_and_fail(session: Session) -> None:
        survey = publishing.find_survey(session, here.survey)
        area = session.get_one(Area, here.towns[0])
        batch = issue_batch(session, survey, area, 3, "村委会", keys)
        audit.record_act(session, keys, audit.batch_made("zhang", batch), NOON)
        assert audit.load_head(session).number == 1
        raise PowerCutError

    before = snapshot(app)
    with pytest.raises(PowerCutError), app.app_context(), transaction() as session:
        make_and_fail(session)
    assert snapshot(app) == before
    record(app, keys, here, 1)
    assert verdict(app, keys).head.number == 1


def test_no_row_names_a_code(
    app: Flask, fieldworker: Visitor, flask: Command, here: Zone, keys: Keys, tmp_path: Path
) -> None:
    batch, codes = make_cards(app, here, 5, keys)
    for serial in range(1, 6):
        fieldworker.get(f"/field/batches/{batch}/cards/{serial}")
        fieldworker.get(f"/field/batches/{batch}/cards/{serial}.png")
    fieldworker.get(f"/field/batches/{batch}/sheet.pdf")
    flask("cards", "sheet", batch, "--output", tmp_path / "cards.pdf")
    rows = "\n".join(snapshot(app)["audit_entries"])
    assert rows.count("card_shown") == 10
    for code in codes:
        assert code not in rows
        assert in_fours(code) not in rows
    # Digests are hexadecimal: sixteen digits in a row may stand in one, but in nothing else.
    assert not re.search(r"\d{16}", re.sub(r"'[0-9a-f]{64}'", "", rows))


def test_no_row_names_who_holds_the_cards(
    app: Flask, fieldworker: Visitor, flask: Command, here: Zone
) -> None:
    fieldworker.fill(f"/field/surveys/{here.survey}", size="2", holder="张三丰")
    flask("cards", "make", here.survey, "东埔镇", 3, "--holder", "张三丰")
    assert "张三丰" not in "".join(snapshot(app)["audit_entries"])


def test_wording_never_stops_an_act(app: Flask, here: Zone, keys: Keys) -> None:
    odd = "\0" * 3 + "\ud800" + "长" * 5000
    facts = {odd: odd, "count": 2**70, "flag": True, "none": None}
    record(app, keys, here, 2, actor=odd, object=odd, before=facts, after=facts, reason=odd)
    assert [entry.number for entry in entries(app)] == [1, 2]
    assert faults(app, keys) == []


def test_eight_at_once_leave_one_unbroken_chain(
    app: Flask, new_visitor: NewVisitor, here: Zone, keys: Keys
) -> None:
    visitors = [new_visitor() for _ in range(8)]
    for visitor in visitors:
        visitor.sign_in(FIELDWORKER)

    def make(visitor: Visitor) -> None:
        for _ in range(5):
            visitor.fill(f"/field/surveys/{here.survey}", size="2", holder="村委会")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, visitors))
    assert [entry.action for entry in entries(app)] == ["batch_made"] * 40
    found = verdict(app, keys)
    assert found.faults == []
    assert found.count == found.head.number >= 40


# ---------------------------------------------------------------------------------------------
# A row that was touched is found and named
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "li"},
        {"action": "survey_closed"},
        {"object": "survey 9"},
        {"area_path": "1/"},
        {"before": None},
        {"after": {"state": "closed"}},
        {"after": {"state": "open", "more": 1}},
        {"reason": ""},
        {"at": NOON},
        {"digest": "0" * 64},
        {"digest": "长" * 64},
    ],
    ids=str,
)
def test_a_changed_field_is_found(
    changes: dict[str, object], six: Flask, flask: Command, keys: Keys
) -> None:
    tamper(six, update(AuditEntry).where(AuditEntry.number == 3).values(**changes))
    found = faults(six, keys)
    assert found[0] == Fault(3, FaultKind.CHANGED)
    # With another digest, what follows hangs on nothing either; but no row before it is named.
    assert {fault.number for fault in found} <= ({3, 4} if "digest" in changes else {3})
    result = flask("audit", "verify", status=1)
    assert "第 3 条：内容或摘要被改动" in result.stderr


def test_every_changed_row_is_named(six: Flask, keys: Keys) -> None:
    tamper(six, update(AuditEntry).where(AuditEntry.number.in_([1, 4, 6])).values(actor="li"))
    assert faults(six, keys) == [Fault(number, FaultKind.CHANGED) for number in (1, 4, 6)]


def test_a_removed_row_is_found(six: Flask, flask: Command, keys: Keys) -> None:
    tamper(six, delete(AuditEntry).where(AuditEntry.number == 3))
    assert faults(six, keys) == [Fault(3, FaultKind.MISSING, 3)]
    result = flask("audit", "verify", status=1)
    assert result.stderr == "第 3 条：缺少，其后一条因此无从核对\n"
    assert "共 5 条，最后一条 6:" in result.stdout


def test_removed_rows_are_found_from_the_first_on(six: Flask, flask: Command) -> None:
    tamper(six, delete(AuditEntry).where(AuditEntry.number.in_([1, 2, 5])))
    assert flask("audit", "verify", status=1).stderr.splitlines() == [
        "第 1 条 至第 2 条：缺少，其后一条因此无从核对",
        "第 5 条：缺少，其后一条因此无从核对",
    ]


def test_a_gap_that_was_closed_is_found(six: Flask, keys: Keys) -> None:
    tamper(
        six,
        delete(AuditEntry).where(AuditEntry.number == 3),
        *(renumber(number, number - 1) for number in (4, 5, 6)),
    )
    found = faults(six, keys)
    assert [fault.number for fault in found] == [3, 4, 5]
    assert found[1:] == [Fault(4, FaultKind.REORDERED, 5), Fault(5, FaultKind.REORDERED, 6)]


@pytest.mark.parametrize(("one", "other"), [(2, 3), (1, 2), (2, 5), (1, 6), (5, 6)])
def test_two_swapped_rows_are_found(
    one: int, other: int, six: Flask, flask: Command, keys: Keys
) -> None:
    tamper(six, renumber(one, 99), renumber(other, one), renumber(99, other))
    assert faults(six, keys) == [
        Fault(one, FaultKind.REORDERED, other),
        Fault(other, FaultKind.REORDERED, one),
    ]
    result = flask("audit", "verify", status=1)
    assert f"第 {one} 条：次序被调换，原是第 {other} 条" in result.stderr


def test_a_row_moved_out_of_the_way_is_found(six: Flask, keys: Keys) -> None:
    tamper(six, renumber(3, -7))
    assert faults(six, keys) == [
        Fault(-7, FaultKind.REORDERED, 3),
        Fault(3, FaultKind.MISSING, 3),
    ]


def test_a_forged_row_is_found(six: Flask, keys: Keys) -> None:
    other = replace(keys, audit=secrets.token_bytes(32))
    with six.app_context(), transaction() as session:
        act = Act("zhang", Action.SURVEY_MADE, "survey 9", "1/")
        audit.record_act(session, other, act, NOON)
    assert faults(six, keys) == [Fault(7, FaultKind.CHANGED)]


def test_with_another_key_no_row_is_sound(six: Flask, keys: Keys) -> None:
    other = replace(keys, audit=secrets.token_bytes(32))
    assert len(faults(six, other)) == 6


@pytest.mark.parametrize("content", ["{", "'", '{"state": NaN}'])
def test_a_row_that_cannot_be_read_is_named(
    content: str, backend: str, six: Flask, keys: Keys
) -> None:
    if backend == "postgresql":
        pytest.skip("PostgreSQL stores nothing but JSON there")
    tamper(six, text("UPDATE audit_entries SET after = :it WHERE number = 3").params(it=content))
    assert faults(six, keys) == [Fault(3, FaultKind.CHANGED)]


def test_a_cut_tail_shows_by_the_head_that_was_noted(six: Flask, flask: Command) -> None:
    noted = flask("audit", "head").stdout.strip()
    assert re.fullmatch(r"6:[0-9a-f]{64}", noted)
    flask("audit", "verify", "--expect", noted)
    tamper(six, delete(AuditEntry).where(AuditEntry.number > 4))
    assert "共 4 条" in flask("audit", "verify").stdout
    result = flask("audit", "verify", "--expect", noted, status=1)
    assert result.stderr == "第 6 条：与抄下的摘要不符，或已不在\n"


def test_a_head_stays_right_when_the_chain_grows(
    six: Flask, flask: Command, keys: Keys, here: Zone
) -> None:
    noted = flask("audit", "head").stdout.strip()
    record(six, keys, here, 3)
    assert "记录完整" in flask("audit", "verify", "--expect", noted).stdout


def test_a_chain_that_was_written_again_shows_by_the_head(
    six: Flask, flask: Command, keys: Keys, here: Zone
) -> None:
    """Whoever has the key can write a sound chain; not one that ends in the noted head."""
    noted = flask("audit", "head").stdout.strip()
    tamper(six, delete(AuditEntry).where(AuditEntry.number > 4))
    record(six, keys, here, 4)
    flask("audit", "verify")
    flask("audit", "verify", "--expect", noted, status=1)


@pytest.mark.parametrize(
    "noted", ["", "6", "6:", ":", "6:abc", "x:" + "0" * 64, "9" * 40 + ":" + "0" * 64]
)
def test_a_head_that_is_none_is_refused(noted: str, flask: Command) -> None:
    assert "audit head" in flask("audit", "verify", "--expect", noted, status=2).stderr


def test_an_empty_chain_is_sound(flask: Command) -> None:
    head = flask("audit", "head").stdout.strip()
    assert head == f"0:{'0' * 64}"
    assert "共 0 条" in flask("audit", "verify", "--expect", head).stdout
    flask("audit", "verify", "--expect", f"0:{'1' * 64}", status=1)


def test_a_long_chain_is_walked_to_its_end(app: Flask, keys: Keys, here: Zone) -> None:
    record(app, keys, here, 1203)
    assert verdict(app, keys).count == 1203
    tamper(app, update(AuditEntry).where(AuditEntry.number.in_([500, 1203])).values(reason="改"))
    assert faults(app, keys) == [Fault(500, FaultKind.CHANGED), Fault(1203, FaultKind.CHANGED)]


# ---------------------------------------------------------------------------------------------
# The page
# ---------------------------------------------------------------------------------------------


def numbers(visitor: Visitor, path: str = "/desk/audit", **query: str) -> list[int]:
    page = visitor.get(path, **query)  # type: ignore[arg-type]
    return [int(each.text) for each in page.html.all("th", scope="row")]


def test_the_page_shows_what_was_done(
    evaluator: Visitor, administrator: Visitor, flask: Command, here: Zone
) -> None:
    flask("surveys", "pause", here.survey)
    for visitor in (evaluator, administrator):
        text = visitor.get("/desk/audit").text
        for part in ("command line", "暂停调查", f"survey {here.survey}", "状态: paused"):
            assert part in text
    assert "/desk/audit" in evaluator.get("/desk/").body


def test_an_auditor_reads_the_page(
    app: Flask, visitor: Visitor, flask: Command, here: Zone, password_hash: str
) -> None:
    with app.app_context(), transaction() as session:
        account = {"name": "shenji", "role": Role.AUDITOR, "area_id": here.area}
        session.add(Staff(**account, password_hash=password_hash, is_demo=False))
    flask("surveys", "pause", here.survey)
    visitor.sign_in("shenji")
    assert "暂停调查" in visitor.get("/desk/audit").text


def test_the_page_shows_ones_own_zone_alone(
    evaluator: Visitor, outsider: Visitor, flask: Command, here: Zone, noise: Zone
) -> None:
    flask("surveys", "pause", here.survey)
    flask("surveys", "pause", noise.survey)
    flask("surveys", "close", here.survey)
    assert numbers(evaluator) == [3, 1]
    assert numbers(outsider) == [2]
    assert f"survey {noise.survey}" not in evaluator.get("/desk/audit").text
    assert numbers(outsider, before="2") == []


def test_fifty_are_on_a_page_the_newest_first(
    app: Flask, evaluator: Visitor, keys: Keys, here: Zone
) -> None:
    record(app, keys, here, 120)
    seen: list[int] = []
    query, pages = "actor=zhang", 0
    while query:
        page = evaluator.get("/desk/audit", **dict(parse_qsl(query)))  # type: ignore[arg-type]
        seen += [int(each.text) for each in page.html.all("th", scope="row")]
        pages += 1
        links = [each.attributes["href"] for each in page.html.all("a")]
        found = [link for link in links if link.startswith("/desk/audit?")]
        query = found[0].partition("?")[2] if found else ""
        assert "actor=zhang" in query or not query
    assert pages == 3
    assert seen == list(range(120, 0, -1))


def test_entries_are_chosen_by_action_actor_and_day(
    app: Flask, evaluator: Visitor, keys: Keys, here: Zone
) -> None:
    record(app, keys, here, 1)
    record(app, keys, here, 1, actor="li")
    record(app, keys, here, 1, action=Action.CARD_SHOWN)
    assert numbers(evaluator, action="card_shown") == [3]
    assert numbers(evaluator, actor="li") == [2]
    assert numbers(evaluator, actor="l") == []
    assert numbers(evaluator, actor="%") == []
    assert numbers(evaluator, action="survey_made", actor="zhang", day="2026-11-22") == [1]
    assert numbers(evaluator, day="2026-11-21") == []
    assert numbers(evaluator, action="", actor="", day="") == [3, 2, 1]


def test_a_day_is_one_of_beijing(app: Flask, evaluator: Visitor, keys: Keys, here: Zone) -> None:
    midnight = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
    with app.app_context(), transaction() as session:
        act = Act("zhang", Action.SURVEY_MADE, "survey 1", path_of(session, here))
        for at in (midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=1)):
            audit.record_act(session, keys, act, at)
    assert numbers(evaluator, day="2026-11-21") == [1]
    assert numbers(evaluator, day="2026-11-22") == [2]
    assert numbers(evaluator, day="2026-11-23") == [3]


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(
    "query",
    [
        {"action": "none"},
        {"day": "yesterday"},
        {"day": "9999-12-31"},
        {"day": "0001-01-01"},
        {"actor": "x" * 65},
        {"actor": "\0"},
    ],
    ids=str,
)
def test_a_filter_that_makes_no_sense_says_so(query: dict[str, str], evaluator: Visitor) -> None:
    page = evaluator.get("/desk/audit", status=422, **query)
    assert page.errors
    assert not page.errors.isascii(), "an error in English"


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize("before", ["x", "0", "-1", "9" * 40, ""])
def test_a_place_in_the_list_that_is_none_shows_the_beginning(
    before: str, evaluator: Visitor
) -> None:
    assert numbers(evaluator, before=before) == [6, 5, 4, 3, 2, 1]


def test_what_was_typed_is_shown_as_text(
    app: Flask, evaluator: Visitor, keys: Keys, here: Zone
) -> None:
    script = "<script>alert(1)</script>"
    evaluator.fill(f"/field/surveys/{here.survey}", size="2", holder=script)
    evaluator.fill("/desk/surveys/new", status=303, title=script, **NOTICE_FIELDS)
    facts = {script: script}
    record(app, keys, here, 1, actor=script, object=script, before=facts, reason=script)
    page = evaluator.get("/desk/audit")
    assert not page.html.all("script")
    assert script in page.text
    page = evaluator.get("/desk/audit", actor=script)
    assert not page.html.all("script")
    assert [each.text for each in page.html.all("th", scope="row")] == ["3"]


def test_nothing_that_is_addressed_changes_a_row(app: Flask) -> None:
    methods = {
        method
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/desk/audit")
        for method in rule.methods or ()
    }
    assert methods == {"GET", "HEAD", "OPTIONS"}


# ---------------------------------------------------------------------------------------------
# PostgreSQL: the web process may add and read, and nothing else
# ---------------------------------------------------------------------------------------------


def documented_grants() -> str:
    manual = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", manual.partition("\n## Audit\n")[2], flags=re.MULTILINE)[0]
    (block,) = re.findall(r"^```sql\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_documented_grants_let_the_web_process_only_add_and_read(
    backend: str,
    start_app: StartApp,
    app: Flask,
    here: Zone,
    keys: Keys,
) -> None:
    if backend != "postgresql":
        pytest.skip("SQLite knows no roles")
    database = make_url(app.extensions["minping"].database_url)
    role = f"{database.database}_web"
    password = secrets.token_hex(16)
    grants = documented_grants().replace("minping_web", role).replace("'PASSWORD'", f"'{password}'")
    with _connect(database.database) as connection:
        try:
            connection.execute(grants)
            as_web = database.set(username=role, password=password)
            limited = start_app(database_url=as_web.render_as_string(hide_password=False))
            visitor = Visitor(limited)
            visitor.sign_in(EVALUATOR)
            visitor.fill(f"/field/surveys/{here.survey}", size="2", holder="村委会")
            visitor.get(f"/field/batches/{here.batch}/sheet.pdf")
            assert numbers(visitor)
            for statement in (
                update(AuditEntry).values(actor="li"),
                delete(AuditEntry),
                text("TRUNCATE audit_entries"),
                text("SELECT * FROM audit_entries FOR UPDATE"),
                text("DROP TABLE audit_entries"),
            ):
                with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                    tamper(limited, statement)
            assert faults(app, keys) == []
            with limited.app_context():
                limited.extensions["database"].kw["bind"].dispose()
        finally:
            connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_a_number_is_given_once(six: Flask) -> None:
    """The primary key has the last word, whatever happens to the lock."""
    values = {"number": 6, "at": NOON, "actor": "x", "action": "x", "object": "x"}
    rest = {"area_path": "1/", "reason": "", "digest": "x"}
    with pytest.raises(Exception, match=r"(?i)unique"):
        tamper(six, insert(AuditEntry).values(**values, **rest))


@pytest.mark.usefixtures("here")
def test_acts_on_accounts_are_recorded(app: Flask, keys: Keys) -> None:
    runner = app.test_cli_runner()
    place = ["--role", "fieldworker", "--area", "北岸经济开发区"]
    assert runner.invoke(args=["staff", "add", "yuangong", *place]).exit_code == 0
    for word in ("reset", "unlock", "close"):
        assert runner.invoke(args=["staff", word, "yuangong"]).exit_code == 0
    with app.app_context(), reading() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))
        assert not audit.verify_chain(session, keys).faults
    assert actions[-4:] == ["staff_added", "password_reset", "staff_unlocked", "staff_closed"]


@pytest.mark.usefixtures("here")
def test_nobody_is_called_like_the_command_line(app: Flask) -> None:
    place = ["--role", "fieldworker", "--area", "北岸经济开发区"]
    named = app.test_cli_runner().invoke(args=["staff", "add", "command line", *place])
    assert named.exit_code == 2
