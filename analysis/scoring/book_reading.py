"""From tables that people filled in to the keys of a rubric file, every fault by its cell."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from analysis.scoring import wording
from analysis.scoring.book import (
    ABOUT,
    AMOUNTS,
    BANDS,
    BY_KEY,
    COLUMNS,
    CONDITIONS_TABLE,
    FLAGS,
    GRADES,
    INDICATORS,
    LEVEL_COUNTS,
    LEVELS,
    MEASUREMENTS,
    PARTS,
    PLACES,
    READINGS,
    SUBTOTALS,
    TABLES,
    Book,
    BookFault,
    BookRefused,
    Cell,
    Column,
    Line,
    Table,
)
from analysis.scoring.feed import DECIMAL, UNKNOWN_KEY
from analysis.scoring.rubric import RubricError, faults

Document = dict[str, Any]

BETWEEN_AMOUNTS = re.compile(r"[;；\n]+")
LONGEST_CELL = 2_000
WHOLE = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
# A share above this without its sign is 90 typed for 90 in the hundred, and not ninety times.
MOST_BARE_SHARE = 2


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row with what its cells say, by the keys of the file, and by what faults call it."""

    table: Table
    line: Line
    raw: Document

    def word(self, key: str) -> str:
        """Return a cell as it was typed."""
        return self.line.cells.get(key, "").strip()


@dataclass(frozen=True, slots=True)
class _Holder:
    """A rule that rows of other sheets add to, and its key in the file."""

    rule: Document
    key: str


def document_of(book: Book) -> Document:
    """Return what the tables say as the document of a rubric file, checked as files are.

    Raises: `BookRefused` with every fault that can be told at once, each by its cell.
    """
    reader = _Reader()
    document = reader.document(book)
    if reader.faults:
        raise BookRefused(reader.faults)
    found = [reader.located(fault) for fault in faults(document)]
    if found:
        raise BookRefused(found)
    return document


