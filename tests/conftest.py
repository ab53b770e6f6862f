"""Both databases, a zone that is always noise, and the one door to every page."""

import gzip
import hashlib
import os
import re
import secrets
import sqlite3
import sys
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from click.testing import Result
from flask import Flask
from hypothesis import settings as hypothesis_settings
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import URL, make_url, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.config import Keys, Mode, PasswordRules, SecondFactor, Settings
from app.db import current_engine, reading, transaction
from app.models import (
    Area,
    Base,
    Batch,
    Card,
    CardState,
    Channel,
    Poster,
    Role,
    Staff,
    Submission,
    Survey,
    SurveyState,
)
from app.services import (
    areas,
    cards,
    collecting,
    devices,
    entries,
    evaluations,
    evidence_files,
    ledger,
    publishing,
    rubrics,
)
from surveys.answers import check
from surveys.library import bundled

# A busy machine is slow at times; how long an example took says nothing about the code.
hypothesis_settings.register_profile("minping", hypothesis_settings.default, deadline=None)
hypothesis_settings.load_profile("minping")

BASE_URL = "https://minping.example"
QUESTIONNAIRE = "beian-2020-fielded"
PASSWORD = "kao-yan-2026"
TOWNS = ("忠门镇", "东埔镇", "山亭镇")
NOISE_TOWNS = ("噪声镇", "杂音镇")
EVALUATOR, FIELDWORKER, ADMINISTRATOR, AUDITOR = "zhang", "li", "guanli", "hecha"
NOISE_EVALUATOR, NOISE_FIELDWORKER = "zaoyin", "zasheng"
NOW = datetime.now(UTC)

