"""The database is locked, full, read-only or away: 503, nothing lost, and it recovers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app import db
from app.db import current_engine
from tests.conftest import House, Page, StartApp, Visitor, Zone, snapshot, submissions

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@contextmanager
def held(house: House) -> Iterator[None]:
    """Hold the write lock of an SQLite file, as a backup or a hanging process would."""
    engine = db.make_engine(house.settings.database_url)
    with engine.connect().execution_options(**{db._BEGIN: "BEGIN EXCLUSIVE"}) as other:
        other.exec_driver_sql("SELECT 1")
        yield
    engine.dispose()


@pytest.fixture
def hasty(start_app: StartApp, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application, but it does not wait for a lock."""
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0)
    return start_app()


def at_connection(app: Flask, *statements: str) -> None:
    """Let every new connection of the application begin with these statements."""

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
        for statement in statements:
            connection.execute(statement)
        connection.commit()

    with app.app_context():
        event.listen(current_engine(), "connect", prepare)


def says_try_again(page: Page) -> bool:
    assert "系统正忙，您的回答还没有存上" in page.text
    return int(page.response.headers["Retry-After"]) > 0


@on_sqlite
def test_a_held_database_answers_try_again(house: House, hasty: Flask, here: Zone) -> None:
    visitor, path = Visitor(hasty), f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    with held(house):
        assert says_try_again(visitor.submit(path, form=form, status=503))
    assert not submissions(hasty, here.survey)


@on_sqlite
def test_a_held_database_can_still_be_read_and_recovers(
    house: House, hasty: Flask, here: Zone
) -> None:
    visitor, path = Visitor(hasty), f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    with held(house):
        for _ in range(30):  # more often than the pool has connections
            visitor.submit(path, form=form, status=503)
    visitor.submit(path, form=form)
    assert len(submissions(hasty, here.survey)) == 1


@on_sqlite
def test_a_queue_of_writers_that_is_too_long_answers_try_again(hasty: Flask, here: Zone) -> None:
    visitor, path = Visitor(hasty), f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    with db._sqlite_writer:
        assert says_try_again(visitor.submit(path, form=form, status=503))
    visitor.submit(path, form=form)


READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET default_transaction_read_only = on",
}


def test_a_read_only_database_answers_try_again(
    backend: str, start_app: StartApp, here: Zone
) -> None:
    app = start_app()
    at_connection(app, READ_ONLY[backend])
    visitor, before = Visitor(app), snapshot(app)
    for path in (f"/s/{here.codes[0]}", f"/p/{here.slug}"):
        assert says_try_again(visitor.submit(path, status=503))
    assert snapshot(app) == before


@on_sqlite
def test_a_full_disk_answers_try_again_and_loses_nothing(
    app: Flask, start_app: StartApp, here: Zone
) -> None:
    full = start_app()
    # No page is free, and SQLite may take no more than there are.
    at_connection(full, "VACUUM", "PRAGMA max_page_count = 1")
    visitor, path = Visitor(full), f"/p/{here.slug}"
    forms = [visitor.open_form(path) for _ in range(40)]
    pages = [visitor.submit(path, form=form, status=None) for form in forms]
    refused = [page for page in pages if page.status != 303]
    assert refused
    assert all(page.status == 503 and says_try_again(page) for page in refused)
    assert len(submissions(app, here.survey)) == len(pages) - len(refused)
    for form in forms:
        Visitor(app).submit(path, form=form)
    assert len(submissions(app, here.survey)) == len(forms)


@on_postgresql
def test_a_card_that_another_process_holds_answers_try_again(
    house: House, start_app: StartApp, here: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hanging transaction (a backup, a forgotten console) ends in 503, not in silence."""
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0.05)
    hasty = start_app()
    visitor, path = Visitor(hasty), f"/s/{here.codes[0]}"
    form = visitor.open_form(path)
    with house.app.app_context(), current_engine().connect() as other:
        other.exec_driver_sql("SELECT * FROM cards FOR UPDATE")
        assert says_try_again(visitor.submit(path, form=form, status=503))
    visitor.submit(path, form=form)
    assert len(submissions(hasty, here.survey)) == 1


@on_postgresql
def test_nobody_waits_for_a_lock_for_ever(app: Flask) -> None:
    with app.app_context(), current_engine().connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() != "0"


@pytest.fixture
def away(start_app: StartApp) -> Flask:
    """The application with a database server that is not there."""
    return start_app(database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")


@on_sqlite
@pytest.mark.parametrize("path", ["/s/1", "/p/1", "/r/1", "/readyz"])
def test_a_database_that_is_away_is_try_again(path: str, away: Flask) -> None:
    assert says_try_again(Visitor(away).get(path, status=503))


@on_sqlite
def test_a_database_that_is_away_takes_no_answer(away: Flask) -> None:
    assert says_try_again(Visitor(away).post("/s/1", {"_end": "1"}, status=503))


@on_sqlite
def test_the_process_is_healthy_without_its_database(away: Flask) -> None:
    assert Visitor(away).get("/healthz").response.json == {"status": "ok"}


def test_a_ready_database_says_so(visitor: Visitor) -> None:
    assert visitor.get("/readyz").response.json == {"status": "ok"}


def test_what_nobody_expected_is_a_static_page(start_app: StartApp, here: Zone) -> None:
    app = start_app()
    app.testing = False

    def fail(**_arguments: object) -> str:
        raise RuntimeError("nobody expected this")

    app.view_functions["respond.card"] = fail
    page = Visitor(app).get(f"/s/{here.codes[0]}", status=500)
    assert "nobody" not in page.body
