"""The ledger: what staff do with cards, what is refused, and that none is ever unaccounted for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from app.config import Keys
from app.db import reading, transaction
from app.errors import CardSpent, InvalidInput, Problem
from app.formats import date_of, day
from app.models import Area, AuditEntry, Batch, Card, CardEvent, CardState, Channel
from app.services import cards, collecting, ledger, publishing, targets
from app.services.collecting import ANSWERABLE
from surveys.answers import check
from tests.app.test_database_trouble import READ_ONLY, at_connection
from tests.conftest import (
    NOW,
    House,
    NewVisitor,
    Page,
    StartApp,
    Visitor,
    Zone,
    answers,
    card_states,
    change_survey,
    snapshot,
    submissions,
)

STAMP = ledger.Stamp("li", NOW)
BROKEN = ledger.Handover(reason="印坏了")


def register(visitor: Visitor, batch: int, serials: str, act: str, **more: str) -> Page:
    """Say what was done with some cards, as the form of a batch is filled in."""
    sent = {"serials": serials, "act": act, "reason": "登记", **more}
    return visitor.fill(f"/field/batches/{batch}", status=200, **sent)


def make_batch(app: Flask, zone: Zone, size: int, keys: Keys, **more: object) -> int:
    """Make cards that have not left the house."""
    with app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, zone.survey)
        found = cards.find_batch(session, zone.batch)
        plan = cards.BatchPlan(size, "村委会", **more)  # type: ignore[arg-type]
        return cards.make_batch(session, survey, found.area, plan, keys, STAMP).id


def codes_of(app: Flask, batch: int, keys: Keys) -> list[str]:
    with app.app_context(), reading() as session:
        return [code for _serial, code in cards.card_codes(cards.find_batch(session, batch), keys)]


def differences(app: Flask) -> list[ledger.Difference]:
    with app.app_context(), reading() as session:
        return ledger.find_differences(session, ledger.load_all_batches(session))


def acts(app: Flask) -> list[tuple[str, str, dict[str, object] | None, str]]:
    with app.app_context(), reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.number)
        return [(row.action, row.object, row.after, row.reason) for row in session.scalars(query)]


# ---------------------------------------------------------------------------------------------
# From made to answered
# ---------------------------------------------------------------------------------------------


def test_a_card_cannot_be_answered_before_it_left_the_house(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone, keys: Keys
) -> None:
    batch = make_batch(app, here, 3, keys)
    code = codes_of(app, batch, keys)[1]
    visitor.get(f"/s/{code}", status=404)
    fieldworker.get(f"/field/batches/{batch}/cards/2")
    assert card_states(app, batch) == [CardState.MADE, CardState.PRINTED, CardState.MADE]
    visitor.submit(f"/s/{code}")
    assert card_states(app, batch)[1] is CardState.ANSWERED


@pytest.mark.parametrize("form", ["page", "command"])
def test_a_sheet_releases_its_batch(
    form: str, app: Flask, fieldworker: Visitor, here: Zone, keys: Keys, tmp_path: object
) -> None:
    batch = make_batch(app, here, 3, keys)
    if form == "page":
        fieldworker.get(f"/field/batches/{batch}/sheet.pdf")
    else:
        command = ["cards", "sheet", str(batch), "--output", f"{tmp_path}/cards.pdf"]
        assert app.test_cli_runner().invoke(args=command).exit_code == 0
    assert card_states(app, batch) == [CardState.PRINTED] * 3


def test_printing_again_takes_nothing_back(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    before = card_states(app, here.batch)
    fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf")
    assert card_states(app, here.batch) == before


def test_opening_is_noted_once_and_spends_nothing(
    app: Flask, new_visitor: NewVisitor, here: Zone
) -> None:
    path = f"/s/{here.codes[0]}"
    new_visitor().get(path)
    before = snapshot(app)
    new_visitor().get(path)
    assert snapshot(app) == before
    new_visitor().submit(path)
    assert card_states(app, here.batch)[0] is CardState.ANSWERED


def test_asking_for_the_head_of_a_page_opens_nothing(
    app: Flask, visitor: Visitor, here: Zone
) -> None:
    visitor.client.head(f"/s/{here.codes[0]}")
    assert card_states(app, here.batch)[0] is CardState.ISSUED


def test_opening_leaves_no_event_and_no_instant(app: Flask, visitor: Visitor, here: Zone) -> None:
    before = snapshot(app)
    visitor.get(f"/s/{here.codes[0]}")
    after = snapshot(app)
    changed = {table for table in before if before[table] != after[table]}
    assert changed == {"cards"}
    assert not {"at", "day", "hour"} & set(Card.__table__.columns.keys())


@pytest.mark.parametrize("act", ["returned", "lost", "void"])
def test_a_card_put_aside_is_dead_at_once(
    act: str, app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    path = f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    register(fieldworker, here.batch, "1", act)
    visitor.get(path, status=404)
    visitor.submit(path, form=form, status=404)
    assert not submissions(app, here.survey)


def test_a_lost_card_that_was_found_can_be_issued_again(
    fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    register(fieldworker, here.batch, "1", "lost")
    register(fieldworker, here.batch, "1", "issued")
    visitor.submit(f"/s/{here.codes[0]}")


def test_an_answered_card_cannot_be_made_void(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[1]}")
    page = register(fieldworker, here.batch, "1-3", "void")
    assert "登记为“已作废” 2 张（编号 1, 3）" in page.text
    assert "没有改动：编号 2，现在是“已答”，答过的卡不能再动" in page.text
    assert card_states(app, here.batch)[:3] == [
        CardState.VOID,
        CardState.ANSWERED,
        CardState.VOID,
    ]


def test_a_void_card_stays_void(fieldworker: Visitor, app: Flask, here: Zone) -> None:
    register(fieldworker, here.batch, "1", "void")
    for act in ("issued", "returned", "lost"):
        assert "作废后不能恢复" in register(fieldworker, here.batch, "1", act).text
    assert card_states(app, here.batch)[0] is CardState.VOID


def test_what_was_not_printed_cannot_be_issued(
    app: Flask, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    batch = make_batch(app, here, 3, keys)
    assert "，请先打印或出示" in register(fieldworker, batch, "1-3", "issued").text
    assert card_states(app, batch) == [CardState.MADE] * 3


# ---------------------------------------------------------------------------------------------
# Expiry
# ---------------------------------------------------------------------------------------------


def test_a_card_is_dead_after_its_last_day(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    path = f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    set_expiry(app, here.batch, days=-1)
    visitor.get(path, status=404)
    visitor.submit(path, form=form, status=404)
    page = fieldworker.get(f"/field/batches/{here.batch}")
    assert "这批卡已经过期" in page.text
    assert "已过期 6" in fieldworker.get(f"/field/surveys/{here.survey}").text


def test_a_card_can_be_answered_on_its_last_day(app: Flask, visitor: Visitor, here: Zone) -> None:
    set_expiry(app, here.batch, days=0)
    visitor.submit(f"/s/{here.codes[0]}")


def test_an_expired_card_comes_back_but_does_not_go_out(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    set_expiry(app, here.batch, days=-1)
    assert "登记为“已收回” 1 张" in register(fieldworker, here.batch, "1", "returned").text
    sent = {"serials": "1", "act": "issued"}
    page = fieldworker.fill(f"/field/batches/{here.batch}", status=400, **sent)
    assert "这批卡已经过期，不能再发。" in page.text


def test_a_batch_is_made_with_its_last_day(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    path, today = f"/field/surveys/{here.survey}", date_of(NOW)
    sent: dict[str, Any] = {"size": "5", "holder": "村委会"}
    late = str(today - timedelta(days=1))
    page = fieldworker.fill(path, status=422, expires_at=late, **sent)
    assert "有效期不能早于今天。" in page.errors
    fieldworker.fill(path, expires_at=str(today), **sent)
    with app.app_context(), reading() as session:
        newest = session.scalars(select(Batch).order_by(Batch.id.desc())).first()
    assert newest is not None
    assert newest.expires_at == today


def test_a_last_day_is_moved_and_cards_are_again_what_they_were(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.open_form(f"/s/{here.codes[1]}")
    register(fieldworker, here.batch, "6", "returned")
    set_expiry(app, here.batch, days=-1)
    before = card_states(app, here.batch)
    visitor.get(f"/s/{here.codes[0]}", status=404)
    path = f"/field/batches/{here.batch}"
    later, today = str(date_of(NOW) + timedelta(days=3)), str(date_of(NOW))
    fieldworker.fill(path, action=f"{path}/expiry", expires_at=later)
    assert f"有效期至 {day(date_of(NOW) + timedelta(days=3))}" in fieldworker.get(path).text
    assert card_states(app, here.batch) == before
    visitor.submit(f"/s/{here.codes[0]}")
    fieldworker.fill(path, action=f"{path}/expiry", expires_at=today)  # earlier again
    fieldworker.fill(path, action=f"{path}/expiry", expires_at="")
    assert "有效期至 " not in fieldworker.get(path).html.all("main")[0].all("p")[1].text
    moved = [(action, after) for action, _object, after, _reason in acts(app)][1:]
    assert moved == [
        ("expiry_moved", {"expires_at": later}),
        ("expiry_moved", {"expires_at": today}),
        ("expiry_moved", {"expires_at": None}),
    ]
    assert differences(app) == []


def test_a_last_day_that_cannot_be_says_why(
    app: Flask, fieldworker: Visitor, outside_fieldworker: Visitor, here: Zone
) -> None:
    path = f"/field/batches/{here.batch}"
    yesterday, later = (str(date_of(NOW) + timedelta(days=days)) for days in (-1, 5))
    stale = fieldworker.get(path).fields(f"{path}/expiry")
    before = snapshot(app)
    page = fieldworker.post(f"{path}/expiry", {**stale, "expires_at": yesterday}, status=422)
    assert "有效期不能早于今天。" in page.errors
    outside_fieldworker.post(f"{path}/expiry", stale, status=400)  # another person's token
    outside_fieldworker.get(path, status=404)
    assert snapshot(app) == before
    fieldworker.fill(path, action=f"{path}/expiry", expires_at=later)
    same = fieldworker.post(f"{path}/expiry", {**stale, "expires_at": later}, status=409)
    assert "刚才有人改过，还没有保存您的修改。" in same.text
    assert f"现在的有效期是：{day(date_of(NOW) + timedelta(days=5))}" in same.text
    fieldworker.post(f"{path}/expiry", same.fields(f"{path}/expiry"))


def test_cards_are_issued_with_the_making(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    path = f"/field/surveys/{here.survey}"
    fieldworker.fill(path, size="4", holder="陈村医", issue="y")
    fieldworker.fill(path, size="3", holder="林村医")
    with app.app_context(), reading() as session:
        later, batch = session.scalars(select(Batch).order_by(Batch.id.desc()).limit(2)).all()
        holders = session.scalars(select(Card.holder).where(Card.batch_id == batch.id)).all()
    assert card_states(app, batch.id) == [CardState.ISSUED] * 4
    assert set(holders) == {"陈村医"}
    assert card_states(app, later.id) == [CardState.MADE] * 3
    assert [(action, named) for action, named, _after, _reason in acts(app)] == [
        ("batch_made", f"batch {batch.id}"),
        ("cards_issued", f"batch {batch.id}"),
        ("batch_made", f"batch {later.id}"),
    ]
    assert differences(app) == []


def test_progress_takes_as_many_queries_for_many_targets_as_for_one(app: Flask, here: Zone) -> None:
    def count(towns: tuple[int, ...]) -> int:
        seen: list[str] = []
        with app.app_context(), transaction() as session:
            survey = publishing.find_survey(session, here.survey)
            for town in towns:
                for channel in Channel:
                    targets.set_target(session, survey, session.get_one(Area, town), channel, 3)
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
            found = targets.load_progress(session, survey, survey.area, NOW)
            assert len(found) == len(towns) * len(Channel)
            return len(seen)

    assert count(here.towns[:1]) == count(here.towns)


def set_expiry(app: Flask, batch: int, days: int) -> None:
    with app.app_context(), transaction() as session:
        session.get_one(Batch, batch).expires_at = date_of(NOW) + timedelta(days=days)


# ---------------------------------------------------------------------------------------------
# Serials and codes
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "ranges"),
    [
        ("1-20, 25", [(1, 20), (25, 25)]),
        ("１－３，５", [(1, 3), (5, 5)]),
        ("3、1 2", [(1, 3)]),
        ("7 至 9；8", [(7, 9)]),
        ("5~6\n6", [(5, 6)]),
    ],
)
def test_serials_are_read_as_people_type_them(typed: str, ranges: list[ledger.Range]) -> None:
    assert ledger.read_serials(typed, 30) == ranges
    assert ledger.read_serials(ledger.write_ranges(ranges), 30) == ranges


@pytest.mark.parametrize("typed", ["", "0", "31", "9-3", "a", "1-", "1-2-3", "-1", "9" * 3000])
def test_what_is_no_serial_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput):
        ledger.read_serials(typed, 30)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"serials": "1, 7, x", "act": "issued"}, "看不懂或不在 1–6 之间：7、x"),
        ({"serials": "", "act": "issued"}, "请填写编号。"),
        ({"serials": "1", "act": "void"}, "报失和作废要写明理由。"),
        ({"serials": "1", "act": "issued", "holder": "长" * 101}, "最多 100 个字。"),
        ({"serials": "1", "act": "answered"}, ""),
    ],
)
def test_an_act_that_cannot_be_done_says_why_and_changes_nothing(
    sent: dict[str, str], sentence: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    page = fieldworker.fill(f"/field/batches/{here.batch}", status=422, **sent)
    assert page.errors
    assert sentence in page.errors
    assert snapshot(app) == before


def test_cards_are_moved_by_their_codes(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    typed = f"https://minping.example/s/{here.codes[0]}\n\n{here.codes[2]}\n"
    page = fieldworker.fill("/field/scan", status=200, codes=typed, act="returned")
    assert "登记为“已收回” 2 张（编号 1, 3）" in page.text
    assert card_states(app, here.batch)[:3] == [
        CardState.RETURNED,
        CardState.ISSUED,
        CardState.RETURNED,
    ]
    assert [act[0] for act in acts(app)] == ["cards_returned"]


def test_the_card_on_the_screen_is_issued_and_taken_back(
    app: Flask, fieldworker: Visitor, here: Zone, keys: Keys
) -> None:
    batch = make_batch(app, here, 2, keys)
    path, action = f"/field/batches/{batch}/cards/2", f"/field/batches/{batch}"
    for act, state in (("issued", CardState.ISSUED), ("returned", CardState.RETURNED)):
        fieldworker.fill(path, action=action, act=act, status=200)
        assert card_states(app, batch) == [CardState.MADE, state]


def test_a_code_of_another_zone_is_none(
    app: Flask, fieldworker: Visitor, here: Zone, noise: Zone
) -> None:
    before = snapshot(app)
    typed = f"{here.codes[0]}\n{noise.codes[0]}\nx"
    page = fieldworker.fill("/field/scan", status=422, codes=typed, act="returned")
    assert "第 2、3 行：您的片区没有这张卡。" in page.errors
    assert snapshot(app) == before


def test_only_the_page_that_scans_may_use_the_camera(fieldworker: Visitor) -> None:
    allowed = {
        path: "camera=(self)" in fieldworker.get(path).response.headers["Permissions-Policy"]
        for path in ("/field/scan", "/field/")
    }
    assert allowed == {"/field/scan": True, "/field/": False}


# ---------------------------------------------------------------------------------------------
# On record
# ---------------------------------------------------------------------------------------------


def test_an_act_on_many_cards_is_one_row_and_names_no_holder(
    app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    register(fieldworker, here.batch, "1-4, 6", "lost", holder="王医生", reason="水淹了")
    (act,) = acts(app)
    after = {"cards": "1-4, 6", "changed": 5}
    assert act == ("cards_lost", f"batch {here.batch}", after, "水淹了")


def test_an_act_that_moved_nothing_is_none(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    register(fieldworker, here.batch, "1-6", "issued")
    assert acts(app) == []


def test_events_say_from_where_to_where_by_whom_and_why(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.get(f"/s/{here.codes[1]}")
    more = {"holder": "王医生", "place": "村口", "reason": "收工"}
    register(fieldworker, here.batch, "1-3", "returned", **more)
    with app.app_context(), reading() as session:
        query = select(CardEvent).where(CardEvent.after == CardState.RETURNED)
        events = session.scalars(query.order_by(CardEvent.first, CardEvent.id)).all()
    assert [(each.first, each.last, each.before) for each in events] == [
        (1, 1, CardState.ISSUED),
        (2, 2, CardState.OPENED),
        (3, 3, CardState.ISSUED),
    ]
    assert {(each.actor, each.holder, each.place, each.reason) for each in events} == {
        ("li", "王医生", "村口", "收工")
    }


def test_what_came_back_is_shown_by_serial_and_never_that_somebody_looked(
    fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    visitor.get(f"/s/{here.codes[1]}")
    page = fieldworker.get(f"/field/batches/{here.batch}")
    terms = [each.text for each in page.html.all("dt")]
    assert dict(zip(terms, [each.text for each in page.html.all("dd")], strict=True)) == {
        "已发出": "2-6",
        "已答": "1",
    }
    assert "已打开" not in page.text
    refused = register(fieldworker, here.batch, "2", "issued")
    assert "已打开" not in refused.text
    done = register(fieldworker, here.batch, "2-4", "returned")
    assert done.html.all("tbody")[0].all("th")[0].text == "2-4"


# ---------------------------------------------------------------------------------------------
# Conservation
# ---------------------------------------------------------------------------------------------


def test_a_difference_is_an_alarm_with_a_reference(
    app: Flask, evaluator: Visitor, here: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"/desk/surveys/{here.survey}/cards"
    assert "已核对，账卡相符。" in evaluator.get(path).text
    with app.app_context(), transaction() as session:
        past = update(Card).where(Card.batch_id == here.batch, Card.serial == 1)
        session.execute(past.values(state=CardState.LOST))
    for page in (path, f"/field/surveys/{here.survey}", f"/field/batches/{here.batch}"):
        (alarm,) = evaluator.get(page).html.all("p", role="alert")
        reference = alarm.text.partition("编号 ")[2][:8]
        assert f"[{reference}] cards:" in caplog.text
    checked = app.test_cli_runner().invoke(args=["cards", "check"])
    assert checked.exit_code == 1
    assert f"批次 {here.batch}：lost 应为 0，实有 1" in checked.output


def test_a_card_that_is_gone_is_a_difference(app: Flask, here: Zone) -> None:
    with app.app_context(), transaction() as session:
        query = select(Card).where(Card.batch_id == here.batch, Card.serial == 1)
        session.delete(session.scalars(query).one())
    assert [each.what for each in differences(app)] == ["made", "with residents"]


def test_the_desk_shows_subtotals_and_response_rates(
    evaluator: Visitor, fieldworker: Visitor, new_visitor: NewVisitor, here: Zone
) -> None:
    for code in here.codes[:2]:
        new_visitor().submit(f"/s/{code}")
    new_visitor().get(f"/s/{here.codes[2]}")
    register(fieldworker, here.batch, "6", "lost")
    page = evaluator.get(f"/desk/surveys/{here.survey}/cards")
    # Made, the nine states, and RR1 = 2 / (2 + 1 + 2).
    counts = ["6", "0", "0", "2", "1", "2", "0", "1", "0", "0", "40.00%"]
    rows = page.html.rows()
    for label in ("合计", f"批次 {here.batch}", "忠门镇卫生院", "忠门镇"):
        assert rows[label] == counts
    assert rows["RR2"][0] == "60.00%"
    assert rows["RR6"][0] == "100.00%"


def test_who_was_issued_cards_is_counted_apart(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    batch = make_batch(app, here, 10, keys)
    evaluator.get(f"/field/batches/{batch}/sheet.pdf")
    register(evaluator, batch, "1-4", "issued", holder="王医生")
    rows = evaluator.get(f"/desk/surveys/{here.survey}/cards").html.rows()
    assert rows["王医生"][:4] == ["4", "0", "0", "4"]
    assert rows["村委会"][:4] == ["6", "0", "6", "0"]


def test_two_people_on_one_batch_move_each_card_once(
    app: Flask, here: Zone, keys: Keys, new_visitor: NewVisitor
) -> None:
    batch = make_batch(app, here, 60, keys)
    codes = codes_of(app, batch, keys)
    with app.app_context(), transaction() as session:
        ledger.release(session, cards.find_batch(session, batch), STAMP)

    def issue(person: str) -> int:
        with app.app_context(), transaction() as session:
            found = cards.find_batch(session, batch)
            stamp = ledger.Stamp(person, NOW)
            first = 1 if person == "li" else 21
            ranges = [(first, first + 39)]
            return ledger.move(session, found, ranges, CardState.ISSUED, stamp).count

    def answer(code: str) -> int:
        return new_visitor().submit(f"/s/{code}").status

    with ThreadPoolExecutor(4) as pool:
        answering = pool.map(answer, codes[::10])
        moved = list(pool.map(issue, ["li", "zhang"]))
        assert set(answering) == {303}
    with app.app_context(), reading() as session:
        query = select(CardEvent).where(
            CardEvent.batch_id == batch, CardEvent.after == CardState.ISSUED
        )
        issued = [
            serial for each in session.scalars(query) for serial in range(each.first, each.last + 1)
        ]
    assert len(issued) == len(set(issued)) == sum(moved)
    assert differences(app) == []


def test_a_card_is_answered_or_made_void_and_never_both(
    app: Flask, here: Zone, new_visitor: NewVisitor
) -> None:
    visitors = [new_visitor() for _ in here.codes]
    forms = [each.open_form(f"/s/{code}") for each, code in zip(visitors, here.codes, strict=True)]

    def answer(number: int) -> bool:
        path = f"/s/{here.codes[number]}"
        return visitors[number].submit(path, form=forms[number], status=None).status == 303

    def make_void(_number: int) -> int:
        with app.app_context(), transaction() as session:
            found = cards.find_batch(session, here.batch)
            return ledger.move(session, found, [(1, 6)], CardState.VOID, STAMP, BROKEN).count

    with ThreadPoolExecutor(4) as pool:
        answered = pool.map(answer, range(6))
        voided = pool.submit(make_void, 0)
        taken = sum(answered)
    assert taken + voided.result() == 6
    assert len(submissions(app, here.survey)) == taken
    assert differences(app) == []


# ---------------------------------------------------------------------------------------------
# Any order of acts
# ---------------------------------------------------------------------------------------------

SIZE = 6
serial = st.integers(1, SIZE)
ranges = st.tuples(serial, serial).map(lambda pair: [(min(pair), max(pair))])


class Books(RuleBasedStateMachine):
    """A batch on which staff and residents do whatever comes to mind; a model knows the states."""

    session: Session
    keys: Keys
    batch: Batch

    def __init__(self) -> None:
        super().__init__()
        self.model = dict.fromkeys(range(1, SIZE + 1), CardState.MADE)
        self.now = NOW
        with self._transaction():
            plan = cards.BatchPlan(SIZE, "村委会", date_of(NOW) + timedelta(days=2))
            self.batch = self._make(plan)

    app: Flask
    zone: Zone

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self.app.app_context(), transaction() as self.session:
            yield

    def _make(self, plan: cards.BatchPlan) -> Batch:
        survey = publishing.find_survey(self.session, self.zone.survey)
        area = cards.find_batch(self.session, self.zone.batch).area
        return cards.make_batch(self.session, survey, area, plan, self.keys, STAMP)

    def _is_over(self) -> bool:
        return ledger.is_expired(self.batch, date_of(self.now))

    @rule(chosen=ranges, to=st.sampled_from(list(ledger.MOVES)))
    def move(self, chosen: list[ledger.Range], to: CardState) -> None:
        serials = {each for first, last in chosen for each in range(first, last + 1)}
        expected = {each for each in serials if self.model[each] in ledger.MOVES[to]}
        with self._transaction():
            stamp = ledger.Stamp("li", self.now)
            if to is CardState.ISSUED and self._is_over():
                with pytest.raises(Problem):
                    ledger.move(self.session, self.batch, chosen, to, stamp, BROKEN)
                return
            moved = ledger.move(self.session, self.batch, chosen, to, stamp, BROKEN)
        assert moved.changed == ledger.as_ranges(expected)
        left = [each for found in moved.refused.values() for each in found]
        assert sum(last - first + 1 for first, last in left) == len(serials - expected)
        self.model |= dict.fromkeys(expected, to)

    @rule(number=serial)
    def open(self, number: int) -> None:
        code = cards.code_of(self.batch, number, self.keys)
        with self._transaction():
            if self._is_open(number):
                found = collecting.find_open_card(self.session, code, self.keys, self.now)
                collecting.record_opening(self.session, found)
                self.model[number] = CardState.OPENED
            else:
                with pytest.raises(CardSpent):
                    collecting.find_open_card(self.session, code, self.keys, self.now)

    @rule(number=serial, key=st.uuids(version=4))
    def answer(self, number: int, key: object) -> None:
        code = cards.code_of(self.batch, number, self.keys)
        with self._transaction():
            found = collecting.find_card(self.session, code, self.keys)
            asked = collecting.load_questionnaire(self.session, found.questionnaire_digest)
            delivery = collecting.Delivery(key, check(asked, answers()))  # type: ignore[arg-type]
            given = (self.session, found, delivery, self.keys, self.now)
            if self._is_open(number):
                collecting.record_submission(*given)
                self.model[number] = CardState.ANSWERED
            else:
                with pytest.raises(CardSpent):
                    collecting.record_submission(*given)

    def _is_open(self, number: int) -> bool:
        return self.model[number] in ANSWERABLE and not self._is_over()

    @precondition(lambda self: self.now - NOW < timedelta(days=5))
    @rule()
    def let_a_day_pass(self) -> None:
        self.now += timedelta(days=1)

    @invariant()
    def every_card_is_where_it_should_be(self) -> None:
        with self.app.app_context(), reading() as session:
            query = select(Card.serial, Card.state).where(Card.batch_id == self.batch.id)
            found_states = {row.serial: row.state for row in session.execute(query)}
            assert found_states == self.model
            assert ledger.find_differences(session, [self.batch]) == []
            survey = publishing.find_survey(session, self.zone.survey)
            found = ledger.load_ledger(session, survey, self.batch.area, date_of(self.now))
        for row in found.batches:
            assert row.tally.states.total() == row.tally.made == row.batch.size
        for some in (found.holders, found.areas, [found.total]):
            assert sum(tally.states.total() for tally in some) == found.total.made


def test_no_card_is_ever_unaccounted_for(house: House, here: Zone, keys: Keys) -> None:
    change_survey(house.app, here.survey, closes_at=NOW + timedelta(days=30))
    books = type("Books", (Books,), {"app": house.app, "zone": here, "keys": keys})
    run_state_machine_as_test(
        books,
        settings=hypothesis_settings(max_examples=12, stateful_step_count=25, deadline=None),
    )


# ---------------------------------------------------------------------------------------------
# When the database cannot note it; targets; commands
# ---------------------------------------------------------------------------------------------


def test_a_card_opens_though_the_database_is_read_only(
    backend: str, app: Flask, start_app: StartApp, here: Zone
) -> None:
    trouble = start_app()
    at_connection(trouble, READ_ONLY[backend])
    Visitor(trouble).open_form(f"/s/{here.codes[0]}")
    assert card_states(app, here.batch)[0] is CardState.ISSUED


def test_targets_are_set_shown_and_taken_away(
    app: Flask, evaluator: Visitor, fieldworker: Visitor, new_visitor: NewVisitor, here: Zone
) -> None:
    change_survey(app, here.survey, closes_at=NOW + timedelta(days=3))
    path = f"/desk/surveys/{here.survey}/cards"
    sent: dict[str, Any] = {"channel": "scanned"}
    town = str(here.towns[0])
    evaluator.fill(path, area=town, number="20", **sent)
    evaluator.fill(path, area=str(here.towns[1]), number="7", **sent)
    evaluator.fill(path, area=town, number="21", **sent)
    for code in here.codes[:3]:
        new_visitor().submit(f"/s/{code}")
    # 21 in four days, today counted.
    shown = "忠门镇 · 扫码：今天 3 / 6，累计 3 / 21"
    for page in ("/field/", f"/field/surveys/{here.survey}"):
        assert shown in fieldworker.get(page).text
        assert "东埔镇 · 扫码" not in fieldworker.get(page).text
    evaluator.fill(path, area=town, number="0", **sent)
    assert "忠门镇 · 扫码" not in evaluator.get(path).text
    assert [after and after["target"] for _action, _object, after, _reason in acts(app)] == [
        20,
        7,
        21,
        0,
    ]


@pytest.mark.parametrize(
    ("number", "sentence"), [("", "请填写目标份数。"), ("-1", "目标应在 0 到 1000000 之间。")]
)
def test_a_target_that_cannot_be_set_says_why(
    number: str, sentence: str, app: Flask, evaluator: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    path = f"/desk/surveys/{here.survey}/cards"
    assert sentence in evaluator.fill(path, number=number, status=422).errors
    assert snapshot(app) == before


def test_what_was_missing_this_morning_is_spread_over_the_days(app: Flask, here: Zone) -> None:
    change_survey(app, here.survey, closes_at=NOW - timedelta(days=1))
    with app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, here.survey)
        town = cards.find_batch(session, here.batch).area
        targets.set_target(session, survey, town, Channel.PAPER, 9)
        (found,) = targets.load_progress(session, survey, survey.area, NOW)
    assert (found.done, found.done_today, found.today) == (0, 0, 9)


def test_commands_move_cards_and_check_them(app: Flask, here: Zone, visitor: Visitor) -> None:
    def flask(*arguments: object) -> str:
        outcome = app.test_cli_runner().invoke(args=[str(each) for each in arguments])
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    visitor.submit(f"/s/{here.codes[4]}")
    assert flask("cards", "return", here.batch, "1-2") == "2\t1-2\n"
    assert flask("cards", "issue", here.batch, "1", "--holder", "王医生") == "1\t1\n"
    assert flask("cards", "lose", here.batch, "3", "--reason", "水淹") == "1\t3\n"
    voided = flask("cards", "void", here.batch, "2-5", "--reason", "停用")
    assert "3\t2-4\n" in voided
    assert "没有改动：5（已答）" in voided
    assert "账卡相符。" in flask("cards", "check")
    made = flask(
        "cards", "make", here.survey, "东埔镇", 3, "--holder", "x", "--expires", "2099-12-31"
    )
    assert card_states(app, int(made.split()[0])) == [CardState.MADE] * 3
