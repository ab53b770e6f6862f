"""What this machine can do at all: a bare page, and bare durable commits.

Figures of two machines compare only as ratios to these.
"""

import time
import uuid

from flask import Flask

from app.cli import serve
from app.db import make_engine


def bare_app(size: int) -> Flask:
    """Return a Flask application whose one page is a constant of `size` bytes.

    It is served by the product's own command, and so under the very same waitress settings.
    """
    app = Flask("bare")
    page = "x" * size

    @app.get("/")
    @app.get("/healthz")
    def bare() -> str:
        return page

    app.cli.add_command(serve)
    return app


def durable_commits_per_second(url: str, count: int, document_size: int) -> float:
    """Return how many single-row transactions one thread can make durable in a second.

    The connection comes from the product's engine, and so with its PRAGMAs (on SQLite), but
    is used bare: the driver alone, no pool, no ORM, no statement building.
    """
    engine = make_engine(url)
    connection = engine.raw_connection()
    is_sqlite = engine.dialect.name == "sqlite"
    insert = f"INSERT INTO bare_commits VALUES ({'?, ?' if is_sqlite else '%s, %s'})"  # noqa: S608
    document = "x" * document_size
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE bare_commits (name VARCHAR(36) PRIMARY KEY, document TEXT)")
    connection.commit()
    started = time.perf_counter()
    for _ in range(count):
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(insert, (str(uuid.uuid4()), document))
        connection.commit()
    elapsed = time.perf_counter() - started
    cursor.execute("DROP TABLE bare_commits")
    connection.commit()
    cursor.close()
    connection.close()
    engine.dispose()
    return count / elapsed
