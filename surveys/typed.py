"""What people type, made comparable: the same text however it was keyed in."""

import re
import unicodedata
from datetime import date
from decimal import Decimal

from surveys.logic import MOST_DIGITS

_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters and halves of surrogate pairs: no database and no document takes them all.
_UNPRINTABLE = frozenset({"Cc", "Cs"})
# What stands for a point, a comma or a minus on Chinese and Arabic keyboards.
_NUMBER_SIGNS = str.maketrans("。．٫、٬−", "...,,-")
_NUMBER = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}([, ][0-9]{3})+)(\.[0-9]+)?")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})"
    r"|\.([0-9]{1,2})\.([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})[日号]?|([0-9]{2})([0-9]{2}))"
)


def clean_text(typed: str, *, multiline: bool) -> str:
    """Return typed text trimmed, with line ends as in Unix and without control characters.

    In a text of one line, line ends and tabs become spaces.
    """
    text = _LINE_ENDS.sub("\n", typed).replace("\t", " ")
    if not multiline:
        text = text.replace("\n", " ")
    kept = (sign for sign in text if sign == "\n" or unicodedata.category(sign) not in _UNPRINTABLE)
    return "".join(kept).strip()


def number_or_none(typed: str, unit: str = "") -> Decimal | None:
    """Read a number as people key it in; None when it is none.

    Full-width and other scripts' digits, a unit after it, and commas or spaces between groups of
    three are understood. "1,5" is refused: it may mean one and a half, or fifteen.
    """
    folded = unicodedata.normalize("NFKC", typed).strip().translate(_NUMBER_SIGNS)
    folded = folded.removesuffix(unicodedata.normalize("NFKC", unit)).strip()
    folded = "".join(_ascii_digit(sign) for sign in folded)
    if not _NUMBER.fullmatch(folded):
        return None
    plain = re.sub("[, ]", "", folded)
    return Decimal(plain) if sum(map(str.isdigit, plain)) <= MOST_DIGITS else None


def number_text(number: Decimal) -> str:
    """Write a number in the one way in which it is stored: "1200.5", never "1,200.50"."""
    if number == 0:
        return "0"
    text = format(number, "f").removeprefix("+")
    return text.rstrip("0").rstrip(".") if "." in text else text


def date_or_none(typed: str) -> date | None:
    """Read a day such as 2026-03-05, 2026年3月5日, 2026/3/5 or 20260305; None when it is none."""
    folded = "".join(map(_ascii_digit, unicodedata.normalize("NFKC", typed)))
    found = _DATE.fullmatch(re.sub(r"\s", "", folded))
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups() if part))
    except ValueError:
        return None


def _ascii_digit(sign: str) -> str:
    digit = unicodedata.decimal(sign, None)
    return sign if digit is None else str(digit)
