"""A rubric as a workbook: one row per indicator, sheets beside it for what repeats."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from analysis.scoring.book import ABOUT, SHEETS, Book, BookFault, Line, Table
from app.errors import Sentence, TableRefused
from app.errors import say as _
from app.spreadsheets.reading import OpenedSheet, cell_fault, read_sheets
from app.spreadsheets.writing import Sheet

# The heading of the page that tells what each column is for; it is not read back.
NOTES = _("填写说明")
_UPRIGHT = (_("项目"), _("内容"))
_TITLE_ROWS = 10
_SHEET_NAMES = {str(table.title): table for table in SHEETS}
# Pages that come with a template or that lists of choices stand on.
_NOT_READ = ("填写说明", "选项", "How to fill in")


@dataclass(slots=True)
class ReadBook:
    """The rows of a workbook, and where the columns of its sheets stand, to tell faults by."""

    book: dict[str, list[Line]] = field(default_factory=dict)
    _columns: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, table: Table, column: str, place: int) -> None:
        """Remember in which column, counted from 0, something stands; upright, in which row."""
        self._columns[table.key, column] = place

    def sentence(self, fault: BookFault) -> Sentence:
        """Say a fault with the place where the person finds it: 指标!C7."""
        table = next(one for one in SHEETS if one.key == fault.sheet)
        named = {column.key: column.name for column in table.columns}
        name = named.get(fault.column, "")
        place = self._columns.get((table.key, fault.column))
        if table.is_upright:
            where = f"B{(place or 0) + 1}" if place is not None else ""
        elif fault.row == 0:
            where = ""
        else:
            where = str(fault.row)
            if place is not None:
                where = xl_rowcol_to_cell(fault.row - 1, place)
        cell = f"{table.title}!{where}" if where else table.title
        if not name:
            return _("%(cell)s：%(what)s", cell=cell, what=fault.reason)
        return _("%(cell)s“%(column)s”：%(what)s", cell=cell, column=name, what=fault.reason)


def read_book(content: bytes, name: str) -> ReadBook:
    """Read a workbook that holds a rubric.

    Raises: `TableRefused` with every cell that cannot be taken, every heading that nobody knows
    (what stands below it would be lost), and what is missing; `Unavailable`.
    """
    faults: list[Sentence] = []
    read = ReadBook()
    for sheet in read_sheets(content, name):
        if sheet.title.strip() in _NOT_READ:
            continue
        table = _SHEET_NAMES.get(sheet.title.strip())
        if table is None:
            faults.append(
                _("不认识的工作表“%(title)s”，请删去，或改回模板里的名称。", title=sheet.title)
            )
        elif table.is_upright:
            faults += _read_upright(read, table, sheet)
        else:
            faults += _read_rows(read, table, sheet)
    if "indicators" not in read.book and not faults:
        faults.append(_("没有“指标”这张工作表，请用模板填写。"))
    if faults:
        raise TableRefused(faults)
    return read


def _read_rows(read: ReadBook, table: Table, sheet: OpenedSheet) -> Iterator[Sentence]:
    heading = _heading(table, sheet)
    if heading is None:
        yield _(
            "“%(title)s”表里没有表头“%(column)s”，请用模板的表头。",
            title=sheet.title,
            column=table.columns[0].name,
        )
        return
    names = {column.name: column.key for column in table.columns}
    places: dict[int, str] = {}
    for place, text in enumerate(sheet.rows[heading]):
        key = names.get(text) if isinstance(text, str) else None
        if key is not None and key in places.values():
            yield _("“%(column)s”有两列，只能留一列。", column=f"{sheet.title}!{text}")
        if key is not None:
            places[place] = key
            read.note(table, key, place)
    read.book[table.key] = []
    for number, cells in sheet.rows.items():
        if number > heading:
            yield from _row_faults(sheet, number, cells, places)
            texts = {key: _text(cells, place) for place, key in places.items()}
            read.book[table.key].append(Line(number, texts))


def _heading(table: Table, sheet: OpenedSheet) -> int | None:
    wanted = {column.name for column in table.columns}
    for number, cells in list(sheet.rows.items())[:_TITLE_ROWS]:
        found = {cell for cell in cells if isinstance(cell, str)} & wanted
        if table.columns[0].name in found and len(found) > 1:
            return number
    return None


def _row_faults(
    sheet: OpenedSheet, number: int, cells: Sequence[Any], places: Mapping[int, str]
) -> Iterator[Sentence]:
    if number in sheet.hidden_rows:
        yield _(
            "%(title)s：第 %(row)s 行是隐藏的，请先取消隐藏，看过再上传。",
            title=sheet.title,
            row=number,
        )
    for place, cell in enumerate(cells):
        where = f"{sheet.title}!{xl_rowcol_to_cell(number - 1, place)}"
        if what := cell_fault(cell):
            yield _("%(cell)s：%(what)s", cell=where, what=what)
        elif cell and place not in places:
            yield _("%(cell)s：这一列没有模板里的表头，不知道是什么。", cell=where)
        elif cell and place in sheet.hidden_columns:
            column = f"{sheet.title}!{xl_col_to_name(place)}"
            yield _("“%(column)s”这一列是隐藏的，请先取消隐藏，看过再上传。", column=column)


def _read_upright(read: ReadBook, table: Table, sheet: OpenedSheet) -> Iterator[Sentence]:
    names = {column.name: column.key for column in table.columns}
    texts: dict[str, str] = {}
    for number, cells in sheet.rows.items():
        label, cell = _text(cells, 0), cells[1] if len(cells) > 1 else ""
        where = f"{sheet.title}!B{number}"
        if number in sheet.hidden_rows:
            yield _("%(cell)s：这一行是隐藏的，请先取消隐藏，看过再上传。", cell=where)
        if what := cell_fault(cell):
            yield _("%(cell)s：%(what)s", cell=where, what=what)
        elif label in names:
            if names[label] in texts:
                yield _("%(cell)s：“%(column)s”有两行，只能留一行。", cell=where, column=label)
            texts[names[label]] = str(cell)
            read.note(table, names[label], number - 1)
        elif cell and number > 1:
            yield _("%(cell)s：不认识的项目“%(name)s”。", cell=where, name=label)
    read.book[table.key] = [Line(1, texts)]


def _text(cells: Sequence[Any], place: int) -> str:
    cell = cells[place] if place < len(cells) else ""
    return cell if isinstance(cell, str) else ""


def book_sheets(book: Book) -> list[Sheet]:
    """Return a rubric as the sheets of a workbook that can be filled in and read back."""
    return [*(_sheet(table, book.get(table.key, ())) for table in SHEETS), _notes_sheet()]


def _sheet(table: Table, lines: Sequence[Line]) -> Sheet:
    if table.is_upright:
        cells = lines[0].cells if lines else {}
        rows = [
            (column.name, cells.get(column.key), column.note or "、".join(column.choices))
            for column in table.columns
        ]
        return Sheet(table.title, (*_UPRIGHT, NOTES), rows, {}, are_short=True)
    headings = [column.name for column in table.columns]
    choices = {
        place: column.choices for place, column in enumerate(table.columns) if column.choices
    }
    body = [[line.cells.get(column.key) for column in table.columns] for line in lines]
    return Sheet(table.title, headings, body, choices, are_short=True)


def _notes_sheet() -> Sheet:
    rows = [
        (table.title, column.name, column.note or "、".join(column.choices))
        for table in SHEETS
        if table is not ABOUT
        for column in table.columns
    ]
    return Sheet(NOTES, (_("工作表"), _("栏"), _("怎么填")), rows)
