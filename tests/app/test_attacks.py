"""Attacks as a table, each tried at every address that there is: what is added later is tried too.

What others test is not repeated here: forged forms (test_signing_in), large and truncated bodies
(test_refusing), locked accounts and copied cookies (test_staff_sessions).
"""

import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from urllib.parse import quote

import pypdfium2  # type: ignore[import-untyped]
import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Area, Channel, Origin, Role, Staff, Survey, SurveyState
from app.services import accounts, devices, publishing
from surveys.library import bundled
from tests.app.test_access_census import addresses, staff_side, values
from tests.conftest import (
    EVALUATOR,
    NOISE_TOWNS,
    NOTICE_FIELDS,
    PASSWORD,
    QUESTIONNAIRE,
    TOWNS,
    House,
    Page,
    Snapshot,
    Visitor,
    Zone,
    _sent_by,
    add_submissions,
    answers,
    issue_batch,
    plan,
    snapshot,
    submissions,
)

# ---------------------------------------------------------------------------------------------
# Every role in two zones: nothing of the other one, neither as a row nor as a number
# ---------------------------------------------------------------------------------------------

NAMES = {
    "here": (f"{TOWNS[0]}卫生院", "去年的"),
    "noise": ("噪声", *NOISE_TOWNS),
}


def member(house: House, role: Role, zone: Zone) -> Visitor:
    """Sign in a new person with this role in this zone."""
    app, now = house.app, datetime.now(UTC)
    with app.app_context(), transaction() as session:
        somebody = session.get_one(Staff, min(house.world.staff.values()))
        person = Staff(
            name=f"{role.value}-{zone.area}",
            role=role,
            area_id=zone.area,
            password_hash=somebody.password_hash,
            is_demo=False,
        )
        session.add(person)
        session.flush()
        token = devices.open_session(session, person, now)
    visitor = Visitor(app)
    with visitor.client.session_transaction() as cookie:
        cookie["token"] = token
    return visitor


def own_pages(house: House, zone: Zone) -> list[str]:
    return list(staff_side(addresses(house.app, zone, "GET")).values())


def seen(visitor: Visitor, paths: Iterable[str]) -> dict[str, str]:
    """Return what a person can read at each address, as text."""
    return {path: readable(visitor.get(path, status=None)) for path in paths}


def readable(page: Page) -> str:
    data = page.response.get_data()
    kind = page.response.mimetype or ""
    match kind:
        case "application/pdf":
            sheets = pypdfium2.PdfDocument(data)
            return "\n".join(sheet.get_textpage().get_text_range() for sheet in sheets)
        case "text/html" | "application/json":
            # A form's token is a new one each time, and so is the instant at which a feed is made.
            text = re.sub(
                r'(name="(?:csrf_token|_token|key)"[^>]* value=)"[^"]*"', r"\1", page.body
            )
            text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.+Z]*", "(instant)", text)
        case _ if "spreadsheet" in kind:
            with zipfile.ZipFile(BytesIO(data)) as book:
                parts = [part for part in sorted(book.namelist()) if "docProps" not in part]
                text = "\n".join(book.read(part).decode() for part in parts)
        case _:
            text = data.hex() if kind.startswith("image/") else data.decode()
    return f"{page.status} {text}"


def stir(house: House, zone: Zone) -> None:
    """Let a lot happen in a zone: answers, cards, another survey, one more account, acts."""
    keys = house.settings.keys
    with house.app.app_context(), transaction() as session:
        town = session.get_one(Area, zone.towns[0])
        old = publishing.find_survey(session, zone.survey)
        issue_batch(session, old, town, 7, "新的领卡人", keys)
        add_submissions(session, zone.survey, town.id, [answers(q1="unaware")] * 11, keys)
        root = session.get_one(Area, zone.area)
        made = publishing.make_survey(session, bundled()[QUESTIONNAIRE], root, plan("又一次"))
        publishing.move_survey(session, made, SurveyState.OPEN)
        accounts.add_staff(session, f"new-{zone.area}", Role.EVALUATOR, root, PASSWORD)
    evaluator = member(house, Role.EVALUATOR, zone)
    sent = {"csrf_token": csrf_token(evaluator), "to": "closed"}
    evaluator.post(f"/desk/surveys/{zone.survey}/state", sent)


@pytest.mark.parametrize("role", Role)
def test_what_happens_in_another_zone_is_not_seen(role: Role, house: House) -> None:
    here, noise = house.world.here, house.world.noise
    person = member(house, role, here)
    pages = own_pages(house, here)
    log = [path for path in pages if path.startswith("/desk/audit")]
    printed = [path for path in pages if path.endswith("/print")]
    others = [path for path in pages if path not in {*log, *printed}]
    seen(person, pages)
    # The log and what was printed last before and first after: reading some of the others is an
    # act of one's own. And of the log's forms the page, since handing it out as a file is one too.
    before = seen(person, [*others, *printed, min(log)])
    stir(house, noise)
    after = seen(person, [min(log), *printed, *others])
    assert {path for path in before if before[path] != after[path]} == set()
    assert any(text.startswith("200") for text in before.values())


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("side", ["here", "noise"])
def test_nobody_reads_a_name_of_another_zone(role: Role, side: str, house: House) -> None:
    mine = getattr(house.world, side)
    (other,) = NAMES.keys() - {side}
    person = member(house, role, mine)
    found = seen(person, own_pages(house, mine))
    for path, text in found.items():
        assert [name for name in NAMES[other] if name in text] == [], path


