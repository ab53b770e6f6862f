"""Migrations on both databases: up, down with data, and equal to the models."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_alembic import Alembic
from sqlalchemy import inspect, select, text

from app.config import Keys
from app.db import current_engine, reading, transaction
from app.models import Base, SignIn, SignInOutcome, Staff, StaffSession
from app.services import areas, devices, second_factor
from tests.conftest import PostgresServer, dispose, make_app, make_settings


@pytest.fixture
def empty(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path, keys: Keys
) -> Iterator[Flask]:
    """The application on a database without tables, in its context."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    if backend == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.make_database("_migrations").render_as_string(hide_password=False)
    app = make_app(make_settings(url, tmp_path, keys))
    with app.app_context():
        yield app
    dispose(app)


@pytest.fixture
def alembic(empty: Flask) -> Alembic:
    found: Alembic = empty.extensions["alembic"]
    return found


def tables() -> set[str]:
    return set(inspect(current_engine()).get_table_names()) - {"alembic_version"}


def test_migrations_make_every_table_and_take_it_away(alembic: Alembic) -> None:
    alembic.upgrade()
    assert tables() == set(Base.metadata.tables)
    with transaction() as session:
        areas.add_area(session, "示范镇", areas.add_area(session, "示范县"))
    alembic.downgrade("base")
    assert tables() == set()
    alembic.upgrade()
    assert tables() == set(Base.metadata.tables)


_AREA = "INSERT INTO areas (id, name, path) VALUES (1, '示范县', '1/')"


def test_accounts_survive_the_second_factor(alembic: Alembic, keys: Keys) -> None:
    """Up with accounts, sessions and tries from before; down with what came since."""
    alembic.upgrade("1795356428")
    with transaction() as session:
        session.execute(text(_AREA))
        staff = text(
            "INSERT INTO staff (id, name, password_hash, role, area_id, is_demo, is_closed, "
            "must_change_password, failed_sign_ins) "
            "VALUES (:id, :name, 'x', 'auditor', :area, false, false, :initial, 0)"
        )
        for number, name, is_initial in ((1, "li", False), (2, "wang", True)):
            row = {"id": number, "name": name, "area": 1, "initial": is_initial}
            session.execute(staff, row)
        session.execute(
            text(
                "INSERT INTO staff_sessions (token_hash, staff_id, started_at, seen_at) "
                "VALUES (:token, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
            ),
            {"token": b"1" * 32},
        )
        session.add(SignIn(staff_id=1, at=datetime.now(UTC), outcome=SignInOutcome.SIGNED_IN))
    alembic.upgrade()
    with transaction() as session:
        li, wang = (session.get_one(Staff, number) for number in (1, 2))
        assert li.password_changed_at is not None
        assert abs(li.password_changed_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert (wang.password_changed_at, li.factor_seed) == (None, None)
        assert not session.scalars(select(StaffSession)).one().is_half
        outcomes = list(SignInOutcome)
        for outcome in outcomes:
            session.add(SignIn(staff_id=1, at=datetime.now(UTC), outcome=outcome))
        devices.open_session(session, li, datetime.now(UTC), SignInOutcome.ASKED_FOR_CODE)
        second_factor.replace_recovery_codes(session, keys, li)
    alembic.downgrade("1795356428")
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM staff_sessions")) == 1
        query = text("SELECT DISTINCT outcome FROM sign_ins")
        assert set(session.scalars(query)) == {"signed_in", "refused", "locked"}
    alembic.upgrade()


def test_the_models_are_what_the_migrations_make(alembic: Alembic) -> None:
    alembic.upgrade()
    assert alembic.compare_metadata() == [], "run: flask --app wsgi db revision"


def test_a_survey_from_before_keeps_its_notice_and_its_answers(alembic: Alembic) -> None:
    alembic.upgrade("1795356428")
    with transaction() as session:
        for statement in (_AREA, *_BEFORE_NOTICES, _SUBMISSION):
            session.connection().exec_driver_sql(statement.replace("AREA", "1"))
    alembic.upgrade("1795361696")
    with reading() as session:
        row = session.connection().exec_driver_sql(
            "SELECT purpose, organiser, contact, erase_at, s.notice_number, a.notice_number"
            " FROM surveys s JOIN notices n ON n.survey_id = s.id AND n.number = s.notice_number"
            " JOIN submissions a ON a.survey_id = s.id"
        )
        purpose, organiser, contact, erase_at, shown, answered = row.one()
    assert (purpose, organiser, contact) == ("不记名", "", "卫健局")
    # The end is already 1 January in Beijing.
    assert str(erase_at) == "2028-01-01"
    assert shown == answered == 1
    alembic.downgrade("1795356428")
    with reading() as session:
        before = session.connection().exec_driver_sql("SELECT contact, notice FROM surveys").one()
    assert [text.strip() for text in before] == ["卫健局", "不记名"]


_BEFORE_NOTICES = (
    """INSERT INTO questionnaire_versions (id, code, title, digest, document)
    VALUES (1, 'q', '问卷', 'd', '{}')""",
    """INSERT INTO surveys
    (id, title, questionnaire_id, area_id, state, opens_at, closes_at, contact, notice)
    VALUES (1, '调查', 1, AREA, 'open', '2026-01-01 00:00:00+00:00',
    '2026-12-31 16:30:00+00:00', '卫健局', '不记名')""",
)
_SUBMISSION = (
    "INSERT INTO submissions (key, survey_id, questionnaire_id, area_id, channel, origin,"
    " received_hour, state, answers, digest, receipt) VALUES"
    " ('0123456789abcdef0123456789abcdef', 1, 1, AREA, 'paper', 'collected',"
    " '2026-02-01 00:00:00', 'valid', '{}', 'd', 'r')"
)


def test_a_survey_from_before_keeps_the_areas_of_today(alembic: Alembic) -> None:
    alembic.upgrade("1795391000")
    survey = (
        "INSERT INTO surveys (id, title, questionnaire_id, area_id, state, opens_at, closes_at)"
        " VALUES ({}, '调查', 1, {}, '{}', '2026-01-01 00:00:00+00:00',"
        " '2026-12-31 16:30:00+00:00')"
    )
    with transaction() as session:
        for number, path, name in ((1, "1/", "县"), (2, "1/2/", "镇"), (3, "3/", "别县")):
            area = "INSERT INTO areas (id, name, path) VALUES ({}, '{}', '{}')"
            session.connection().exec_driver_sql(area.format(number, name, path))
        session.connection().exec_driver_sql(_BEFORE_NOTICES[0])
        for given in ((1, 1, "open"), (2, 2, "closed"), (3, 1, "draft"), (4, 3, "paused")):
            session.connection().exec_driver_sql(survey.format(*given))
    alembic.upgrade("1795391001")
    with reading() as session:
        kept = session.execute(
            text("SELECT survey_id, area_id, path, name FROM survey_areas ORDER BY 1, 2")
        )
        assert [tuple(row) for row in kept] == [
            (1, 1, "1/", "县"),
            (1, 2, "1/2/", "镇"),
            (2, 2, "1/2/", "镇"),
            (4, 3, "3/", "别县"),
        ]
    alembic.downgrade("1795391000")
    assert "survey_areas" not in tables()
