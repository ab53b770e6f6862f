"""Tables that people take away: no cell of them is a formula, whatever residents or staff typed."""

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from io import BytesIO, StringIO
from typing import TypeAlias

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from app.errors import Sentence
from app.formats import decimal, percent
from app.spreadsheets.parsing import MOST_ROWS


@dataclass(frozen=True, slots=True)
class Percent:
    """A rate (exact, 0 to 1) with the places that it is published with."""

    value: Fraction
    places: int = 2


Value: TypeAlias = Sentence | int | Decimal | Percent | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table with its title and its headings; None is an empty cell, never 0.

    With `choices`, by the number of the column, it is a form: what may be chosen drops down below
    the heading, and whatever is typed stays the text that it is. The lists stand on a page of
    their own, or, where `are_short` says that they are closed and few, inside the cells' rule.
    """

    title: Sentence
    headings: Sequence[Sentence]
    rows: Sequence[Sequence[Value]]
    choices: Mapping[int, Sequence[str]] | None = None
    are_short: bool = False


# ---------------------------------------------------------------------------------------------
# Excel
# ---------------------------------------------------------------------------------------------

_LONGEST_TITLE, _LONGEST_CELL, _WIDEST = 31, 32_767, 60
_MOST_DIGITS = 15
_CHOICES = "选项"
_LITERAL = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def xlsx(sheets: Sequence[Sheet]) -> bytes:
    """Write a workbook; texts are texts, numbers numbers, and the headings stay in sight.

    A percentage is the published figure, as a number with its own format: 79.61% holds 0.7961.
    """
    file = BytesIO()
    with Workbook(file, _LITERAL) as book:
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        titles: list[str] = []
        for sheet in sheets:
            titles.append(_sheet_title(str(sheet.title), titles))
            page = book.add_worksheet(titles[-1])
            _fill(book, page, sheet, head)
            if sheet.choices is not None and sheet.are_short:
                _offer_inside(page, sheet.choices)
            elif sheet.choices is not None:
                titles.append(_sheet_title(_CHOICES, titles))
                _offer(page, book.add_worksheet(titles[-1]), sheet)
    return file.getvalue()


def _fill(book: Workbook, page: Worksheet, sheet: Sheet, head: Format) -> None:
    is_form = sheet.choices is not None
    wrapped = {"text_wrap": True, "valign": "top"}
    formats = {"": book.add_format({**wrapped, "num_format": "@"} if is_form else wrapped)}
    widths = [0] * len(sheet.headings)
    for number, row in enumerate([sheet.headings, *sheet.rows]):
        for place, value in enumerate(row):
            shown = _number(value)
            if shown is not None:
                exact, pattern = shown
                if pattern not in formats:
                    formats[pattern] = book.add_format({"num_format": pattern, "valign": "top"})
                page.write_number(number, place, exact, formats[pattern])
            elif value is not None:
                text = _storable(str(value))
                page.write_string(number, place, text, formats[""] if number else head)
                widths[place] = max(widths[place], _width(text))
    page.freeze_panes(1, 0)
    for place, width in enumerate(widths):
        below = formats[""] if is_form else None
        page.set_column(place, place, max(8, min(_WIDEST, width + 2)), below)


def _offer_inside(page: Worksheet, choices: Mapping[int, Sequence[str]]) -> None:
    for place, offered in choices.items():
        rule = {"validate": "list", "source": [*offered]}
        page.data_validation(1, place, MOST_ROWS, place, rule)


def _offer(page: Worksheet, other: Worksheet, sheet: Sheet) -> None:
    # From cells of a page of their own: a list inside the rule may have 255 characters at most.
    for place, offered in (sheet.choices or {}).items():
        other.write_string(0, place, _storable(str(sheet.headings[place])))
        for number, text in enumerate(offered, 1):
            other.write_string(number, place, _storable(text))
        column = xl_col_to_name(place)
        source = f"='{other.get_name()}'!${column}$2:${column}${len(offered) + 1}"
        page.data_validation(1, place, MOST_ROWS, place, {"validate": "list", "source": source})


def _number(value: Value) -> tuple[Decimal, str] | None:
    """Return a value as Excel can hold it, with its format; None if it has to be a text."""
    match value:
        case Percent():
            return decimal(value.value, value.places + 2), _pattern(value.places) + "%"
        case int() | Decimal():
            exact = Decimal(value)
            places = max(0, -int(exact.as_tuple().exponent)) if exact.is_finite() else 0
            is_kept = exact.is_finite() and len(exact.as_tuple().digits) <= _MOST_DIGITS
            return (exact, _pattern(places)) if is_kept else None
        case _:
            return None


def _pattern(places: int) -> str:
    return "0." + "0" * places if places else "0"


def _width(text: str) -> int:
    wide = (2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text[:_WIDEST])
    return sum(wide)


def _sheet_title(title: str, taken: Sequence[str]) -> str:
    """Return what Excel takes for a sheet's name, different from the others'."""
    clean = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", _storable(title)).strip("' ") or "_"
    short = clean[:_LONGEST_TITLE]
    known = {"history", *(other.lower() for other in taken)}
    number = 2
    while short.lower() in known:
        ending = f"_{number}"
        short, number = clean[: _LONGEST_TITLE - len(ending)] + ending, number + 1
    return short


# ---------------------------------------------------------------------------------------------
# CSV
# ---------------------------------------------------------------------------------------------

# What spreadsheets skip before they decide whether a cell is a formula.
_SKIPPED = {"Zs", "Zl", "Zp", "Cf", "Cc"}
_IS_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?%?", re.ASCII)


def csv_bytes(sheet: Sheet) -> bytes:
    """Write a sheet as CSV that Excel opens: UTF-8 with a mark, and no cell begins a formula."""
    file = StringIO()
    writer = csv.writer(file)
    for row in (sheet.headings, *sheet.rows):
        writer.writerow([_guarded(_csv_text(value)) for value in row])
    return file.getvalue().encode("utf-8-sig")


def _csv_text(value: Value) -> str:
    match value:
        case None:
            return ""
        case Percent():
            return percent(value.value, value.places)
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
        case _:
            return _storable(str(value))


def _guarded(text: str) -> str:
    rest = text
    while rest and unicodedata.category(rest[0]) in _SKIPPED:
        rest = rest[1:]
    skipped = text[: len(text) - len(rest)]
    begins = unicodedata.normalize("NFKC", rest[:1])[:1]
    is_formula = begins in {"=", "+", "-", "@"} or any(sign in skipped for sign in "\t\r\n")
    return f"'{text}" if is_formula and not _IS_NUMBER.fullmatch(text) else text


def _storable(text: str) -> str:
    """Replace what XML cannot hold by a sign that shows, and say where a cell was cut."""
    kept = "".join("\ufffd" if _is_illegal(sign) else sign for sign in text)
    return kept if len(kept) <= _LONGEST_CELL else f"{kept[: _LONGEST_CELL - 1]}…"


def _is_illegal(sign: str) -> bool:
    return sign in "\ufffe\uffff" or (
        unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\t\r\n"
    )


# ---------------------------------------------------------------------------------------------
# Names of files
# ---------------------------------------------------------------------------------------------

_LONGEST_NAME = 80
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def file_name(title: str) -> str:
    """Return a title as every system takes it for a file's name: no path, nothing unseen."""
    text = unicodedata.normalize("NFC", title)
    clean = "".join(
        "_" if sign in '/\\:*?"<>|' or unicodedata.category(sign)[0] in "CZ" else sign
        for sign in text
    )
    short = clean.strip("._")[:_LONGEST_NAME].rstrip("._")
    return f"_{short}" if not short or _RESERVED.fullmatch(short) else short
