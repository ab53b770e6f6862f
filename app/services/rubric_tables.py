"""A rubric's tables changed in part: one indicator, the head, or the figures of another report."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from analysis.scoring.book import (
    ABOUT,
    BY_KEY,
    INDICATORS,
    OF_INDICATOR,
    ROUNDINGS,
    RULE_KINDS,
    SCOPES,
    Book,
    Line,
)

# Rows that a form shows are numbered from 1; the others begin here, so that a fault is theirs.
ELSEWHERE = 100_000

_FIELD = re.compile(r"([a-z_]+)\.([1-9][0-9]{0,4})\.([a-z_.0-9]+)", re.ASCII)
_RESULTS = {"measurements", "tables", "columns", "amounts", "level_counts"}
# Their most points are the weight, when nobody says otherwise.
_FULL_IS_WEIGHT = {RULE_KINDS[kind] for kind in ("proportional", "deduct", "judgement")}


def field_name(sheet: str, row: int, column: str) -> str:
    """Return the name of a cell in a form."""
    return f"{sheet}.{row}.{column}"


def typed_book(fields: Mapping[str, str]) -> dict[str, list[Line]]:
    """Return the rows that a form sent, by sheet, in order; what names no cell is passed over."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for name, value in fields.items():
        match = _FIELD.fullmatch(name)
        table = BY_KEY.get(match[1]) if match else None
        if match and table and any(column.key == match[3] for column in table.columns):
            text = value.replace("\r\n", "\n").strip()
            found.setdefault((table.key, int(match[2])), {})[match[3]] = text
    return {
        sheet: [Line(row, found[sheet, row]) for _sheet, row in cells]
        for sheet, cells in groupby(sorted(found), key=lambda each: each[0])
    }


def rows_of(book: Book, place: int) -> dict[str, list[Line]]:
    """Return the rows of the indicator at this place, counted from 0, by sheet; of none beyond.

    They are numbered from 1, as a form shows them.
    """
    return {key: _numbered(lines) for key, lines in _lines_of(book, place).items()}


def _numbered(lines: Sequence[Line]) -> list[Line]:
    return [Line(number, line.cells) for number, line in enumerate(lines, 1)]


def _lines_of(book: Book, place: int) -> dict[str, list[Line]]:
    indicator = [*book[INDICATORS.key]][place : place + 1]
    code = indicator[0].cells["code"] if indicator else None
    found = {INDICATORS.key: indicator}
    for table in OF_INDICATOR:
        lines = book.get(table.key, ())
        found[table.key] = [line for line in lines if line.cells.get("code") == code and indicator]
    return found


def with_indicator(book: Book, place: int, changed: Book | None) -> Book:
    """Return the tables with other rows for the indicator at a place, or without it."""
    old = {id(line) for lines in _lines_of(book, place).values() for line in lines}
    made: dict[str, list[Line]] = {
        key: [Line(ELSEWHERE + line.number, line.cells) for line in lines if id(line) not in old]
        for key, lines in book.items()
    }
    if changed is not None:
        (indicator,) = changed[INDICATORS.key]
        made[INDICATORS.key].insert(place, indicator)
        code = {"code": indicator.cells.get("code", "")}
        for table in OF_INDICATOR:
            for line in changed.get(table.key, ()):
                if any(line.cells.values()):
                    made[table.key].append(Line(line.number, {**line.cells, **code}))
    return made


def with_head(book: Book, changed: Book) -> Book:
    """Return the tables with another head: all that belongs to no indicator."""
    made: dict[str, Sequence[Line]] = {}
    of_one = {table.key for table in OF_INDICATOR}
    for key, lines in book.items():
        kept = [
            Line(ELSEWHERE + line.number, line.cells)
            for line in lines
            if key == INDICATORS.key or (key in of_one and line.cells.get("code"))
        ]
        made[key] = [*kept, *(changed.get(key, ()) if key != INDICATORS.key else ())]
    return made


def head_of(book: Book) -> dict[str, list[Line]]:
    """Return the rows that belong to no indicator, by sheet, numbered from 1."""
    of_one = {table.key for table in OF_INDICATOR}
    return {
        key: _numbered([line for line in lines if key not in of_one or not line.cells.get("code")])
        for key, lines in book.items()
        if key != INDICATORS.key
    }


def without_results(book: Book) -> Book:
    """Return a rubric's tables without what its document prints as results."""
    made: dict[str, Sequence[Line]] = {
        key: [Line(line.number, _scheme_cells(key, line.cells)) for line in lines]
        for key, lines in book.items()
        if key not in _RESULTS
    }
    made["subtotals"] = [line for line in made.get("subtotals", ()) if "out_of" in line.cells]
    return {**dict.fromkeys(_RESULTS, ()), **made}


def _scheme_cells(sheet: str, cells: Mapping[str, str]) -> dict[str, str]:
    def is_kept(key: str) -> bool:
        if sheet == "subtotals" and key == "points":
            return False
        if key in {"published.total.out_of", "published.total.place"}:
            return "published.total.out_of" in cells
        return not key.startswith(("measured.", "published."))

    return {key: text for key, text in cells.items() if is_kept(key)}


def renamed(book: Book, slug: str, title: str) -> Book:
    """Return a rubric's tables under another name."""
    about = [
        Line(line.number, {**line.cells, "id": slug, "title": title}) for line in book[ABOUT.key]
    ]
    return {**book, ABOUT.key: about}


def with_figures(book: Book, typed: Book) -> Book:
    """Return a rubric's tables with the figures that were typed for a report, row by row."""
    made: dict[str, Sequence[Line]] = dict(book)
    for key, lines in typed.items():
        known = {line.number: line.cells for line in made.get(key, ())}
        made[key] = [
            Line(line.number, {**known.get(line.number, {}), **line.cells}) for line in lines
        ]
    return made


def completed(book: Book) -> Book:
    """Return a report's tables with what a form does not ask for filled in as its page says.

    Points are shown to two places, half up; an indicator whose rule was not typed has criteria
    that nobody knows; the most points of a rule are the indicator's weight.
    """
    about = book.get(ABOUT.key) or [Line(1, {})]
    return {
        **book,
        ABOUT.key: [Line(line.number, _filled(line.cells, _ABOUT)) for line in about],
        INDICATORS.key: [
            Line(line.number, _completed(line.cells))
            for line in book.get(INDICATORS.key, ())
            if any(line.cells.values())
        ],
    }


_ABOUT = {
    "id": "report",
    "scope": SCOPES["complete"],
    "source.place": "报告",
    "rounding.mode": ROUNDINGS["half_up"],
    "rounding.places": "2",
}


def _completed(cells: Mapping[str, str]) -> dict[str, str]:
    if not cells.get("rule.kind"):
        unknown = {"rule.kind": RULE_KINDS["unknown"], "rule.reason": "没有输入评分标准"}
        return _filled({**cells, **unknown}, {"criteria": "（没有输入）"})
    defaults = {"criteria": "（没有输入）"}
    if cells["rule.kind"] in _FULL_IS_WEIGHT:
        defaults["rule.full"] = cells.get("weight", "")
    return _filled(cells, defaults)


def _filled(cells: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    return {**cells, **{key: text for key, text in defaults.items() if not cells.get(key)}}