@pytest.mark.parametrize("role", Role)
def test_the_other_zone_answers_nobody_and_does_not_change(role: Role, house: House) -> None:
    app, here, noise = house.app, house.world.here, house.world.noise
    person = member(house, role, here)
    before = snapshot(app)
    own = staff_side(addresses(app, here, "GET"))
    theirs = staff_side(addresses(app, noise, "GET"))
    for endpoint, path in theirs.items():
        if path != own[endpoint]:
            page = person.get(path, status=None)
            assert page.status in {403, 404}, f"{role} reads {path}: {page.status}"
    token = csrf_token(person)
    own = staff_side(addresses(app, here, "POST"))
    for endpoint, path in staff_side(addresses(app, noise, "POST")).items():
        if path != own[endpoint]:
            page = person.post(path, {"csrf_token": token, **PLAUSIBLE}, status=None)
            assert page.status in {403, 404}, f"{role} changes {path}: {page.status}"
    assert snapshot(app) == before


# What some form or other would take.
PLAUSIBLE = {
    "to": "closed",
    "size": "3",
    "holder": "x",
    "name": "x",
    "reason": "x",
    "role": "administrator",
}


def csrf_token(visitor: Visitor) -> str:
    fields = visitor.get("/staff/account/").fields("/staff/sign-out")
    return fields["csrf_token"][0]


# ---------------------------------------------------------------------------------------------
# What people write, and what stands in an address
# ---------------------------------------------------------------------------------------------

MARK = "mpx7"
ATTACKS = {
    "script": f"\"'></textarea></title></script><{MARK} onload=alert(1)>",
    "template": "{{ 'sieb' + 'en' }}{% raw %}",
    "sql": "' OR '1'='1' --",
    "sql-more": "1); DROP TABLE staff; --",
    "sql-like": "%_%",
    "header": "x\r\nX-Injected: yes\r\nSet-Cookie: injected=1",
    "path": "../../../../wsgi.py",
    "path-encoded": "..%2f..%2fwsgi.py",
    "path-absolute": "/etc/passwd",
    "formula": "=cmd|' /C calc'!A0",
    "nul": "a\0b",
    "long": "长" * 900,
    "lone": "\u202e\ufeff\ufdd0",
}
# What a database may take otherwise than another one; the rest never gets that far.
FOR_DATABASES = {"sql", "sql-more", "sql-like", "nul", "long", "lone"}
# What any form of the house reads from an address.
PARAMETERS = (
    *("next", "code", "lang", "size", "by", "before", "action", "actor", "day", "page", "q"),
    *("part", "layout", "paper", "question", "area", "channel", "measure", "rubric", "signal"),
    *("state", "subject", "official", "language", "other", "with", "notice", "indicator", "share"),
    *("unit", "precision", "a.subject", "b.base", "a.composite", "survey", "object", "start"),
)
TYPED = {"text", "search", "tel", "password"}
READING = {"audit_entries", "printouts", "staff_sessions"}


def harmless(page: Page) -> Page:
    where = f"{page.response.request.method} {page.path}"
    assert page.status < 500, where
    assert f"<{MARK}" not in page.body, f"{where} shows what was written as HTML"
    assert "sieben" not in page.body, f"{where} took what was written for a template"
    assert "X-Injected" not in page.response.headers, where
    assert "injected=1" not in page.response.headers.getlist("Set-Cookie"), where
    data = page.response.get_data()
    assert b"create_app" not in data, f"{where} hands out a file of ours"
    assert b"root:" not in data, f"{where} hands out a file of the system's"
    return page


def walks(house: House) -> list[tuple[Visitor, list[str]]]:
    """Return a resident and the person who reaches the most, each with the pages of their side."""
    everywhere = addresses(house.app, house.world.here, "GET")
    staff = staff_side(everywhere)
    public = [path for endpoint, path in everywhere.items() if endpoint not in staff]
    administrator = member(house, Role.ADMINISTRATOR, house.world.here)
    return [(Visitor(house.app), public), (administrator, list(staff.values()))]


def texts_for(house: House) -> list[str]:
    """Return every attack on the first database, and on the other one what it may mind."""
    if house.settings.database_url.startswith("sqlite"):
        return list(ATTACKS.values())
    return [text for name, text in ATTACKS.items() if name in FOR_DATABASES]


