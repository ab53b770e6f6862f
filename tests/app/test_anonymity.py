"""Nothing joins a card to its answers: not the rows, nor the marks and files below them.

A run of answers is made of which the test knows who gave which. An attack then takes everything
that the database holds, in whatever order it can be read, and guesses. The same attack must find
them out before the traces are wiped where the database leaves any, or it proves nothing.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.models import Base, Card, SurveyState
from app.services import publishing
from tests.conftest import (
    House,
    NewVisitor,
    Visitor,
    Zone,
    _connect,
    answers,
    finish_wiping,
    make_cards,
    submissions,
)

PEOPLE = 60
# Of 60 blind guesses one is right on average, and twelve less than once in a thousand million.
FEW = 12


@dataclass(frozen=True, slots=True)
class Secret:
    """What the test knows and the database must not: the key under which each card answered."""

    batch: int
    keys: Mapping[int, str]  # by the card's id


def answer_all(app: Flask, here: Zone, new_visitor: NewVisitor, keys: Keys) -> Secret:
    """Let sixty people answer their cards in an order of their own, each a little differently."""
    batch, codes = make_cards(app, here, PEOPLE + 5, keys)
    with app.app_context(), reading() as session:
        query = select(Card.serial, Card.id).where(Card.batch_id == batch)
        ids = {row.serial: row.id for row in session.execute(query)}
    chance = random.Random(2026)  # noqa: S311 - the same order every time
    order = chance.sample(range(1, len(codes) + 1), PEOPLE)
    given = {}
    for serial in order:
        path = f"/s/{codes[serial - 1]}"
        form = new_visitor().open_form(path)
        chosen = answers(q6=chance.choice(["satisfied", "mostly_satisfied", "dissatisfied"]))
        new_visitor().submit(path, chosen, form)
        given[ids[serial]] = form["key"][0].replace("-", "")
    assert len(submissions(app, here.survey)) == PEOPLE
    return Secret(batch, given)


# ---------------------------------------------------------------------------------------------
# Everything that can be read
# ---------------------------------------------------------------------------------------------

Row = Mapping[str, object]


def plain(value: object) -> str:
    """Write a value so that the same one reads the same in every table."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return str(value).replace("-", "")


def everything(house: House) -> dict[str, list[Row]]:
    """Return every row of every table, with the marks that the database keeps beside them."""
    with house.app.app_context(), reading() as session:
        is_postgres = session.get_bind().dialect.name == "postgresql"
        marks = "xmin::text, xmax::text, cmin::text, ctid::text, " if is_postgres else ""
        found: dict[str, list[Row]] = {}
        for table in Base.metadata.sorted_tables:
            # No ORDER BY: the order on disk is part of what is attacked.
            rows = session.connection().exec_driver_sql(f"SELECT {marks}* FROM {table.name}")  # noqa: S608
            found[table.name] = [
                {"(order)": f"{place:09d}", **{name: plain(value) for name, value in row.items()}}
                for place, row in enumerate(rows.mappings())
            ]
    return found


def files(house: House) -> dict[str, bytes]:
    """Return the database's files: SQLite's with its journal, PostgreSQL's heaps and indexes."""
    if house.settings.database_url.startswith("sqlite"):
        paths = house.settings.instance.glob("minping.sqlite3*")
        return {path.name: path.read_bytes() for path in paths if not path.name.endswith("-shm")}
    with closing(_connect(house.settings.database_url.rpartition("/")[2])) as connection:
        connection.execute("CHECKPOINT")
        query = (
            "SELECT relname, pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class"
            " WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
        )
        return {name: bytes(content) for name, content in connection.execute(query)}


