"""The child process that opens what was uploaded: bytes on standard input, JSON on standard output.

Run by `app.confined`: what a hostile file makes of it ends with it. Only its limits are imported.
"""

import csv
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, time
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any, TypeAlias
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

MOST_ROWS = 10_000
MOST_COLUMNS = 100
LONGEST_CELL = 2_000
MOST_TEXT = 4_000_000
MOST_MEMBERS = 300
# An archive may grow to a hundred times its size, and to this much in any case, but not beyond.
LARGEST_UNPACKED = 40 * 1024 * 1024
UNPACKED_FREELY = 4 * 1024 * 1024
MOST_RATIO = 100
# Excel keeps 15 digits of a number and replaces the others by 0.
MOST_DIGITS = 15
LAST_ROW = 1_048_576

Cell: TypeAlias = str | dict[str, str]
"""What a person sees in a cell, or {"fault": why it cannot be taken}."""


class Refused(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """The file as a whole cannot be taken; `row` is where, if that can be said."""

    def __init__(self, why: str, row: int | None = None) -> None:
        self.why = why
        self.row = row
        super().__init__(why)


def main(kind: str) -> None:
    """Read one file of this kind within the limits: `csv`, `xlsx`, or every sheet (`sheets`)."""
    content = sys.stdin.buffer.read()
    readers = {"csv": _text_file, "xlsx": _first_sheet, "sheets": _every_sheet}
    try:
        result = readers[kind](content)
    except Refused as refused:
        result = {"refused": refused.why, "row": refused.row}
    json.dump(result, sys.stdout)


def _within_limits(rows: Iterator[tuple[int, list[Cell]]]) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the rows that hold something, without their empty end."""
    count = text = 0
    for number, cells in rows:
        while cells and cells[-1] == "":
            cells.pop()
        if not cells:
            continue
        count += 1
        text += sum(map(len, cells))
        if count > MOST_ROWS or text > MOST_TEXT:
            raise Refused("rows")
        if len(cells) > MOST_COLUMNS:
            raise Refused("columns", number)
        yield number, cells


def _text(value: str) -> Cell:
    text = value.replace("\r\n", "\n").strip()
    return {"fault": "long"} if len(text) > LONGEST_CELL else text


# ---------------------------------------------------------------------------------------------
# CSV
# ---------------------------------------------------------------------------------------------


def _text_file(content: bytes) -> dict[str, object]:
    return {"rows": list(_records(content))}


def _records(content: bytes) -> Iterator[tuple[int, list[Cell]]]:
    csv.field_size_limit(LONGEST_CELL)
    text = _decoded(content)
    lines = csv.reader(StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    yield from _within_limits(_numbered(lines))


def _numbered(lines: Iterator[list[str]]) -> Iterator[tuple[int, list[Cell]]]:
    # A record is a row of the sheet that Excel shows, also where a cell has several lines.
    number = 0
    try:
        for number, cells in enumerate(lines, 1):
            yield number, [_text(cell) for cell in cells]
    except csv.Error as error:
        why = "long" if "field larger" in str(error) else "quotes"
        raise Refused(why, number + 1) from None


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise Refused("encoding")


def _separator(text: str) -> str:
    """Return the sign that stands most often between the headings."""
    first = next((line for line in StringIO(text) if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max(",;\t", key=outside.count)


# ---------------------------------------------------------------------------------------------
# Excel
# ---------------------------------------------------------------------------------------------

_REFUSED_PARTS = (
    ("xl/workbook.bin", "not_xlsx"),
    ("vbaproject", "macros"),
    ("macrosheets/", "macros"),
    ("activex", "macros"),
    ("embeddings/", "macros"),
    ("externallinks/", "links"),
    ("xl/connections.xml", "links"),
)
_XML = (".xml", ".rels")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""")


def _first_sheet(content: bytes) -> dict[str, object]:
    return next(_sheets(content))


def _every_sheet(content: bytes) -> dict[str, object]:
    return {"sheets": list(_sheets(content))}


def _sheets(content: bytes) -> Iterator[dict[str, object]]:
    """Yield every visible sheet of a workbook, at least one."""
    parts = _unpacked(content)
    # numpy is installed for other work, and openpyxl would take it along: 100 ms and 30 MB.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    from openpyxl import load_workbook  # noqa: PLC0415 - after the limits and the checks

    # Read-only: it never looks at drawings, comments, charts and what else an archive may hold.
    book = load_workbook(_repacked(parts), read_only=True, keep_links=False)
    visible = [one for one in book.worksheets if one.sheet_state == "visible"]
    if not visible:
        raise Refused("nothing")
    for sheet in visible:
        yield _sheet(sheet, parts)


