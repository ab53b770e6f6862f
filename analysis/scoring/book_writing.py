"""From a rubric file to tables that people fill in; what they cannot say is refused, not lost."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from analysis.scoring import toml, wording
from analysis.scoring.book import (
    ABOUT,
    AMOUNTS,
    BANDS,
    COLUMNS,
    CONDITIONS_TABLE,
    FLAGS,
    GRADES,
    INDICATORS,
    LEVEL_COUNTS,
    MEASUREMENTS,
    PARTS,
    READINGS,
    SHEETS,
    SUBTOTALS,
    TABLES,
    Book,
    BookRefused,
    Cell,
    Column,
    Line,
    Table,
)
from analysis.scoring.book_reading import document_of
from analysis.scoring.rubric import RubricError, read

Cells = dict[str, str]
Document = Mapping[str, Any]

_ON_ROW = {"percent", "number", "numerator", "base"}


def book_of(document: Document) -> Book:
    """Return the document of a usable rubric file as tables.

    Raises: `RubricError` where the tables could not say the same, rather than lose anything.
    """
    book = _book(document)
    name = str(document.get("id", ""))
    try:
        again = read(document_of(book), name)
    except (BookRefused, RubricError) as fault:
        raise RubricError(name, "", wording.cannot_be_tables(str(fault))) from None
    if again != read(document, name):
        raise RubricError(name, "", wording.cannot_be_tables(""))
    return book


def rubric_text(book: Book) -> str:
    """Return what the tables say as the text of a rubric file. Raises: `BookRefused`."""
    return toml.dump(document_of(book))


def _book(document: Document) -> Book:
    rows: dict[str, list[Cells]] = {table.key: [] for table in SHEETS}
    rows[ABOUT.key].append(_cells(ABOUT, document))
    rows[GRADES.key] += [_cells(GRADES, one) for one in document.get("grades", [])]
    for indicator in document.get("indicators", []):
        _add_indicator(rows, indicator)
    published = document.get("published", {})
    for table in (SUBTOTALS, LEVEL_COUNTS, COLUMNS):
        rows[table.key] += [_cells(table, one) for one in published.get(table.key, [])]
    for amount in published.get("amounts", []):
        rows[AMOUNTS.key] += [
            _cells(AMOUNTS, {**stated, "name": amount["name"]}) for stated in amount["stated"]
        ]
    rows[MEASUREMENTS.key] += _measurement_rows("", published.get("figures", []))
    return {
        key: [Line(number, cells) for number, cells in enumerate(found, 1)]
        for key, found in rows.items()
    }


def _add_indicator(rows: dict[str, list[Cells]], indicator: Document) -> None:
    code, published = indicator["code"], indicator.get("published", {})
    measurements = list(published.get("measurements", []))
    cells = _cells(INDICATORS, indicator)
    if measurements and _fits_on_row(measurements[0]):
        first = measurements.pop(0)
        measured = {"measured": {**first["figures"][0], "place": first["place"]}}
        cells |= _cells(INDICATORS, measured)
    rows[INDICATORS.key].append(cells)
    _add_rule(rows, indicator["rule"], {"code": code})
    for reading in indicator.get("readings", []):
        rows[READINGS.key].append(_cells(READINGS, {**reading, "code": code}))
        _add_rule(rows, reading["rule"], {"code": code, "reading": reading["id"]})
    rows[CONDITIONS_TABLE.key] += [
        _cells(CONDITIONS_TABLE, {**one, "code": code}) for one in indicator.get("conditions", [])
    ]
    rows[MEASUREMENTS.key] += _measurement_rows(code, measurements)
    rows[TABLES.key] += _table_rows(code, published.get("tables", []))


def _fits_on_row(measurement: Document) -> bool:
    figures = measurement.get("figures", [])
    is_plain = measurement.keys() <= {"place", "figures"}
    return is_plain and len(figures) == 1 and figures[0].keys() <= _ON_ROW


def _add_rule(rows: dict[str, list[Cells]], rule: Document, owner: Mapping[str, str]) -> None:
    unit = rule.get("unit", "")
    for band in rule.get("bands", []):
        cells = _cells(BANDS, {**band, **owner})
        cells["lower"] = band["lower"] if unit else _share(band["lower"])
        rows[BANDS.key].append(cells)
    for part in rule.get("parts", []):
        rows[PARTS.key].append(_cells(PARTS, {**part, **owner}))
        if "rule" in part:
            _add_rule(rows, part["rule"], {**owner, "part": part["id"]})


def _measurement_rows(code: str, measurements: list[Document]) -> Iterator[Cells]:
    for turn, measurement in enumerate(measurements, 1):
        head = {
            key: measurement[key] for key in ("place", "combine", "at_least") if key in measurement
        }
        for statement in _statements(measurement):
            yield _cells(MEASUREMENTS, {**statement, **head, "code": code, "turn": turn})
            head = {}


def _statements(measurement: Document) -> Iterator[dict[str, Any]]:
    yield from (dict(figure) for figure in measurement.get("figures", []))
    for part, stated in measurement.get("parts", {}).items():
        match stated:
            case bool():
                yield {"part": part, "met": stated}
            case int():
                yield {"part": part, "cases": stated}
            case str():
                yield {"part": part, "given": stated}
            case _:
                yield {"part": part, **stated}


def _table_rows(code: str, tables: list[Document]) -> Iterator[Cells]:
    for table in tables:
        head = {key: table[key] for key in ("n", "percent_total") if key in table}
        for row in table.get("rows", []):
            yield _cells(TABLES, {**row, **head, "code": code, "place": table["place"]})
            head = {}


def _cells(table: Table, entry: Document) -> Cells:
    cells = {}
    for column in table.columns:
        value = _find(entry, column.key)
        if value is not None:
            cells[column.key] = _shown(column, value)
    return cells


def _find(value: Any, key: str) -> Any:  # noqa: ANN401 - a value of a document
    for step in key.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _shown(column: Column, value: Any) -> str:  # noqa: ANN401 - a value of a document
    match column.cell:
        case Cell.FLAG:
            return FLAGS["true" if value else "false"]
        case Cell.WORD:
            return column.words[value]
        case Cell.SHARE:
            return _share(value)
        case Cell.AMOUNTS:
            return "；".join(value)
        case _:
            return str(value)


def _share(number: str) -> str:
    return wording.exact_percent(Decimal(number))