# ---------------------------------------------------------------------------------------------
# What every database holds before a test begins
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its ids, an open survey with cards in its first town and a poster, a rubric.

    Its evaluation scores its towns; in the first one (`scored`) there is one file of evidence.
    """

    area: int
    towns: tuple[int, ...]
    survey: int
    batch: int
    codes: tuple[str, ...]
    slug: str
    rubric: int
    evaluation: int = 0
    scored: int = 0
    file: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """The zone that a test is about, and one that it must never see or change."""

    here: Zone
    noise: Zone
    staff: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class House:
    """An application on its own database, which `restore` brings back to how it began.

    All tests share it; whoever changes the application itself starts another (`start_app`).
    """

    app: Flask
    world: World
    settings: Settings
    restore: Callable[[], object]


def answers(**changes: str | Sequence[str]) -> dict[str, list[str]]:
    """Answer every question of the questionnaire, but for these changes; "" leaves one blank."""
    full = {
        "q1": "aware",
        "q2": ("home_visit", "leaflet"),
        "q3": "often",
        "q4": "met",
        "q5": "fair",
        "q6": "satisfied",
        "q7": "mostly_satisfied",
        "q8": "unsure",
        "q9": "increased",
        "q10": "no_change",
        "q11": "some",
        "q12": "much_improved",
    }
    chosen = {**full, **changes}
    return {
        name: [given] if isinstance(given, str) else list(given)
        for name, given in chosen.items()
        if given
    }


NOTICE = publishing.NoticePlan(
    organiser="示范区卫健局",
    purpose="评价公共卫生服务",
    collected="选项和答题用时，不记名",
    readers="评价人员",
    contact="卫健局 0594-0000000",
    erase_at=(NOW + timedelta(days=365)).date(),
)
# The same as the desk's form sends it.
NOTICE_FIELDS = {
    name: str(getattr(NOTICE, name)) for name in (*publishing.NOTICE_TEXTS, "erase_at")
}


def plan(title: str, **changes: datetime | str) -> publishing.SurveyPlan:
    """Plan a survey that runs now."""
    made = publishing.SurveyPlan(
        title=title,
        opens_at=NOW - timedelta(days=1),
        closes_at=NOW + timedelta(days=30),
        notice=NOTICE,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def add_submissions(
    session: Session,
    survey_id: int,
    area_id: int,
    sheets: Sequence[Mapping[str, Sequence[str]]],
    keys: Keys,
    *,
    channel: Channel = Channel.PAPER,
) -> None:
    """Store answer sheets that nobody needs to send."""
    survey = publishing.find_survey(session, survey_id)
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    for raw in sheets:
        sheet = check(questionnaire, raw, accept_blanks=True)
        delivery = collecting.Delivery(uuid.uuid4(), sheet, 60)
        invitation = collecting.invite(survey, area_id, channel)
        collecting.record_submission(session, invitation, delivery, keys, NOW)


def issue_batch(
    session: Session, survey: Survey, area: Area, size: int, holder: str, keys: Keys
) -> Batch:
    """Make a batch, and hand every card of it out."""
    stamp = ledger.Stamp(FIELDWORKER, NOW)
    batch = cards.make_batch(session, survey, area, cards.BatchPlan(size, holder), keys, stamp)
    ledger.release(session, batch, stamp)
    ledger.move(session, batch, [(1, size)], CardState.ISSUED, stamp)
    return batch


def _seed_zone(
    session: Session, name: str, towns: Sequence[str], cards_made: int, keys: Keys
) -> Zone:
    root = areas.add_area(session, name)
    below = [areas.add_area(session, town, root) for town in towns]
    survey = publishing.make_survey(
        session, bundled()[QUESTIONNAIRE], root, plan(f"{name}基本公共卫生调查")
    )
    publishing.move_survey(session, survey, SurveyState.OPEN)
    batch = issue_batch(session, survey, below[0], cards_made, f"{towns[0]}卫生院", keys)
    return Zone(
        area=root.id,
        towns=tuple(town.id for town in below),
        survey=survey.id,
        batch=batch.id,
        codes=tuple(code for _serial, code in cards.card_codes(batch, keys)),
        slug=publishing.load_posters(session, survey)[0].slug,
        rubric=_seed_rubric(session, name, root),
    )


def _seed_rubric(session: Session, name: str, area: Area) -> int:
    """Store a draft of a rubric, so that every page of one can be opened."""
    text = rubrics.example_text().replace("（示范）某县", name)
    return rubrics.store_draft(session, rubrics.read_text(text, "example"), area, None, NOW).id


def _seed_last_year(
    session: Session, zone: Zone, loud: Mapping[str, Sequence[str]], keys: Keys
) -> None:
    """Make noise in the zone under test too: another survey of it, with cards and answers."""
    root, town = (session.get_one(Area, area) for area in (zone.area, zone.towns[0]))
    survey = publishing.make_survey(session, bundled()[QUESTIONNAIRE], root, plan("去年的调查"))
    publishing.move_survey(session, survey, SurveyState.OPEN)
    issue_batch(session, survey, town, 2, "去年的卫生院", keys)
    add_submissions(session, survey.id, town.id, [loud] * 3, keys)
    publishing.move_survey(session, survey, SurveyState.CLOSED)


EVALUATED_BY = "huoqiu-2020-ankang-code"
PDF = b"%PDF-1.4\n%%EOF\n"


def _seed_evaluation(session: Session, zone: Zone, staff: Staff) -> Zone:
    root = session.get_one(Area, zone.area)
    below = areas.children_of(session, root)
    survey = publishing.find_survey(session, zone.survey)
    evaluated = evaluations.EvaluationPlan(
        name=f"{root.name}绩效评价",
        year=2026,
        rubric_id=EVALUATED_BY,
        document=rubrics.find_document(session, EVALUATED_BY),
        places=below,
        others=[],
        survey=survey,
        previous=None,
        deadline=NOW + timedelta(days=30),
        erase_at=(NOW + timedelta(days=365)).date(),
    )
    made = evaluations.make_evaluation(session, root, evaluated, NOW)
    first = evaluations.find_object(session, evaluations.load_objects(session, made)[0].id, root)
    author = entries.Author(staff, NOW)
    file = evidence_files.add_evidence(session, first, "1", f"{root.name}佐证.pdf", PDF, author)
    return replace(zone, evaluation=made.id, scored=first.id, file=file.id)


def _seed(session: Session, keys: Keys, password_hash: str) -> World:
    # The noise comes first, so that no id of the zone under test is 1 by chance.
    noise = _seed_zone(session, "噪声开发区", NOISE_TOWNS, 5, keys)
    loud = answers(q1="unaware", q3="never", q4="not_met", q12="not_improved")
    add_submissions(session, noise.survey, noise.towns[0], [loud] * 7, keys)
    here = _seed_zone(session, "北岸经济开发区", TOWNS, 6, keys)
    _seed_last_year(session, here, loud, keys)
    staff = [
        Staff(name=name, role=role, area_id=area, password_hash=password_hash, is_demo=False)
        for name, role, area in (
            (EVALUATOR, Role.EVALUATOR, here.area),
            (FIELDWORKER, Role.FIELDWORKER, here.towns[0]),
            (ADMINISTRATOR, Role.ADMINISTRATOR, here.area),
            (AUDITOR, Role.AUDITOR, here.area),
            (NOISE_EVALUATOR, Role.EVALUATOR, noise.area),
            (NOISE_FIELDWORKER, Role.FIELDWORKER, noise.area),
        )
    ]
    session.add_all(staff)
    session.flush()
    by_name = {each.name: each for each in staff}
    here = _seed_evaluation(session, here, by_name[EVALUATOR])
    noise = _seed_evaluation(session, noise, by_name[NOISE_EVALUATOR])
    return World(here, noise, {each.name: each.id for each in staff})


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys(*(secrets.token_bytes(32) for _ in Keys.__slots__))


@pytest.fixture(scope="session")
def password_hash() -> str:
    """One cheap hash for all: Argon2 states its cost in the hash, so verifying is cheap too."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


