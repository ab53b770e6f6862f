"""A fresh database with the demo survey and enough cards, and the count after the run."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from sqlalchemy import func, inspect, select

from app import create_app, demo
from app.config import SETTINGS, read_settings, settings
from app.db import current_engine, make_engine, reading, transaction
from app.models import Batch, Card, CardState, Origin, Submission
from app.services import cards, ledger, publishing
from benchmarks.server import PROJECT, CannotMeasure


@dataclass(frozen=True, slots=True)
class Field:
    """What the load generator works on: one open survey and the addresses of its fresh cards."""

    survey_id: int
    cards: list[str]


def environment(folder: Path, database_url: str) -> dict[str, str]:
    """Return the settings of a server of its own: nothing of this shell's settings leaks in."""
    nothing = {one.name: "" for one in SETTINGS}
    return {**nothing, "MINPING_INSTANCE": str(folder), "DATABASE_URL": database_url}


def prepare(variables: Mapping[str, str], card_count: int) -> Field:
    """Make the tables, the demo survey and the cards. Raises `CannotMeasure`.

    Submissions are never deleted, so a database that holds anything at all is refused.
    """
    _refuse_used(read_settings(variables).database_url)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    done = subprocess.run(
        command, cwd=PROJECT, env={**environ, **variables}, capture_output=True, check=False
    )
    if done.returncode:
        raise CannotMeasure(f"no tables could be made:\n{done.stderr.decode(errors='replace')}")
    with _application(variables):
        return _fill(card_count)


def faults_after(variables: Mapping[str, str], field: Field, receipts: list[str]) -> list[str]:
    """Compare what was acknowledged with what is stored; every difference is a sentence."""
    with _application(variables), reading() as session:
        stored = session.scalars(
            select(Submission.receipt).where(
                Submission.survey_id == field.survey_id, Submission.origin == Origin.COLLECTED
            )
        ).all()
        answered = session.scalar(
            select(func.count())
            .select_from(Card)
            .join(Batch, Batch.id == Card.batch_id)
            .where(Batch.survey_id == field.survey_id, Card.state == CardState.ANSWERED)
        )
    faults = []
    if len(set(receipts)) != len(receipts):
        faults.append(f"{len(receipts) - len(set(receipts))} receipts were given twice")
    if len(stored) != len(receipts):
        faults.append(f"{len(receipts)} acknowledged, but {len(stored)} stored")
    if set(stored) != set(receipts):
        faults.append("the stored receipts are not the acknowledged ones")
    if answered != len(receipts):
        faults.append(f"{len(receipts)} acknowledged, but {answered} cards answered")
    return faults


@contextmanager
def _application(variables: Mapping[str, str]) -> Iterator[None]:
    with create_app(read_settings(variables)).app_context():
        try:
            yield
        finally:
            current_engine().dispose()


def _refuse_used(url: str) -> None:
    engine = make_engine(url)
    tables = inspect(engine).get_table_names()
    engine.dispose()
    if tables:
        raise CannotMeasure("the benchmark writes thousands of answers: give it an empty database")


def _fill(card_count: int) -> Field:
    keys = settings().keys
    with transaction() as session:
        demo.load_demo(session, keys, datetime.now(UTC))
        addresses = demo.find_addresses(session, keys)
        if addresses is None:
            raise CannotMeasure("the demo survey could not be made")
        survey = publishing.find_survey(session, addresses.open_survey)
        codes: list[str] = []
        while len(codes) < card_count:
            size = min(card_count - len(codes), cards.LARGEST_BATCH)
            stamp = ledger.Stamp("benchmark", datetime.now(UTC))
            plan = cards.BatchPlan(size, "benchmark")
            batch = cards.make_batch(session, survey, survey.area, plan, keys, stamp)
            ledger.release(session, batch, stamp)
            codes += [code for _serial, code in cards.card_codes(batch, keys)]
        return Field(survey.id, [f"/s/{code}" for code in codes])