class _Reader:
    """The faults found so far, and the cell that each key of the document came from."""

    def __init__(self) -> None:
        self.faults: list[BookFault] = []
        self._cells: dict[str, tuple[_Entry, str]] = {}
        self._codes: dict[str, int] = {}
        self._indicators: list[Document] = []
        self._holders: dict[tuple[str, str, str], _Holder] = {}

    def document(self, book: Book) -> Document:
        """Return the document, as far as the cells can be read."""
        entries = {key: list(self._entries(table, book)) for key, table in BY_KEY.items()}
        for entry in entries[INDICATORS.key]:
            self._add_indicator(entry)
        for table, add in (
            (READINGS, self._add_reading),
            (PARTS, self._add_part),
            (BANDS, self._add_band),
            (CONDITIONS_TABLE, self._add_condition),
            (TABLES, self._add_table_row),
        ):
            for entry in entries[table.key]:
                add(entry)
        whole = self._add_measurements(entries[MEASUREMENTS.key])
        head = self._head(entries[ABOUT.key])
        published = self._results(entries, head.pop("published", {}), whole)
        grades = [self._kept(each, f"grades[{at}]") for at, each in enumerate(entries[GRADES.key])]
        return {
            **head,
            **({"grades": grades} if grades else {}),
            **({"published": published} if published else {}),
            "indicators": self._indicators,
        }

    def located(self, fault: RubricError) -> BookFault:
        """Return a fault of the file as one of the cell that it came from."""
        key = fault.key
        while key not in self._cells and key:
            key = key.rpartition(".")[0] or (key.rpartition("[")[0] if "[" in key else "")
        reason = wording.NOT_OF_THIS_RULE if fault.reason == UNKNOWN_KEY else fault.reason
        if key not in self._cells:
            return BookFault(ABOUT.key, 0, "", f"{fault.key}：{reason}")
        entry, column = self._cells[key]
        return BookFault(entry.table.key, entry.line.number, column, reason)

    # -----------------------------------------------------------------------------------------
    # Cells
    # -----------------------------------------------------------------------------------------

    def _entries(self, table: Table, book: Book) -> Iterator[_Entry]:
        for line in book.get(table.key, ()):
            raw: Document = {}
            entry = _Entry(table, line, raw)
            for column in table.columns:
                text = line.cells.get(column.key, "").strip()
                if text:
                    try:
                        _check_text(text)
                        _put(raw, column.key, _value(column, text))
                    except ValueError as fault:
                        self._refuse(entry, column.key, str(fault))
            if any(text.strip() for text in line.cells.values()):
                yield entry

    def _refuse(self, entry: _Entry, column: str, reason: str) -> None:
        self.faults.append(BookFault(entry.table.key, entry.line.number, column, reason))

    def _kept(self, entry: _Entry, key: str, below: str = "") -> Document:
        """Remember from which cells the keys below this one come, and return the row.

        `below` leads from there to the cells, where the file has them deeper.
        """
        first = entry.table.columns[0].key
        self._cells.setdefault(key, (entry, first))
        for column in entry.table.columns:
            self._cells[f"{key}{below}.{column.key}"] = (entry, column.key)
        if entry.table.columns and "rule.kind" in {each.key for each in entry.table.columns}:
            self._cells[f"{key}.rule"] = (entry, "rule.kind")
        return entry.raw

    # -----------------------------------------------------------------------------------------
    # Indicators, and what belongs to one
    # -----------------------------------------------------------------------------------------

    def _add_indicator(self, entry: _Entry) -> None:
        at = len(self._indicators)
        key = f"indicators[{at}]"
        raw = self._kept(entry, key)
        raw["path"] = self._path(entry)
        self._codes.setdefault(entry.word("code"), at)
        self._holders.setdefault((entry.word("code"), "", ""), _Holder(raw.get("rule", {}), key))
        self._indicators.append(raw)
        published = raw.get("published", {})
        for edition in ("annex", "text"):
            if edition in published:
                published[edition].setdefault("place", PLACES[edition])
        if "deducted" in published:
            published["deducted"].setdefault("place", PLACES["text"])
        if figure := raw.pop("measured", None):
            place = figure.pop("place", PLACES["measured"])
            measured = {"place": place, "figures": [figure]}
            raw.setdefault("published", {}).setdefault("measurements", []).append(measured)
            self._measured_on_row(entry, f"{key}.published.measurements[0]")

    def _measured_on_row(self, entry: _Entry, key: str) -> None:
        self._cells[key] = (entry, "measured.percent")
        for name in ("percent", "number", "numerator", "base"):
            self._cells[f"{key}.figures[0].{name}"] = (entry, f"measured.{name}")

    def _path(self, entry: _Entry) -> list[str]:
        names = [entry.word(f"path.{level}") for level in range(LEVELS)]
        entry.raw.pop("path", None)
        while names and not names[-1]:
            names.pop()
        if "" in names:
            self._refuse(entry, f"path.{names.index('')}", "上一级不能空着")
        return names

    def _owner(self, entry: _Entry) -> int | None:
        entry.raw.pop("code", None)
        at = self._codes.get(entry.word("code"))
        if at is None:
            self._refuse(entry, "code", "“指标”表里没有这个代码")
        return at

    def _holder(self, entry: _Entry, *names: str) -> _Holder | None:
        """Return the rule that a row adds to, found by its code, reading and part."""
        if self._owner(entry) is None:
            return None
        for name in names:
            entry.raw.pop(name, None)
        reading, part = (entry.word(name) if name in names else "" for name in ("reading", "part"))
        found = self._holders.get((entry.word("code"), reading, part))
        if found is None:
            column, what = ("part", "分项") if part else ("reading", "读法")
            self._refuse(entry, column, f"这个指标没有这个{what}")
        return found

    def _add_reading(self, entry: _Entry) -> None:
        at = self._owner(entry)
        if at is not None:
            readings = self._indicators[at].setdefault("readings", [])
            key = f"indicators[{at}].readings[{len(readings)}]"
            readings.append(self._kept(entry, key))
            names = (entry.word("code"), entry.word("id"), "")
            self._holders.setdefault(names, _Holder(entry.raw.get("rule", {}), key))

    def _add_part(self, entry: _Entry) -> None:
        if holder := self._holder(entry, "reading"):
            parts = holder.rule.setdefault("parts", [])
            self._cells.setdefault(f"{holder.key}.rule.parts", (entry, "id"))
            key = f"{holder.key}.rule.parts[{len(parts)}]"
            parts.append(self._kept(entry, key))
            names = (entry.word("code"), entry.word("reading"), entry.word("id"))
            if "rule" in entry.raw:
                self._holders.setdefault(names, _Holder(entry.raw["rule"], key))

    def _add_band(self, entry: _Entry) -> None:
        if holder := self._holder(entry, "reading", "part"):
            bands = holder.rule.setdefault("bands", [])
            self._cells.setdefault(f"{holder.key}.rule.bands", (entry, "lower"))
            bands.append(self._kept(entry, f"{holder.key}.rule.bands[{len(bands)}]"))
            text = entry.word("lower")
            if text and "unit" not in holder.rule and _is_bare(text):
                self._refuse(entry, "lower", wording.BARE_SHARE)

    def _add_condition(self, entry: _Entry) -> None:
        at = self._owner(entry)
        if at is not None:
            conditions = self._indicators[at].setdefault("conditions", [])
            conditions.append(self._kept(entry, f"indicators[{at}].conditions[{len(conditions)}]"))

    def _add_table_row(self, entry: _Entry) -> None:
        at = self._owner(entry)
        if at is None:
            return
        tables = self._indicators[at].setdefault("published", {}).setdefault("tables", [])
        raw = entry.raw
        head = {key: raw.pop(key) for key in ("place", "n", "percent_total") if key in raw}
        known = [table for table in tables if table.get("place") == head.get("place")]
        table = known[0] if known else {"rows": []}
        if not known:
            tables.append(table)
        key = f"indicators[{at}].published.tables[{tables.index(table)}]"
        for name, value in head.items():
            if table.setdefault(name, value) != value:
                self._refuse(entry, name, "同一张表的前面写的不是这个数")
        if not known:
            for name in ("place", "n", "percent_total"):
                self._cells[f"{key}.{name}"] = (entry, name)
        self._kept(entry, f"{key}.rows[{len(table['rows'])}]")
        table["rows"].append(raw)

    # -----------------------------------------------------------------------------------------
    # Measurements, and figures of no single indicator
    # -----------------------------------------------------------------------------------------

    def _add_measurements(self, entries: list[_Entry]) -> list[Document]:
        """Add the measurements to their indicators; return those of none."""
        whole: list[Document] = []
        known: dict[tuple[str, str], tuple[Document, str]] = {}
        for entry in entries:
            code, turn = entry.word("code"), entry.word("turn")
            where, key = self._list_of_measurements(entry, whole)
            if where is None:
                continue
            if turn and (code, turn) in known:
                measurement, key = known[code, turn]
            else:
                measurement, key = {}, f"{key}[{len(where)}]"
                where.append(measurement)
                known[code, turn] = measurement, key
                self._kept(entry, key)
            self._add_statement(entry, measurement, key)
        return whole

    def _list_of_measurements(
        self, entry: _Entry, whole: list[Document]
    ) -> tuple[list[Document] | None, str]:
        if not entry.word("code"):
            return whole, "published.figures"
        at = self._owner(entry)
        if at is None:
            return None, ""
        published = self._indicators[at].setdefault("published", {})
        return published.setdefault("measurements", []), f"indicators[{at}].published.measurements"

    def _add_statement(self, entry: _Entry, measurement: Document, key: str) -> None:
        raw = entry.raw
        raw.pop("turn", None)
        for name in ("place", "combine", "at_least"):
            if name in raw:
                measurement.setdefault(name, raw.pop(name))
        part, raw = raw.pop("part", None), {k: v for k, v in raw.items() if k != "code"}
        stated = [raw.pop(name) for name in ("met", "cases", "given") if name in raw]
        if part is None:
            figures = measurement.setdefault("figures", [])
            self._kept(entry, f"{key}.figures[{len(figures)}]")
            figures.append({**raw, **({"": ""} if stated else {})})
            if stated:
                self._refuse(entry, "part", "请写明是哪个分项")
                figures.pop()
            return
        if len(stated) + bool(raw) != 1:
            self._refuse(
                entry, "part", "分项的情况要写一样，只写一样：做到、缺失数、得分，或者印出的数"
            )
        self._kept(entry, f"{key}.parts.{part}")
        measurement.setdefault("parts", {})[part] = stated[0] if stated else raw

    def _head(self, entries: list[_Entry]) -> Document:
        empty = _Entry(ABOUT, Line(1, {}), {})
        head = self._kept(entries[0] if entries else empty, "")
        # The keys of the top level have no dot before them.
        for column in ABOUT.columns:
            self._cells[column.key] = self._cells.pop(f".{column.key}")
        self._cells.pop("", None)
        for name in ("source", "rounding"):
            self._cells[name] = (self._cells["id"][0], f"{name}.{_FIRST[name]}")
        return head

    def _results(
        self, entries: Mapping[str, list[_Entry]], published: Document, whole: list[Document]
    ) -> Document:
        if "total" in published:
            published["total"].setdefault("place", PLACES["annex"])
        for table in (SUBTOTALS, LEVEL_COUNTS, COLUMNS):
            for at, entry in enumerate(entries[table.key]):
                raw = self._kept(entry, f"published.{table.key}[{at}]")
                raw.setdefault("place", PLACES["annex"])
                if table is SUBTOTALS:
                    raw["path"] = self._path(entry)
                published.setdefault(table.key, []).append(raw)
        for entry in entries[AMOUNTS.key]:
            self._add_amount(entry, published.setdefault("amounts", []))
        if whole:
            published["figures"] = whole
        return published

    def _add_amount(self, entry: _Entry, amounts: list[Document]) -> None:
        name = entry.raw.pop("name", "")
        if not amounts or amounts[-1]["name"] != name:
            amounts.append({"name": name, "stated": []})
        at = len(amounts) - 1
        self._cells.setdefault(f"published.amounts[{at}].name", (entry, "name"))
        stated = amounts[-1]["stated"]
        stated.append(self._kept(entry, f"published.amounts[{at}].stated[{len(stated)}]"))


