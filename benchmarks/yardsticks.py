"""What this machine can do at all: a bare page, and bare durable commits.

Figures of two machines compare only as ratios to these.
"""

import time
import uuid

from flask import Flask

from app.commands.serving import serve
from app.config import read_settings
from app.db import make_engine
from benchmarks.client import Outcome


def bare_app(size: int) -> Flask:
    """Return a Flask application whose one page is a constant of `size` bytes.

    It is served by the product's own command, and so under the very same waitress settings.
    """
    app = Flask("bare")
    app.extensions["minping"] = read_settings()  # the command asks for them
    page = "x" * size

    @app.get("/")
    @app.get("/healthz")
    def bare() -> str:
        return page

    app.cli.add_command(serve)
    return app


def durable_commits(url: str, count: int, document_size: int) -> Outcome:
    """Make single rows durable in one thread, one transaction each.

    The connection comes from the product's engine, and so with its PRAGMAs (on SQLite), but
    is used bare: the driver alone, no pool, no ORM, no statement building.
    """
    engine = make_engine(url)
    connection = engine.raw_connection()
    is_sqlite = engine.dialect.name == "sqlite"
    insert = f"INSERT INTO bare_commits VALUES ({'?, ?' if is_sqlite else '%s, %s'})"  # noqa: S608
    document = "x" * document_size
    outcome = Outcome()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE bare_commits (name VARCHAR(36) PRIMARY KEY, document TEXT)")
    connection.commit()
    for _ in range(count):
        started = time.perf_counter()
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(insert, (str(uuid.uuid4()), document))
        connection.commit()
        outcome.latencies.append((time.perf_counter() - started) * 1000)
    outcome.seconds = sum(outcome.latencies) / 1000
    cursor.execute("DROP TABLE bare_commits")
    connection.commit()
    cursor.close()
    connection.close()
    engine.dispose()
    return outcome