def _sheet(sheet: Any, parts: dict[str, bytes]) -> dict[str, object]:  # noqa: ANN401 - a library's
    sheet.reset_dimensions()  # a sheet's word about its own size
    rows = dict(_within_limits(_cells(sheet)))
    layout = _Layout(parts[vars(sheet)["_worksheet_path"]])  # nothing public names the part
    layout.fill_merged(rows)
    return {
        "title": sheet.title,
        "rows": sorted(rows.items()),
        "hidden_rows": sorted(layout.hidden_rows & rows.keys()),
        "hidden_columns": sorted(layout.hidden_columns),
    }


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Return every part as it really is: what an archive says about sizes is not believed."""
    left = min(LARGEST_UNPACKED, max(UNPACKED_FREELY, MOST_RATIO * len(content)))
    parts: dict[str, bytes] = {}
    try:
        with ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise Refused("bomb")
            for member in members:
                if member.flag_bits & 1:
                    raise Refused("encrypted")
                if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
                    raise Refused("damaged")
                with archive.open(member) as stream:
                    part = stream.read(left + 1)
                left -= len(part)
                if left < 0:
                    raise Refused("bomb")
                if member.filename in parts:
                    raise Refused("damaged")
                parts[member.filename] = part
    except (BadZipFile, EOFError, NotImplementedError) as error:
        raise Refused("damaged") from error
    _check_parts(parts)
    return parts


def _check_parts(parts: dict[str, bytes]) -> None:
    for name in parts:
        for sign, why in _REFUSED_PARTS:
            if sign in name.lower():
                raise Refused(why)
    types = parts.get("[Content_Types].xml", b"").lower()
    if b"macroenabled" in types or b"vbaproject" in types:
        raise Refused("macros")
    if "xl/workbook.xml" not in parts:
        raise Refused("not_xlsx")
    for name, part in parts.items():
        if name.lower().endswith(_XML):
            _check_xml(part)


def _check_xml(part: bytes) -> None:
    # In UTF-16, or in an encoding of its own, a declaration could hide from the search below.
    declared = _DECLARED.match(part[:200].removeprefix(b"\xef\xbb\xbf"))
    is_utf8 = declared is None or declared[1].lower() in {b"utf-8", b"us-ascii"}
    if not is_utf8 or b"\0" in part or part[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise Refused("damaged")
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise Refused("doctype")


def _repacked(parts: dict[str, bytes]) -> BytesIO:
    """Return an archive of the checked parts alone, written by us."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, part in parts.items():
            if name.lower().endswith(_XML):
                archive.writestr(name, part)
    return file


def _cells(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:  # noqa: ANN401 - a library's class
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > LAST_ROW:
            raise Refused("damaged")
        yield number, [_shown(cell) for cell in row]


def _shown(cell: Any) -> Cell:  # noqa: ANN401 - a library's class
    """Return what a person sees in a cell, with all its digits."""
    if cell.data_type in {"f", "e"}:
        return {"fault": "formula" if cell.data_type == "f" else "error"}
    match cell.value:
        case None:
            return ""
        case bool() as truth:
            return str(truth).upper()
        case int() | float() as number:
            return _number(Decimal(repr(number)), str(cell.number_format))
        case datetime() as instant:
            return instant.strftime("%F" if instant.time() == time() else "%F %T")
        case value:  # a text, a time of day or a span of time
            return _text(str(value))


def _number(number: Decimal, pattern: str) -> Cell:
    if not number.is_finite():
        return {"fault": "error"}
    if abs(number) >= 10**MOST_DIGITS:
        return {"fault": "digits"}
    if "%" in pattern:
        return _padded(_plain(number * 100), pattern) + "%"
    if re.fullmatch("0+", pattern):  # leading zeros, as codes of areas have them
        return _plain(number).zfill(len(pattern))
    return _padded(_plain(number), pattern)


def _padded(text: str, pattern: str) -> str:
    # 88.30% is not 88.3%: the places say how far the figure was rounded.
    found = re.fullmatch(r"(?:#,##)?0\.(0+)%?", pattern)
    if not found:
        return text
    whole, _, places = text.partition(".")
    return f"{whole}.{places.ljust(len(found[1]), '0')}"


def _plain(number: Decimal) -> str:
    return format(number.normalize() + 0, "f")


class _Layout:
    """What of a sheet a person does not see, and which cells of it look like one."""

    def __init__(self, part: bytes) -> None:
        from defusedxml.ElementTree import iterparse  # noqa: PLC0415 - with the library's

        self.hidden_rows: set[int] = set()
        self.hidden_columns: set[int] = set()
        self._merged: list[str] = []
        last = 0
        for _event, element in iterparse(BytesIO(part), forbid_dtd=True):
            kind = element.tag.rpartition("}")[2]
            is_hidden = element.get("hidden") in {"1", "true"}
            if kind == "row":
                number = int(element.get("r", last + 1))
                if number <= last:  # the library would leave such a row out
                    raise Refused("damaged")
                last = number
                if is_hidden:
                    self.hidden_rows.add(number)
                element.clear()
            elif kind == "col" and is_hidden:
                first, until = int(element.get("min")), int(element.get("max"))
                self.hidden_columns.update(range(first - 1, min(until, MOST_COLUMNS)))
            elif kind == "mergeCell":
                self._merged.append(element.get("ref"))

    def fill_merged(self, rows: dict[int, list[Cell]]) -> None:
        """Put the value of merged cells into each of them: it is what the eye reads there."""
        from openpyxl.worksheet.cell_range import CellRange  # noqa: PLC0415 - with the library's

        for area in map(CellRange, self._merged):
            value = _cell(rows.get(area.min_row, []), area.min_col)
            if value == "" or area.max_col > MOST_COLUMNS:
                continue
            for number in range(area.min_row, min(area.max_row, max(rows)) + 1):
                if number in rows:
                    cells = rows[number]
                    cells += [""] * (area.max_col - len(cells))
                    width = area.max_col - area.min_col + 1
                    cells[area.min_col - 1 : area.max_col] = [value] * width


def _cell(cells: Sequence[Cell], column: int) -> Cell:
    return cells[column - 1] if len(cells) >= column else ""


if __name__ == "__main__":
    main(sys.argv[1])