def in_files(house: House, needles: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Return by file the order in which these byte strings first, and last, stand in it."""
    found = {}
    for name, content in files(house).items():
        for end, find in (("first", content.find), ("last", content.rfind)):
            places = {thing: find(needle) for thing, needle in needles.items()}
            if min(places.values()) >= 0:
                found[f"file {name}, {end}"] = sorted(places, key=places.__getitem__)
    return found


# ---------------------------------------------------------------------------------------------
# The attack
# ---------------------------------------------------------------------------------------------


def hits(secret: Secret, guesses: Iterable[tuple[int, str]]) -> int:
    return sum(secret.keys.get(card) == key for card, key in guesses)


def equal_values(
    cards: Sequence[Row], answers: Sequence[Row]
) -> Iterator[tuple[str, dict[int, str]]]:
    """Join on every pair of columns in which a value stands at one card and one answer only."""
    for left, right in product(cards[0], answers[0]):
        by_value = {row[right]: row["key"] for row in answers}
        if len(by_value) == len(answers):
            joined = {
                int(str(row["id"])): str(by_value[row[left]])
                for row in cards
                if row[left] in by_value
            }
            yield f"cards.{left} = submissions.{right}", joined


def orders(rows: Sequence[Row], name: str) -> Iterator[tuple[str, list[str]]]:
    """Return these rows' names in the order of each column that orders them, as text or number."""
    for column in rows[0]:
        values = {str(row[column]) for row in rows}
        if len(values) < len(rows) / 2:
            continue
        numbers = {value: [int(part) for part in re.findall(r"\d+", value)] for value in values}
        is_number = all(re.fullmatch(r"\(?\d+(,\d+\))?", value) for value in values)
        ranked = sorted(values, key=numbers.__getitem__) if is_number else sorted(values)
        places = {value: place for place, value in enumerate(ranked)}
        ordered = sorted((places[str(row[column])], str(row[name])) for row in rows)
        yield column, [named for _place, named in ordered]


def best_guess(house: House, secret: Secret) -> tuple[int, str]:
    """Return how many cards the best way of joining finds out, and which way that is."""
    held = everything(house)
    ids = {str(number) for number in secret.keys}
    cards = [row for row in held["cards"] if row["id"] in ids]
    keys = set(secret.keys.values())
    answers = [row for row in held["submissions"] if row["key"] in keys]
    assert len(cards) == len(answers) == PEOPLE
    tried = [
        (hits(secret, iter(joined.items())), way) for way, joined in equal_values(cards, answers)
    ]
    card_orders = dict(orders(cards, "id"))
    key_orders = dict(orders(answers, "key"))
    hashes = {str(row["id"]): bytes.fromhex(str(row["code_hash"])) for row in cards}
    raw = house.settings.database_url.startswith("sqlite")
    written = {key: key.encode() if raw else bytes.fromhex(key) for key in map(str, keys)}
    card_orders |= in_files(house, hashes)
    key_orders |= in_files(house, written)
    for (left, some), (right, others) in product(card_orders.items(), key_orders.items()):
        for way, turned in (("as", others), ("against", others[::-1])):
            pairs = zip(map(int, some), turned, strict=True)
            tried.append((hits(secret, pairs), f"cards by {left} {way} submissions by {right}"))
    return max(tried)


@pytest.fixture
def secret(app: Flask, here: Zone, new_visitor: NewVisitor, keys: Keys) -> Secret:
    return answer_all(app, here, new_visitor, keys)


def wipe(app: Flask) -> None:
    finish_wiping(app)


def test_nothing_joins_cards_and_answers_once_the_traces_are_wiped(
    house: House, secret: Secret
) -> None:
    if not house.settings.database_url.startswith("sqlite"):
        found, way = best_guess(house, secret)
        assert found == PEOPLE, f"the attack is blind: its best is {found} by {way}"
    wipe(house.app)
    found, way = best_guess(house, secret)
    assert found < FEW, f"{found} of {PEOPLE} cards found out: {way}"


def test_no_row_of_any_other_table_knows_a_card_and_an_answer(house: House, secret: Secret) -> None:
    """A row beside both could join them, whatever the columns are called."""
    hashes = {str(row["code_hash"]) for row in everything(house)["cards"]}
    for table, rows in everything(house).items():
        for row in rows:
            values = " ".join(str(value) for value in row.values())
            knows_answer = any(key in values for key in secret.keys.values())
            knows_card = any(each in values for each in hashes)
            assert not (knows_answer and knows_card), f"{table}: {row}"


def test_the_files_lie_in_the_order_of_keys(house: House, secret: Secret) -> None:
    wipe(house.app)
    held = files(house)
    assert not held.get("minping.sqlite3-wal")
    is_sqlite = house.settings.database_url.startswith("sqlite")
    written = {
        key: key.encode() if is_sqlite else bytes.fromhex(key) for key in secret.keys.values()
    }
    heap = held["minping.sqlite3" if is_sqlite else "submissions"]
    for needle in written.values():
        # Once as a row and once in each index that carries the key: no older version is left.
        assert heap.count(needle) <= (3 if is_sqlite else 1)


def test_closing_a_survey_wipes_the_mark_that_joins(
    house: House, here: Zone, secret: Secret
) -> None:
    if house.settings.database_url.startswith("sqlite"):
        pytest.skip("SQLite marks no rows; its files are wiped by the command")
    with house.app.app_context(), transaction() as session:
        survey = publishing.find_survey(session, here.survey)
        publishing.move_survey(session, survey, SurveyState.CLOSED)
    held = everything(house)
    keys = set(secret.keys.values())
    assert len({row["xmin"] for row in held["submissions"] if row["key"] in keys}) == 1
    answered = [row for row in held["cards"] if row["state"] == "answered"]
    assert len({row["xmin"] for row in answered if int(str(row["id"])) in secret.keys}) == 1


def test_answers_that_come_during_and_after_are_taken(
    app: Flask, here: Zone, visitor: Visitor, keys: Keys
) -> None:
    _batch, codes = make_cards(app, here, 2, keys)
    for code in codes:
        receipt = visitor.submit(f"/s/{code}").receipt
        wipe(app)
        assert visitor.get(f"/r/{receipt}").receipt == receipt
    assert len(submissions(app, here.survey)) == 2