def rows_but_reading(app: Flask) -> Snapshot:
    """Return every row, but those that say that somebody read something."""
    unread = snapshot(app)
    return {name: rows for name, rows in unread.items() if name not in READING}


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it stands on a page: where it goes, what it would send, and what takes words."""

    target: str
    sent: dict[str, list[str]]
    typed: list[str]


def forms_on(page: Page) -> Iterator[Form]:
    for form in page.html.all("form", method="post"):
        action = form.attributes.get("action", "")
        typed = [
            each.attributes["name"]
            for each in form
            if each.tag in {"input", "textarea"} and each.attributes.get("type", "text") in TYPED
        ]
        if typed:
            target = page.path + action if action.startswith("?") else action or page.path
            yield Form(target, _sent_by(form), typed)


def test_what_people_write_stays_text(house: House) -> None:
    """Write every attack into every field of every form, then read every page."""
    written, walking = 0, walks(house)
    for person, paths in walking:
        for form in [each for path in paths for each in forms_on(person.get(path, status=None))]:
            for text in texts_for(house):
                sent = {**form.sent, **dict.fromkeys(form.typed, text)}
                harmless(person.post(form.target, sent, status=None))
            written += len(form.typed)
    assert written > 8
    for person, paths in walking:
        for path in paths:
            harmless(person.get(path, status=None))


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_stands_in_an_address_finds_and_changes_nothing(attack: str, house: House) -> None:
    app = house.app
    known = values(app, house.world.here)
    text = quote(ATTACKS[attack], safe="")
    paths = set()
    for rule in app.url_map.iter_rules():
        words = {name for name in rule.arguments if isinstance(known[name], str)}
        if "GET" in (rule.methods or ()) and words:
            marked = {name: "mpw" if name in words else known[name] for name in rule.arguments}
            with app.test_request_context(), suppress(ValueError):  # a word of a closed list
                path = app.url_for(rule.endpoint, **marked)  # type: ignore[arg-type]
                paths.add(path.replace("mpw", text))
    assert len(paths) > 5
    people = [person for person, _paths in walks(house)]
    before = rows_but_reading(app)
    for person in people:
        for path in paths:
            page = harmless(person.get(path, status=None))
            assert page.status in {302, 303, 308, 403, 404, 422}, f"{path}: {page.status}"
    assert rows_but_reading(app) == before


def test_what_is_asked_in_an_address_changes_nothing(house: House) -> None:
    app, walking = house.app, walks(house)
    for person, paths in walking:
        for path in paths:
            person.get(path, status=None)  # the first look opens a card
    before = rows_but_reading(app)
    for person, paths in walking:
        for path in paths:
            for text in texts_for(house):
                page = harmless(person.get(path, status=None, **dict.fromkeys(PARAMETERS, text)))
                if page.status in {302, 303}:
                    assert re.match(r"/(?!/)|\?", page.location), f"{path} leads to {page.location}"
    assert rows_but_reading(app) == before


# ---------------------------------------------------------------------------------------------
# More than a form asks for
# ---------------------------------------------------------------------------------------------

# Columns that a form never sets, with values that would show.
EXTRAS = {
    "id": "999",
    "survey_id": "999",
    "staff_id": "1",
    "state": "open",
    "is_demo": "1",
    "is_closed": "0",
    "must_change_password": "",
    "password_hash": "x",
    "code_hash": "x",
    "channel": "interviewed",
    "origin": "replayed",
    "received_hour": "2020-01-01",
    "receipt": "ABCDEFGHJKMN",
    "digest": "0" * 64,
    "batch_id": "999",
    "seed": "0" * 32,
}


def test_more_fields_than_a_form_has_set_nothing(house: House, evaluator: Visitor) -> None:
    path = "/desk/surveys/new"
    asked = {"title": "新的调查", **NOTICE_FIELDS}
    evaluator.post(path, {**evaluator.get(path).fields(), **asked, **EXTRAS})
    with house.app.app_context(), reading() as session:
        made = session.scalars(select(Survey).where(Survey.title == "新的调查")).one()
    assert made.state is SurveyState.DRAFT
    assert made.id != int(EXTRAS["id"])


def test_more_fields_than_a_card_has_set_nothing(house: House, visitor: Visitor) -> None:
    here = house.world.here
    path = f"/s/{here.codes[0]}"
    sent = {**answers(), **visitor.open_form(path), "_end": "1", **EXTRAS}
    page = visitor.post(path, sent)
    (stored,) = [one for one in submissions(house.app, here.survey) if one.receipt == page.receipt]
    assert (stored.channel, stored.origin) == (Channel.SCANNED, Origin.COLLECTED)
    assert (stored.survey_id, stored.batch_id) == (here.survey, here.batch)
    assert stored.receipt != EXTRAS["receipt"]
    assert stored.digest != EXTRAS["digest"]


def test_signing_in_with_somebody_elses_cookie_leaves_them_outside(
    house: House, visitor: Visitor
) -> None:
    """Session fixation: the attacker's own cookie, planted in another's browser."""
    attacker = member(house, Role.FIELDWORKER, house.world.noise)
    planted = attacker.client.get_cookie("staff")
    assert planted is not None
    visitor.client.set_cookie("staff", planted.value)
    visitor.sign_in(EVALUATOR)
    mine = visitor.client.get_cookie("staff")
    assert mine is not None
    assert mine.value != planted.value
    attacker.get("/desk/", status=303)
