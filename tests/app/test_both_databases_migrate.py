"""Migrations on both databases: up, down with data, and equal to the models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_alembic import Alembic
from sqlalchemy import inspect

from app.config import Keys
from app.db import current_engine, transaction
from app.models import Base
from app.services import areas
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


def test_the_models_are_what_the_migrations_make(alembic: Alembic) -> None:
    alembic.upgrade()
    assert alembic.compare_metadata() == [], "run: flask --app wsgi db revision"
