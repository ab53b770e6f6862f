"""The database: how a connection is set up, and where a transaction begins and ends."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from sqlite3 import sqlite_version_info as interpreter_sqlite
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, CursorResult, Engine, UpdateBase, create_engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

try:
    import pysqlite3
except ImportError:  # no wheel for this platform: the interpreter's own library, set up safely
    pysqlite3 = None

_BUSY_SECONDS = 5
_BEGIN = "minping_begin"

# One writer at a time is SQLite's rule anyway. Its own way of waiting is to sleep and try again,
# which under load lets late-comers overtake and some wait for seconds; a lock in the process
# queues them. Other processes still meet SQLite's lock, and PostgreSQL needs none of this.
_sqlite_writer = threading.Lock()


class DatabaseBusy(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """The write lock did not come free in time; nothing was stored."""


def init_app(app: Flask, url: str) -> Engine:
    """Connect the application to its database."""
    engine = make_engine(url)
    app.extensions["database"] = sessionmaker(engine, expire_on_commit=False)
    return engine


def make_engine(url: str) -> Engine:
    """Return an engine with the connection set-up that durable answers rest on."""
    if make_url(url).get_backend_name() != "sqlite":
        # Without a limit a request would wait for a held row for ever, and with it the phone.
        arguments = {"options": f"-c lock_timeout={_BUSY_SECONDS * 1000}"}
        return create_engine(
            url, pool_size=20, pool_pre_ping=True, hide_parameters=True, connect_args=arguments
        )
    # hide_parameters: what people answered must not reach the log by way of an error message.
    # The connection used last is used next: its page cache is warm.
    options: dict[str, Any] = {"hide_parameters": True, "pool_use_lifo": True}
    if pysqlite3 is not None:
        options["module"] = pysqlite3
    # isolation_level None: the driver begins nothing by itself, `_begin` below does.
    options["connect_args"] = {"timeout": _BUSY_SECONDS, "isolation_level": None}
    engine = create_engine(url, pool_size=20, **options)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def current_engine() -> Engine:
    """Return the engine of the running application."""
    engine: Engine = _sessions().kw["bind"]
    return engine


def _sessions() -> sessionmaker[Session]:
    found: sessionmaker[Session] = current_app.extensions["database"]
    return found


def journal_settings(version: tuple[int, ...]) -> tuple[str, str]:
    """Return journal_mode and synchronous for this SQLite version, durable on every one.

    Versions before the fix of the WAL-reset bug can lose committed answers in WAL mode
    (SECURITY.md); there a slower journal is the honest choice.
    """
    fixed = (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )
    return ("WAL", "FULL") if fixed else ("DELETE", "EXTRA")


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library in use."""
    return interpreter_sqlite if pysqlite3 is None else tuple(pysqlite3.sqlite_version_info)


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
    journal, synchronous = journal_settings(sqlite_version())
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is replaced or erased is written over with zeros, in pages that are written anyway.
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer in SQLite
    # (it fails at once); one that will write therefore says so when it begins.
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


@contextmanager
def transaction(patience: float | None = None) -> Iterator[Session]:
    """Open the one transaction of a request or command; commit at the end of the block.

    Whatever leaves the block as an exception rolls everything back. Raises `DatabaseBusy` when
    the other writers of this process do not make way within 5 seconds, or within `patience`.
    """
    with _writer(_BUSY_SECONDS if patience is None else patience), _sessions()() as session:
        session.connection(execution_options={_BEGIN: "BEGIN IMMEDIATE"})
        yield session
        session.commit()


@contextmanager
def reading() -> Iterator[Session]:
    """Open a transaction that only reads; nothing it does is kept."""
    with _sessions()() as session:
        yield session


def rows_hit(session: Session, statement: UpdateBase) -> int:
    """Run an update or delete and return how many rows it hit; objects already read stay."""
    done = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)  # noqa: S101 - for the type checker
    return done.rowcount


@contextmanager
def _sqlite_turn(patience: float) -> Iterator[None]:
    if not _sqlite_writer.acquire(timeout=patience):
        raise DatabaseBusy
    try:
        yield
    finally:
        _sqlite_writer.release()


def _writer(patience: float) -> Any:  # noqa: ANN401 - either of two context managers
    return _sqlite_turn(patience) if current_engine().dialect.name == "sqlite" else nullcontext()


def rewrite_files(tables: Sequence[str]) -> int:
    """Write these tables anew, in the order of their keys, without what was replaced or erased.

    Returns how many old versions of rows had to stay because a transaction that is still open may
    want them; 0 means that the files hold the rows and nothing else. On PostgreSQL the tables'
    owner must do it; on SQLite the whole file is written. Raises `DatabaseBusy`.
    """
    if current_engine().dialect.name == "sqlite":
        _rewrite_sqlite(current_engine())
        return 0
    until = time.monotonic() + _BUSY_SECONDS
    try:
        return sum(_rewrite_patiently(current_engine(), table, until) for table in tables)
    except OperationalError as error:
        raise DatabaseBusy from error


def _rewrite_sqlite(engine: Engine) -> None:
    with _sqlite_turn(_BUSY_SECONDS), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except engine.dialect.loaded_dbapi.OperationalError as error:
            raise DatabaseBusy from error
        row = cursor.fetchone()
    if row is None or row[0]:  # a reader is in the way
        raise DatabaseBusy


def _rewrite_patiently(engine: Engine, table: str, until: float) -> int:
    # Whoever just writes, in whatever database of the server, is out of the way in a moment.
    while (kept := _rewrite_table(engine, table)) and time.monotonic() < until:
        time.sleep(0.5)
    return kept


def _rewrite_table(engine: Engine, table: str) -> int:
    # CLUSTER and not VACUUM FULL: that one only warns where it may not, and keeps the order in
    # which rows came in. Nothing but its notice tells whether old versions had to stay.
    details: list[str] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.driver_connection

        def note(notice: Any) -> None:  # noqa: ANN401 - the driver's own
            details.append(notice.message_detail or "")

        driver.add_notice_handler(note)
        try:
            connection.exec_driver_sql(f"CLUSTER VERBOSE {table} USING pk_{table}")
        finally:
            driver.remove_notice_handler(note)
    kept = [re.search(r"\d+", detail) for detail in details if detail]
    return sum(int(number[0]) for number in kept if number)
