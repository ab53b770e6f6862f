"""Card codes: 16 digits, derived from keys outside the database, looked up by keyed hash."""

import hmac
import unicodedata
import uuid

# Damm, "Total anti-symmetrische Quasigruppen" (2004): the check digit catches every single wrong
# digit and every swap of two neighbours, the two mistakes people make when they read digits out.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
CODE_DIGITS = 16
# No 0/O, 1/I/L, U/V mix-ups when read out: for receipts, and for staff's recovery codes.
CLEAR_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_RECEIPT_LENGTH = 12


def damm_digit(digits: str) -> str:
    """Return the check digit for a string of decimal digits."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return str(interim)


def has_valid_check(code: str) -> bool:
    """Say whether these are 16 digits of which the last is the right check digit."""
    return len(code) == CODE_DIGITS and _is_digits(code) and damm_digit(code[:-1]) == code[-1]


def fold(typed: str) -> str:
    """Return what a person typed as plain signs: full-width folded, blanks and dashes dropped."""
    plain = unicodedata.normalize("NFKC", typed)
    kept = "".join(sign for sign in plain if not (sign.isspace() or sign in "-‐‑‒–—―−_"))
    return unicodedata.normalize("NFKC", kept)


def card_code(key: bytes, seed: uuid.UUID, serial: int) -> str:
    """Derive the code of one card: 15 digits from HMAC-SHA-256, then the Damm check digit."""
    drawn = hmac.digest(key, f"{seed.hex}:{serial}".encode(), "sha256")
    digits = f"{int.from_bytes(drawn, 'big') % 10 ** (CODE_DIGITS - 1):0{CODE_DIGITS - 1}d}"
    return digits + damm_digit(digits)


def code_hash(key: bytes, code: str) -> bytes:
    """Return the keyed hash under which a card is stored and found (32 bytes)."""
    return hmac.digest(key, fold(code).encode(), "sha256")


def receipt_code(key: bytes, submission_key: uuid.UUID) -> str:
    """Derive the receipt of a submission: 12 signs of an alphabet that survives being read out."""
    number = int.from_bytes(hmac.digest(key, submission_key.bytes, "sha256"), "big")
    signs = []
    for _ in range(_RECEIPT_LENGTH):
        number, index = divmod(number, len(CLEAR_SIGNS))
        signs.append(CLEAR_SIGNS[index])
    return "".join(signs)


def in_fours(code: str) -> str:
    """Return a code in groups of four, as it is printed."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
