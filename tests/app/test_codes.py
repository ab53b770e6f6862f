"""Card codes and receipts: derived, checked, and read out over the telephone."""

import secrets
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.services.codes import (
    card_code,
    code_hash,
    damm_digit,
    fold,
    has_valid_check,
    in_fours,
    receipt_code,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SEED = uuid.UUID("12345678-1234-5678-1234-567812345678")
DIGITS = st.text("0123456789", min_size=15, max_size=15)
PLACES = st.integers(0, 15)


@pytest.mark.parametrize(
    ("digits", "check"), [("572", "4"), ("", "0"), ("0", "0"), ("43881234567", "9")]
)
def test_the_check_digit_is_damms(digits: str, check: str) -> None:
    assert damm_digit(digits) == check


@given(DIGITS)
def test_a_code_with_its_check_digit_is_valid(digits: str) -> None:
    assert has_valid_check(digits + damm_digit(digits))


@given(DIGITS, PLACES, st.integers(1, 9))
def test_every_single_wrong_digit_is_caught(digits: str, place: int, off: int) -> None:
    code = digits + damm_digit(digits)
    wrong = str((int(code[place]) + off) % 10)
    assert not has_valid_check(code[:place] + wrong + code[place + 1 :])


@given(DIGITS, st.integers(0, 14))
def test_every_swap_of_neighbours_is_caught(digits: str, place: int) -> None:
    code = digits + damm_digit(digits)
    assume(code[place] != code[place + 1])
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert not has_valid_check(swapped)


@pytest.mark.parametrize("text", ["", "0", "0" * 15, "0" * 17, "x" * 16, "０" * 16, "0" * 15 + "²"])
def test_what_is_not_sixteen_digits_has_no_check(text: str) -> None:
    assert not has_valid_check(text)


@pytest.mark.parametrize(
    "typed",
    [
        "1234567890123456",
        "1234 5678 9012 3456",
        "1234-5678-9012-3456",
        " 1234　5678\t9012\n3456 ",
        "１２３４５６７８９０１２３４５６",
        "1234–5678—9012−3456",
        "1234_5678‑9012‐3456",
    ],
)
def test_however_a_code_is_typed_it_folds_to_its_digits(typed: str) -> None:
    assert fold(typed) == "1234567890123456"


@given(st.text("0123456789０１２３４５６７８９ \t　-–—−_x"))
def test_folding_twice_is_folding_once(typed: str) -> None:
    assert fold(fold(typed)) == fold(typed)


@given(DIGITS)
def test_a_printed_code_folds_back(digits: str) -> None:
    assert fold(in_fours(digits)) == digits


def test_codes_are_the_same_at_every_printing() -> None:
    """A sheet that is printed again in a year must hold the same codes."""
    codes = [card_code(KEY, SEED, serial) for serial in (1, 2)]
    assert codes == ["2742948482258479", "9761370301610351"]


@given(st.uuids(), st.integers(1, 10_000))
def test_every_code_has_sixteen_digits_and_its_check(seed: uuid.UUID, serial: int) -> None:
    assert has_valid_check(card_code(KEY, seed, serial))


def test_cards_batches_and_keys_have_codes_of_their_own() -> None:
    codes = [card_code(KEY, SEED, serial) for serial in range(1, 1001)]
    codes += [card_code(KEY, uuid.UUID(int=1), serial) for serial in range(1, 1001)]
    codes += [card_code(OTHER_KEY, SEED, serial) for serial in range(1, 1001)]
    assert len(set(codes)) == 3000


def test_neighbouring_cards_share_no_pattern() -> None:
    """Whoever holds one card must not guess the next."""
    codes = [card_code(KEY, SEED, serial) for serial in range(1, 501)]
    assert len({code[:6] for code in codes}) > 490


def test_a_code_is_found_however_it_is_typed() -> None:
    assert code_hash(KEY, "1234 5678-9012 ３４５６") == code_hash(KEY, "1234567890123456")


def test_a_hash_needs_its_key() -> None:
    assert code_hash(KEY, "1234567890123456") != code_hash(OTHER_KEY, "1234567890123456")


@given(st.uuids())
def test_receipts_are_twelve_signs_that_nobody_mixes_up(key: uuid.UUID) -> None:
    receipt = receipt_code(KEY, key)
    assert len(receipt) == 12
    assert set(receipt) <= set("23456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_receipts_need_their_key() -> None:
    key = uuid.UUID(bytes=secrets.token_bytes(16), version=4)
    assert receipt_code(KEY, key) != receipt_code(OTHER_KEY, key)
    assert receipt_code(KEY, key) == receipt_code(KEY, key)
