"""Many phones at the same moment: the database decides, each answer is stored once."""

import random
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from app.config import Keys
from app.db import reading, transaction
from app.errors import CardSpent
from app.models import CardState
from app.services import collecting
from surveys.answers import check
from surveys.library import bundled
from tests.conftest import (
    NOW,
    NewVisitor,
    Page,
    Visitor,
    Zone,
    answers,
    card_states,
    make_cards,
    submissions,
)

KEYS = 50
THREADS = 8
Sending = tuple[str, dict[str, list[str]]]


def send_all(visitor: Visitor, sendings: Sequence[Sending], seed: int) -> dict[str, str]:
    """Send every form in an order of one's own; return the receipts by key."""
    mine = random.Random(seed).sample(sendings, len(sendings))  # noqa: S311 - no secret
    return {
        form["key"][0]: visitor.submit(path, form=form, status=303).receipt for path, form in mine
    }


def flush_from_many(new_visitor: NewVisitor, sendings: Sequence[Sending]) -> list[dict[str, str]]:
    visitors = [new_visitor() for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(send_all, visitors, [sendings] * THREADS, range(THREADS)))


def many_keys(visitor: Visitor, path: str) -> list[dict[str, list[str]]]:
    form = visitor.open_form(path)
    return [{**form, "key": [str(uuid.uuid4())]} for _ in range(KEYS)]


def test_cards_sent_by_eight_at_once_are_stored_once_each(
    app: Flask, new_visitor: NewVisitor, here: Zone, keys: Keys
) -> None:
    _batch, codes = make_cards(app, here, KEYS, keys)
    paths = [f"/s/{code}" for code in codes]
    forms = many_keys(new_visitor(), paths[0])
    receipts = flush_from_many(new_visitor, list(zip(paths, forms, strict=True)))
    stored = {str(each.key): each.receipt for each in submissions(app, here.survey)}
    assert len(stored) == KEYS
    assert receipts == [stored] * THREADS


def test_poster_answers_sent_by_eight_at_once_are_stored_once_each(
    app: Flask, new_visitor: NewVisitor, here: Zone
) -> None:
    path = f"/p/{here.slug}"
    receipts = flush_from_many(
        new_visitor, [(path, form) for form in many_keys(new_visitor(), path)]
    )
    stored = {str(each.key): each.receipt for each in submissions(app, here.survey)}
    assert len(stored) == KEYS
    assert receipts == [stored] * THREADS


def rush(new_visitor: NewVisitor, path: str, forms: Sequence[dict[str, list[str]]]) -> list[Page]:
    """Send different answers to one card, all at once."""

    def send(number: int) -> Page:
        given = answers(q1=("aware", "unaware")[number % 2])
        return visitors[number].submit(path, given, forms[number], status=None)

    visitors = [new_visitor() for _ in forms]
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(send, range(len(forms))))


def test_one_card_and_fifty_keys_give_one_answer(
    app: Flask, new_visitor: NewVisitor, here: Zone
) -> None:
    path = f"/s/{here.codes[0]}"
    pages = rush(new_visitor, path, many_keys(new_visitor(), path))
    # 409: the phone that answered tries again with another key, and is shown its receipt.
    statuses = Counter(page.status for page in pages)
    assert statuses[303] == 1
    assert statuses[404] + statuses[409] == KEYS - 1
    (stored,) = submissions(app, here.survey)
    assert [page.receipt for page in pages if page.status == 303] == [stored.receipt]
    assert card_states(app, here.batch).count(CardState.ANSWERED) == 1


def test_a_card_that_two_phones_found_unused_is_claimed_by_one(
    app: Flask, here: Zone, keys: Keys
) -> None:
    """The same race, step by step: both look, then both write."""
    sheet = check(bundled()["beian-2020-fielded"], answers())
    with app.app_context():
        with reading() as session:
            found = [collecting.find_card(session, here.codes[0], keys) for _ in range(2)]
        first, late = (collecting.Delivery(uuid.uuid4(), sheet) for _ in range(2))
        with transaction() as session:
            collecting.record_submission(session, found[0], first, keys, NOW)
        with pytest.raises(CardSpent), transaction() as session:
            collecting.record_submission(session, found[1], late, keys, NOW)
    assert [each.key for each in submissions(app, here.survey)] == [first.key]


def test_one_card_and_one_key_with_two_answers_keep_the_first(
    app: Flask, new_visitor: NewVisitor, here: Zone
) -> None:
    path = f"/s/{here.codes[0]}"
    form = new_visitor().open_form(path)
    pages = rush(new_visitor, path, [form] * KEYS)
    assert Counter(page.status for page in pages) == {303: KEYS // 2, 409: KEYS // 2}
    (stored,) = submissions(app, here.survey)
    assert {page.receipt for page in pages} == {stored.receipt}


def test_one_key_and_fifty_cards_spend_one(
    app: Flask, new_visitor: NewVisitor, here: Zone, keys: Keys
) -> None:
    """A phone that mixed up its queue must not burn the cards of others."""
    batch, codes = make_cards(app, here, KEYS, keys)
    form = new_visitor().open_form(f"/s/{codes[0]}")

    def send(code: str) -> Page:
        return new_visitor().submit(f"/s/{code}", form=form)

    with ThreadPoolExecutor(THREADS) as pool:
        pages = list(pool.map(send, codes))
    (stored,) = submissions(app, here.survey)
    assert {page.receipt for page in pages} == {stored.receipt}
    assert card_states(app, batch).count(CardState.ANSWERED) == 1


def test_one_key_from_many_phones_at_once_has_one_receipt(
    app: Flask, new_visitor: NewVisitor, here: Zone
) -> None:
    """Key and receipt are both unique, and either may be the first to say that it exists."""
    path = f"/p/{here.slug}"
    visitors = [new_visitor() for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        for form in many_keys(new_visitor(), path):
            receipts = pool.map(_receipt_of, visitors, [path] * THREADS, [form] * THREADS)
            assert len(set(receipts)) == 1
    assert len(submissions(app, here.survey)) == KEYS


def _receipt_of(visitor: Visitor, path: str, form: dict[str, list[str]]) -> str:
    return visitor.submit(path, form=form).receipt