# ---------------------------------------------------------------------------------------------
# The two databases
# ---------------------------------------------------------------------------------------------

_POSTGRES = make_url(
    os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres")
)


def make_settings(url: str, folder: Path, keys: Keys) -> Settings:
    return Settings(
        database_url=url,
        redis_url="",
        instance=folder,
        mode=Mode.DEMO,
        base_url=BASE_URL,
        trusted_proxies=0,
        cookie_secure=True,
        font=None,
        keys=keys,
        second_factor=SecondFactor.OFF,  # the tests of the second factor require it
        password_rules=PasswordRules.DJCP,
    )


class _Compiled(BytecodeCache):
    """Templates that one application compiled, for all the others of this run."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.known:
            bucket.bytecode_from_string(self.known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.known[bucket.key] = bucket.bytecode_to_string()


_compiled = _Compiled()


def make_app(settings: Settings) -> Flask:
    app = create_app(settings)
    app.jinja_env.bytecode_cache = _compiled
    # What nobody expected comes to the test as itself, not as a page with status 500.
    app.testing = True
    # The test client speaks https, as phones do: cookies are only sent over it.
    app.config["PREFERRED_URL_SCHEME"] = "https"
    return app


def dispose(app: Flask) -> None:
    with app.app_context():
        current_engine().dispose()


def migrate(settings: Settings) -> None:
    app = make_app(settings)
    with app.app_context():
        app.extensions["alembic"].upgrade()
    dispose(app)


def _connect(database: str | None = None) -> psycopg.Connection:
    name = database or _POSTGRES.database or "postgres"
    address = _POSTGRES.set(drivername="postgresql", database=name)
    text = address.render_as_string(hide_password=False)
    return psycopg.connect(text, autocommit=True, connect_timeout=3)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL server that makes databases for this run and takes them away again."""

    made: list[str] = field(default_factory=list)

    def make_database(self, name: str) -> URL:
        name = f"minping_test_{os.getpid()}{name}"
        self.drop(name)
        with closing(_connect()) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
            # What a test stores need not survive a power cut.
            connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        self.made.append(name)
        return _POSTGRES.set(database=name)

    def drop(self, name: str) -> None:
        with closing(_connect()) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    try:
        _connect().close()
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL at {_POSTGRES!r} (TEST_POSTGRES_URL): {error}"
        if os.environ.get("REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = PostgresServer()
    yield server
    for name in server.made:
        server.drop(name)


_TABLES = tuple(table.name for table in Base.metadata.sorted_tables)
# S608: the names in these statements are our tables'.
_KEEP = "; ".join(
    f"CREATE TABLE seed.{each} AS SELECT * FROM {each}"  # noqa: S608
    for each in _TABLES
)
# DELETE, not TRUNCATE: on small tables it is ten times as fast, and ids that go on counting are
# ids that no test can rely on.
_RESTORE = "; ".join(
    [
        "BEGIN",
        *(f"DELETE FROM {each}" for each in reversed(_TABLES)),  # noqa: S608
        *(f"INSERT INTO {each} SELECT * FROM seed.{each}" for each in _TABLES),  # noqa: S608
        "COMMIT",
    ]
)
Execute = Callable[[str], object]


def _open_house(settings: Settings, execute: Execute, password_hash: str) -> Iterator[House]:
    """Make tables and seed once, and remember the seed; each test begins with it."""
    migrate(settings)
    app = make_app(settings)
    with app.app_context(), transaction() as session:
        world = _seed(session, settings.keys, password_hash)
    execute(_KEEP)
    yield House(app, world, settings, lambda: execute(_RESTORE))
    dispose(app)


@pytest.fixture(scope="session")
def sqlite_house(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, password_hash: str
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("sqlite")
    settings = make_settings(f"sqlite:///{folder / 'minping.sqlite3'}", folder, keys)
    # The library that the application uses: two of them in one process overlook each other's locks.
    driver = sys.modules.get("pysqlite3", sqlite3)
    with closing(driver.connect(folder / "minping.sqlite3", isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS seed", [str(folder / "seed.sqlite3")])
        yield from _open_house(settings, connection.executescript, password_hash)


@pytest.fixture(scope="session")
def postgres_house(
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    keys: Keys,
    password_hash: str,
) -> Iterator[House]:
    url = postgres_server.make_database("")
    text = url.render_as_string(hide_password=False)
    settings = make_settings(text, tmp_path_factory.mktemp("postgres"), keys)
    with closing(_connect(url.database)) as connection:
        connection.execute("CREATE SCHEMA seed")
        yield from _open_house(settings, connection.execute, password_hash)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def house(backend: str, request: pytest.FixtureRequest) -> House:
    fixture = "sqlite_house" if backend == "sqlite" else "postgres_house"
    house: House = request.getfixturevalue(fixture)
    house.restore()
    house.app.extensions["limits"].storage.reset()
    return house


@pytest.fixture
def app(house: House) -> Flask:
    return house.app


@pytest.fixture
def world(house: House) -> World:
    return house.world


@pytest.fixture
def here(world: World) -> Zone:
    return world.here


@pytest.fixture
def noise(world: World) -> Zone:
    return world.noise


StartApp = Callable[..., Flask]


@pytest.fixture
def start_app(house: House) -> Iterator[StartApp]:
    """Start the application again on the same database with other settings."""
    started: list[Flask] = []

    def start(**changes: object) -> Flask:
        app = make_app(replace(house.settings, **changes))  # type: ignore[arg-type]
        started.append(app)
        return app

    yield start
    for app in started:
        dispose(app)


Command = Callable[..., Result]


@pytest.fixture
def flask(app: Flask) -> Command:
    """Run a command that should end well, or with this status."""
    return command_of(app)


def command_of(app: Flask) -> Command:
    def run(*arguments: object, status: int = 0) -> Result:
        result = app.test_cli_runner().invoke(args=[str(each) for each in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run


Snapshot = dict[str, list[str]]


def snapshot(app: Flask) -> Snapshot:
    """Return every row of every table as text."""
    with app.app_context(), reading() as session:
        return {
            table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
        }


def submissions(app: Flask, survey_id: int) -> Sequence[Submission]:
    with app.app_context(), reading() as session:
        return session.scalars(select(Submission).where(Submission.survey_id == survey_id)).all()


def card_states(app: Flask, batch_id: int) -> list[CardState]:
    with app.app_context(), reading() as session:
        query = select(Card.state).where(Card.batch_id == batch_id).order_by(Card.serial)
        return list(session.scalars(query))


def void_card(app: Flask, batch_id: int, serial: int) -> None:
    with app.app_context(), transaction() as session:
        batch, stamp = cards.find_batch(session, batch_id), ledger.Stamp(FIELDWORKER, NOW)
        handover = ledger.Handover(reason="印坏了")
        ledger.move(session, batch, [(serial, serial)], CardState.VOID, stamp, handover)


def change_survey(app: Flask, survey_id: int, **changes: object) -> None:
    """Set columns of a survey past every rule."""
    with app.app_context(), transaction() as session:
        survey = session.get_one(Survey, survey_id)
        for name, value in changes.items():
            setattr(survey, name, value)


def slugs(app: Flask, survey_id: int) -> dict[int, str]:
    """Return the poster links of a survey by area."""
    with app.app_context(), reading() as session:
        query = select(Poster.area_id, Poster.slug).where(Poster.survey_id == survey_id)
        return {area: slug for area, slug in session.execute(query)}  # noqa: C416 - rows, not pairs


def finish_wiping(app: Flask) -> None:
    """Wipe the traces of order, again if told to: the server may be busy in other databases."""
    for _attempt in range(6):
        result = app.test_cli_runner().invoke(args=["retention", "mix"])
        if result.exit_code == 0:
            break
    assert result.exit_code == 0, result.output


def make_cards(app: Flask, zone: Zone, size: int, keys: Keys) -> tuple[int, list[str]]:
    """Make another batch; return its id and its codes."""
    with app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, zone.survey)
        area = session.get_one(Area, zone.towns[0])
        batch = issue_batch(session, survey, area, size, "村委会", keys)
    return batch.id, [code for _serial, code in cards.card_codes(batch, keys)]


# ---------------------------------------------------------------------------------------------
# The one door to every page
# ---------------------------------------------------------------------------------------------

_VOID = {"meta", "link", "input", "img", "br", "hr", "col"}
_STAFF_SIDE = ("/desk", "/field", "/staff")
_LARGEST_PAGE = 15 * 1024


@dataclass(slots=True)
class Element:
    """One element of a page; `children` holds elements and texts in order."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    def __iter__(self) -> Iterator["Element"]:
        """Walk over everything below this element, in the order of the page."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Return the elements with this tag and these attributes."""
        wanted = attributes.items()
        return [each for each in self if each.tag == tag and wanted <= each.attributes.items()]

    def within(self, tag: str) -> bool:
        above = self.parent
        while above is not None and above.tag != tag:
            above = above.parent
        return above is not None

    def rows(self) -> dict[str, list[str]]:
        """Return the cells of every table row by the text of its first cell."""
        read = [
            [cell.text for cell in row.children if isinstance(cell, Element)]
            for row in self.all("tr")
        ]
        return {row[0]: row[1:] for row in read}

    @property
    def text(self) -> str:
        """Return what can be read here, with single blanks."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self._open = Element("document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), f"<{tag}> names an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in _VOID:
            self._open = element

    def handle_endtag(self, tag: str) -> None:
        assert self._open.tag == tag, f"</{tag}> closes <{self._open.tag}>: mend the template"
        assert self._open.parent is not None
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


def read_html(text: str) -> Element:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader._open is reader.root, f"<{reader._open.tag}> is never closed: mend the template"
    return reader.root


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the server, read."""

    path: str
    response: TestResponse
    size: int
    body: str
    html: Element

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def location(self) -> str:
        return self.response.headers["Location"]

    @property
    def text(self) -> str:
        """Return what can be read in the page's main part."""
        (main,) = self.html.all("main")
        return main.text

    @property
    def receipt(self) -> str:
        """Return the receipt that the page shows, or leads to."""
        if self.status == 303:
            assert self.location.startswith("/r/"), f"{self.path} leads to {self.location}"
            return self.location.removeprefix("/r/")
        return next(
            each.attributes["data-receipt"] for each in self.html.all("p", **{"class": "r"})
        )

    @property
    def errors(self) -> str:
        """Return what stands beside the fields of a staff form."""
        notes = [
            each for each in self.html if "invalid-feedback" in each.attributes.get("class", "")
        ]
        return " ".join(note.text for note in notes)

    def fields(self, action: str | None = None) -> dict[str, list[str]]:
        """Return what the page's form would send as it stands: chosen by action, or by method."""
        forms = [
            form
            for form in self.html.all("form", method="post")
            if form.attributes.get("action") == action
            # The resident's form goes to its own page under another address (app/headers.py).
            or (action is None and form.attributes.get("action", "").startswith("?sent"))
        ]
        assert len(forms) == 1, f"{self.path} has {len(forms)} forms with action {action}"
        return _sent_by(forms[0])


def _sent_by(form: Element) -> dict[str, list[str]]:
    sent: dict[str, list[str]] = {}
    for each in form:
        name, kind = each.attributes.get("name"), each.attributes.get("type", "text")
        value: str | None = None
        if each.tag == "input" and (
            kind not in {"radio", "checkbox"} or "checked" in each.attributes
        ):
            value = each.attributes.get("value", "")
        elif each.tag == "textarea":
            value = "".join(child for child in each.children if isinstance(child, str)).strip()
        elif each.tag == "select":
            options = each.all("option")
            chosen = [option for option in options if "selected" in option.attributes]
            value = (chosen or options)[0].attributes["value"]
        if name and value is not None:
            sent.setdefault(name, []).append(value)
    return sent


class Visitor:
    """A browser with its own cookies. Whatever it fetches is also checked (`_look_over`)."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def get(self, path: str, *, status: int | None = 200, **query: str) -> Page:
        packed = {"Accept-Encoding": "gzip"}
        response = self.client.get(path, query_string=query or None, headers=packed)
        return _read(path, response, status)

    def post(
        self,
        path: str,
        fields: Mapping[str, Sequence[str] | str],
        *,
        status: int | None = 303,
        referer: str | None = "https://localhost/",
    ) -> Page:
        headers = {"Accept-Encoding": "gzip"} | ({"Referer": referer} if referer else {})
        response = self.client.post(path, data=dict(fields), headers=headers)
        return _read(path, response, status)

    def fill(
        self,
        path: str,
        *,
        status: int | None = 303,
        action: str | None = None,
        **changes: str | Sequence[str],
    ) -> Page:
        """Open a page, fill its form as a person would, and send it."""
        fields = self.get(path).fields(action)
        return self.post(action or path, {**fields, **changes}, status=status)

    def open_form(self, path: str) -> dict[str, list[str]]:
        """Open a resident's form and return its token and key, and who fills it in."""
        fields = self.get(path).fields()
        return {name: fields[name] for name in ("_token", "key", "_by")}

    def submit(
        self,
        path: str,
        given: Mapping[str, Sequence[str]] | None = None,
        form: Mapping[str, Sequence[str]] | None = None,
        *,
        status: int | None = 303,
        **changes: str,
    ) -> Page:
        """Send answers with a form that was opened before, or with a fresh one."""
        hidden = self.open_form(path) if form is None else form
        sent = {**(answers() if given is None else given), **hidden, "_end": ["1"], **changes}
        return self.post(path, sent, status=status)

    def sign_in(self, name: str, password: str = PASSWORD, *, status: int = 303) -> Page:
        return self.fill("/staff/sign-in", name=name, password=password, status=status)


def _read(path: str, response: TestResponse, status: int | None) -> Page:
    raw = response.get_data()
    plain = gzip.decompress(raw) if response.headers.get("Content-Encoding") == "gzip" else raw
    is_html = response.mimetype == "text/html"
    body = plain.decode("utf-8") if is_html or response.mimetype == "application/json" else ""
    is_page = is_html and not 300 <= response.status_code < 400
    page = Page(path, response, len(raw), body, read_html(body) if is_page else Element("none", {}))
    assert status is None or page.status == status, (
        f"{response.request.method} {path}: {page.status}, not {status}: "
        f"{page.text if is_page else page.response.headers}"
    )
    _look_over_headers(page)
    if is_page:
        _look_over(page)
    return page


def _look_over_headers(page: Page) -> None:
    headers = page.response.headers
    where = f"{page.path} ({page.status})"
    policy = headers.get("Content-Security-Policy", "")
    assert policy.startswith("default-src 'none'"), f"{where}: no strict CSP; see app/headers.py"
    assert "unsafe" not in policy, f"{where}: CSP lets inline code in"
    assert "frame-ancestors 'none'" in policy, f"{where}: may be framed"
    assert headers.get("X-Content-Type-Options") == "nosniff", f"{where}: see app/headers.py"
    assert headers.get("Strict-Transport-Security"), f"{where}: https without HSTS"
    assert headers.get("Cache-Control"), f"{where}: says nothing about caches"
    if not page.path.startswith(_STAFF_SIDE) and page.response.request.method == "GET":
        assert "Set-Cookie" not in headers, f"{where}: viewing must leave no cookie"


def _look_over(page: Page) -> None:
    html, where = page.html, f"{page.path} ({page.status})"
    assert page.body.lower().startswith("<!doctype html>"), f"{where}: begin with the doctype"
    assert [each.attributes.get("lang") for each in html.all("html")] in (["zh-CN"], ["en"]), where
    assert html.all("meta", name="viewport"), f"{where}: phones need a viewport"
    assert len(html.all("h1")) == 1, f"{where}: exactly one h1, please"
    assert [each for each in html.all("title") if each.text], f"{where}: the title is empty"
    ids = [each.attributes["id"] for each in html if "id" in each.attributes]
    assert len(ids) == len(set(ids)), f"{where}: ids occur twice: {sorted(ids)}"
    _look_over_references(page, set(ids), where)
    _look_over_forms(html, where)
    for each in html:
        handlers = [name for name in each.attributes if name.startswith("on")]
        assert not handlers, f"{where}: no inline handlers, CSP blocks them: {each.tag} {handlers}"
        assert "style" not in each.attributes, f"{where}: CSP blocks style=, use a class"
        assert each.tag != "img" or "alt" in each.attributes, f"{where}: an image without alt"
    if not page.path.startswith(_STAFF_SIDE):
        _look_over_residents(page, where)


def _look_over_references(page: Page, ids: set[str], where: str) -> None:
    for each in page.html:
        named = each.attributes.get("aria-describedby", "").split()
        named += re.findall(r"^#(.+)", each.attributes.get("href", ""))
        named += [each.attributes["for"]] if "for" in each.attributes else []
        assert set(named) <= ids, f"{where}: <{each.tag}> refers to {set(named) - ids}"


def _look_over_forms(html: Element, where: str) -> None:
    labelled = {each.attributes.get("for") for each in html.all("label")}
    for form in html.all("form"):
        method = form.attributes.get("method")
        assert method in {"get", "post"}, f"{where}: a form without a method"
        names = {each.attributes.get("name") for each in form.all("input")}
        if method == "post":
            assert names & {"csrf_token", "_token"}, f"{where}: a form without its token"
    for each in html:
        if each.tag in {"input", "select", "textarea"} and each.attributes.get("type") != "hidden":
            is_labelled = each.attributes.get("id") in labelled or each.within("label")
            assert is_labelled, f"{where}: {each.attributes.get('name')} has no label"


def _look_over_residents(page: Page, where: str) -> None:
    html, headers = page.html, page.response.headers
    for each in html:
        for name in ("href", "src", "action"):
            address = each.attributes.get(name, "")
            assert not re.match(r"(\w+:)?//", address), f"{where}: an external address, {address}"
    assert headers.get("Content-Encoding") == "gzip", f"{where}: sent uncompressed"
    assert page.size <= _LARGEST_PAGE, f"{where}: {page.size} bytes, more than one round trip"
    for part in [*html.all("style"), *html.all("script")]:
        text = "".join(child for child in part.children if isinstance(child, str))
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed = headers["Content-Security-Policy"]
        assert f"{part.tag}-src 'sha256-{digest}'" in allowed, (
            f"{where}: CSP refuses its {part.tag}"
        )


NewVisitor = Callable[[], Visitor]


@pytest.fixture
def new_visitor(app: Flask) -> NewVisitor:
    """Give another browser to another person."""
    return lambda: Visitor(app)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A resident, or anybody else without an account."""
    return Visitor(app)


def _signed_in(house: House, name: str) -> Visitor:
    # Past the form, which tests/app/test_signing_in.py walks through: it takes three requests.
    visitor = Visitor(house.app)
    with house.app.app_context(), transaction() as session:
        staff = session.get_one(Staff, house.world.staff[name])
        token = devices.open_session(session, staff, datetime.now(UTC))
    with visitor.client.session_transaction() as cookie:
        cookie["token"] = token
    return visitor


@pytest.fixture
def evaluator(house: House) -> Visitor:
    return _signed_in(house, EVALUATOR)


@pytest.fixture
def fieldworker(house: House) -> Visitor:
    return _signed_in(house, FIELDWORKER)


@pytest.fixture
def administrator(house: House) -> Visitor:
    return _signed_in(house, ADMINISTRATOR)


@pytest.fixture
def auditor(house: House) -> Visitor:
    return _signed_in(house, AUDITOR)


@pytest.fixture
def outsider(house: House) -> Visitor:
    """The evaluator of the other zone."""
    return _signed_in(house, NOISE_EVALUATOR)


@pytest.fixture
def outside_fieldworker(house: House) -> Visitor:
    """The fieldworker of the other zone."""
    return _signed_in(house, NOISE_FIELDWORKER)
