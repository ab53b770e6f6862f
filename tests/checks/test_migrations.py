from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from app import create_app
from app.config import read_settings
from app.db import current_engine


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[FlaskCliRunner]:
    app = create_app(read_settings({"MINPING_INSTANCE": str(tmp_path)}))
    with app.app_context():
        yield app.test_cli_runner()
        current_engine().dispose()


def test_the_models_equal_the_migrations(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
    checked = runner.invoke(args=["db", "check"])
    assert checked.exit_code == 0, f"make a migration: {checked.output}"


def test_a_migration_can_be_taken_back(runner: FlaskCliRunner) -> None:
    runner.invoke(args=["db", "upgrade"])
    assert runner.invoke(args=["db", "downgrade"]).exit_code == 0
    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
