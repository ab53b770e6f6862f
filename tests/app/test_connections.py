"""How a connection is set up, and where a transaction begins and ends."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from app import db
from app.db import current_engine, journal_settings, reading, sqlite_version, transaction
from app.errors import NotFound
from app.models import Area, Card, CardState, Submission, Survey
from app.services import areas
from tests.conftest import House, Zone, change_survey, snapshot, submissions

SAFE, SLOW = ("WAL", "FULL"), ("DELETE", "EXTRA")
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        ("3.53.4", SAFE),
        ("3.51.3", SAFE),
        ("3.51.2", SLOW),
        ("3.51.0", SLOW),
        ("3.50.8", SAFE),
        ("3.50.7", SAFE),
        ("3.50.6", SLOW),
        ("3.46.0", SLOW),
        ("3.45.0", SLOW),
        ("3.44.6", SAFE),
        ("3.44.5", SLOW),
        ("3.40.1", SLOW),
    ],
)
def test_the_journal_is_durable_on_every_version(version: str, settings: tuple[str, str]) -> None:
    assert journal_settings(tuple(map(int, version.split(".")))) == settings


@on_sqlite
def test_the_settings_are_in_force_on_every_connection(app: Flask) -> None:
    journal, synchronous = journal_settings(sqlite_version())
    with app.app_context():
        connections = [current_engine().connect() for _ in range(3)]
    for connection in connections:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
        connection.close()
        level = {"FULL": 2, "EXTRA": 3}[synchronous]
        assert found == [journal.lower(), level, 1, 5000]


@on_sqlite
def test_submissions_have_no_row_numbers(app: Flask) -> None:
    """A row number would tell the order of arrival."""
    with app.app_context(), reading() as session, pytest.raises(Exception, match="no such column"):
        session.execute(text("SELECT rowid FROM submissions"))


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_commit_waits_for_the_disk_unless_the_server_says_otherwise(app: Flask) -> None:
    with app.app_context(), reading() as session:
        source = session.execute(
            text("SELECT source FROM pg_settings WHERE name = 'synchronous_commit'")
        ).scalar_one()
    assert source == "database"  # set by these tests; the application itself leaves it alone


def test_a_transaction_is_kept_at_its_end(app: Flask) -> None:
    with app.app_context():
        with transaction() as session:
            made = areas.add_area(session, "示范县").id
        with reading() as session:
            assert session.get_one(Area, made).name == "示范县"


def test_a_transaction_that_fails_leaves_nothing(app: Flask) -> None:
    def fail() -> None:
        with transaction() as session:
            areas.add_area(session, "示范县")
            raise KeyError

    before = snapshot(app)
    with app.app_context(), pytest.raises(KeyError):
        fail()
    assert snapshot(app) == before


def test_what_is_done_while_reading_is_not_kept(app: Flask) -> None:
    before = snapshot(app)
    with app.app_context(), reading() as session:
        areas.add_area(session, "示范县")
    assert snapshot(app) == before


def test_the_database_keeps_its_references(app: Flask) -> None:
    card = {"batch_id": 0, "serial": 1, "code_hash": b"x" * 32, "state": CardState.ISSUED}
    with app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.execute(insert(Card).values(card))


def test_the_database_keeps_its_words(app: Flask, here: Zone) -> None:
    statement = text("UPDATE surveys SET state = 'happy' WHERE id = :id")
    with app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.execute(statement, {"id": here.survey})


def test_an_instant_comes_back_in_utc(app: Flask, here: Zone) -> None:
    change_survey(app, here.survey, opens_at=datetime.fromisoformat("2026-11-01T08:00+08:00"))
    with app.app_context(), reading() as session:
        found = session.get_one(Survey, here.survey).opens_at
    assert found == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_an_instant_without_a_zone_is_a_bug(app: Flask, here: Zone) -> None:
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(StatementError, match="without a zone"):
        change_survey(app, here.survey, opens_at=naive)


def test_a_branch_is_found_by_its_path_alone(app: Flask, here: Zone, noise: Zone) -> None:
    """Area 1 must not contain area 12: the slash at the end of a path says so."""
    with app.app_context(), transaction() as session:
        for number in range(12):
            areas.add_area(session, f"第{number}县")
        root = session.get_one(Area, noise.area)
        assert {area.id for area in areas.load_branch(session, root)} == {noise.area, *noise.towns}
    assert here.area != noise.area


def test_an_area_outside_the_branch_is_not_found(app: Flask, here: Zone, noise: Zone) -> None:
    with app.app_context(), reading() as session:
        root = session.get_one(Area, here.area)
        assert areas.find_area(session, here.towns[2], root).name == "山亭镇"
        with pytest.raises(NotFound):
            areas.find_area(session, noise.towns[0], root)


@on_sqlite
def test_whoever_may_write_holds_the_lock_from_the_beginning(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that read first could not wait for another process when it writes."""
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0)
    other = db.make_engine(house.settings.database_url)
    writing = other.connect().execution_options(**{db._BEGIN: "BEGIN IMMEDIATE"})
    with house.app.app_context(), transaction(), pytest.raises(OperationalError, match="locked"):
        writing.exec_driver_sql("SELECT 1")
    writing.close()
    other.dispose()


def test_a_receipt_stands_once(app: Flask, noise: Zone) -> None:
    first, second, *_others = submissions(app, noise.survey)
    statement = update(Submission).where(Submission.key == first.key)
    with app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.execute(statement.values(receipt=second.receipt))