_FIRST = {"source": "document", "rounding": "mode"}


def _put(table: Document, key: str, value: Any) -> None:  # noqa: ANN401 - a value of a document
    *outer, last = key.split(".")
    for step in outer:
        table = table.setdefault(step, {})
    table[last] = value


def _value(column: Column, text: str) -> Any:  # noqa: ANN401 - a value of a document
    """Return what a cell says. Raises `ValueError` with what is wrong."""
    match column.cell:
        case Cell.FLAG:
            return _word(FLAGS, text) == "true"
        case Cell.WORD:
            return _word(column.words, text)
        case cell:
            return _READERS[cell](text)


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise ValueError("应当是不小于 0 的整数")
    return int(text)


def _amounts(text: str) -> list[str]:
    return [_number(one.strip()) for one in BETWEEN_AMOUNTS.split(text) if one.strip()]


def _honest_share(text: str) -> str:
    if _is_bare(text):
        raise ValueError(wording.BARE_SHARE)
    return _share(text)


def _check_text(text: str) -> None:
    """Refuse what no cell of a sheet holds. Raises `ValueError`."""
    if len(text) > LONGEST_CELL:
        raise ValueError(f"太长，最多 {LONGEST_CELL} 个字")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t" for sign in text):
        raise ValueError("含有不能保存的控制字符，请删去")


def _number(text: str) -> str:
    if not DECIMAL.fullmatch(text):
        raise ValueError("应当是不小于 0 的数，例如 2.5")
    return text


def _percent(text: str) -> str:
    try:
        wording.read_percent(text)
    except ValueError:
        raise ValueError(wording.PRINTED_PERCENT) from None
    return text


def _share(text: str) -> str:
    if wording.PERCENT.fullmatch(text):
        return format(Decimal(text[:-1]).scaleb(-2), "f")
    return _number(text)


def _is_bare(text: str) -> bool:
    return bool(DECIMAL.fullmatch(text)) and Decimal(text) > MOST_BARE_SHARE


def _word(words: Mapping[str, str], text: str) -> str:
    for word, name in words.items():
        if text == name:
            return word
    raise ValueError(f"应当是{'、'.join(words.values())}之一")


_READERS: dict[Cell, Callable[[str], Any]] = {
    Cell.TEXT: str,
    Cell.NUMBER: _number,
    Cell.SHARE: _honest_share,
    Cell.BOUND: _share,
    Cell.PERCENT: _percent,
    Cell.WHOLE: _whole,
    Cell.AMOUNTS: _amounts,
}
