"""Tables that people send: opened by a child process, read by headings, refused fault by fault."""

import json
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.confined import ChildFailed, ChildTooSlow, Limits, run_confined
from app.errors import Sentence, TableRefused, Unavailable
from app.errors import say as _
from app.spreadsheets import parsing

LARGEST_FILE = 4 * 1024 * 1024
LIMITS = Limits(memory=768 * 1024**2, cpu_seconds=20, result=32 * 1024**2, wall_seconds=60)
# Each may take that memory; whoever comes third waits, and is asked to come again.
_turns = threading.BoundedSemaphore(2)
_WAIT_SECONDS = 10
_TITLE_ROWS = 10

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_TEXT = (_ZIP, _OLE, b"%PDF", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is looked for by its heading; an optional one may be absent."""

    name: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the sheet, and what a person sees in each wanted column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows below the headings; `ignored` are headings that nobody asked for."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...]


def row_fault(row: int, column: str, what: Sentence) -> Sentence:
    """Say what is wrong with one cell, and where it stands."""
    return _("第 %(row)s 行“%(column)s”：%(what)s", row=row, column=column, what=what)


def read_table(content: bytes, name: str, wanted: Sequence[Column]) -> Table:
    """Read an uploaded .xlsx or .csv file.

    Parameters
        content: the file, at most `LARGEST_FILE` bytes.
        name: what the person calls it; only its ending counts.
        wanted: the columns; the first row that has all required ones holds the headings.

    Raises
        TableRefused: the file cannot be taken, or cells of wanted columns cannot; all at once.
        Unavailable: too many files are being read at this moment.
    """
    result = _opened(content, _kind(content, name))
    if "refused" in result:
        raise TableRefused([_refusal(result["refused"], result["row"])])
    rows = dict(result["rows"])
    heading, places = _headings(rows, wanted)
    faults = [*_hidden_columns(places, result), *_faults(rows, heading, places, result)]
    if faults:
        raise TableRefused(faults)
    found = tuple(
        Row(number, {name: _cell(cells, place) for name, place in places.items()})
        for number, cells in rows.items()
        if number > heading
    )
    if not found:
        raise TableRefused([_("表头下面没有内容。")])
    known = {column.name for column in wanted}
    ignored = [text for text in rows[heading] if isinstance(text, str) and text not in known]
    return Table(found, tuple(text for text in ignored if text))


def read_headings(content: bytes, name: str) -> tuple[str, ...]:
    """Return the headings of an uploaded .xlsx or .csv file, in order.

    Where they stand is not known: of the first rows, the one with the most different texts has
    them. Raises `TableRefused` and `Unavailable` as `read_table` does.
    """
    result = _opened(content, _kind(content, name))
    if "refused" in result:
        raise TableRefused([_refusal(result["refused"], result["row"])])
    first = [cells for _number, cells in result["rows"][:_TITLE_ROWS]]
    found = [
        tuple(dict.fromkeys(cell for cell in cells if isinstance(cell, str) and cell.strip()))
        for cells in first
    ]
    headings = max(found, key=len, default=())
    if not headings:
        raise TableRefused([_("文件里没有表头。")])
    return headings


@dataclass(frozen=True, slots=True)
class OpenedSheet:
    """A visible sheet as it is: its rows by number, and what of it a person does not see.

    A cell is what a person sees in it, or why it cannot be taken (`cell_fault`).
    """

    title: str
    rows: Mapping[int, Sequence[Any]]
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]


def read_sheets(content: bytes, name: str) -> tuple[OpenedSheet, ...]:
    """Read every visible sheet of an uploaded .xlsx file.

    Raises: `TableRefused` when the file cannot be taken, and `Unavailable`.
    """
    if _kind(content, name) != "xlsx":
        raise TableRefused([_("只能读 .xlsx 工作簿。")])
    result = _opened(content, "sheets")
    if "refused" in result:
        raise TableRefused([_refusal(result["refused"], result["row"])])
    return tuple(
        OpenedSheet(
            sheet["title"],
            dict(sheet["rows"]),
            frozenset(sheet["hidden_rows"]),
            frozenset(sheet["hidden_columns"]),
        )
        for sheet in result["sheets"]
    )


def cell_fault(cell: Any) -> Sentence | None:  # noqa: ANN401 - JSON of the child
    """Say why a cell cannot be taken, None where it can."""
    why = _why_not(cell)
    return _CELL_FAULTS[why] if why else None


def _kind(content: bytes, name: str) -> str:
    """Return what the file is, if its ending and its first bytes say the same."""
    if len(content) > LARGEST_FILE:
        most = LARGEST_FILE // 1024**2
        raise TableRefused([_("文件太大：最多 %(most)s MB，请分成几个文件。", most=most)])
    if not content:
        raise TableRefused([_("文件是空的。")])
    ending = name.rpartition(".")[2].lower()
    if content.startswith(_OLE):
        raise TableRefused(
            [_("这是旧版 Excel 或加了密码的文件。请在 Excel 里去掉密码，另存为 .xlsx。")]
        )
    if ending == "xlsx" and content.startswith(_ZIP):
        return ending
    if ending == "csv" and not content.startswith(_NO_TEXT):
        return ending
    raise TableRefused([_("只能读 .xlsx 或 .csv 文件，内容要和扩展名一致。")])


def _opened(content: bytes, kind: str) -> dict[str, Any]:
    if not _turns.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable(_("正在读别的文件，请过一会儿再上传。"))
    try:
        written = run_confined(Path(parsing.__file__), content, LIMITS, kind)
    except ChildTooSlow:
        raise TableRefused([_refusal("bomb", None)]) from None
    except ChildFailed:
        raise TableRefused([_refusal("damaged", None)]) from None
    finally:
        _turns.release()
    result: dict[str, Any] = json.loads(written)
    return result


def _refusal(why: str, row: int | None) -> Sentence:
    most = {"rows": parsing.MOST_ROWS, "columns": parsing.MOST_COLUMNS}
    sentences = {
        "damaged": _("文件打不开：已损坏，或超出了能读的范围。请在 Excel 里重新另存一次。"),
        "not_xlsx": _("这不是 .xlsx 工作簿。请在 Excel 里另存为 .xlsx。"),
        "bomb": _("文件解开以后太大，不能读。请只留需要的表，另存后再上传。"),
        "encrypted": _("文件加了密码。请去掉密码后再上传。"),
        "macros": _("文件里有宏、控件或嵌入的文件。请另存为不带宏的 .xlsx。"),
        "links": _("文件里有外部链接或数据连接。请断开链接、改成数值后再上传。"),
        "doctype": _("文件里有不能接受的 XML 声明，不能读。"),
        "nothing": _("工作簿里没有可见的工作表。"),
        "encoding": _("文字编码认不出来。请存成 UTF-8 或 GB18030 编码的 CSV。"),
        "quotes": _("引号没有成对。"),
        "long": _("有一格太长，最多 %(most)s 个字。", most=parsing.LONGEST_CELL),
        "rows": _("内容太多：最多 %(most)s 行，请分成几个文件。", most=most["rows"]),
        "columns": _("列太多：最多 %(most)s 列。", most=most["columns"]),
    }
    sentence = sentences[why]
    return sentence if row is None else _("第 %(row)s 行：%(what)s", row=row, what=sentence)


def _headings(
    rows: Mapping[int, list[Any]], wanted: Sequence[Column]
) -> tuple[int, dict[str, int]]:
    """Return the row of the headings and where each wanted column stands; titles may precede."""
    required = {column.name for column in wanted if column.is_required}
    first = list(rows.items())[:_TITLE_ROWS]
    for number, cells in first:
        texts = [cell for cell in cells if isinstance(cell, str)]
        if required <= set(texts):
            names = [column.name for column in wanted if column.name in texts]
            if doubled := [name for name in names if texts.count(name) > 1]:
                raise TableRefused(
                    [_("“%(column)s”有两列，只能留一列。", column=name) for name in doubled]
                )
            return number, {name: cells.index(name) for name in names}
    seen = [cell for _number, cells in first for cell in cells if isinstance(cell, str)]
    raise TableRefused(
        [
            _("没有“%(column)s”这一列，请核对表头。", column=name)
            for name in (column.name for column in wanted if column.is_required)
            if name not in seen
        ]
        or [_("表头要在同一行里。")]
    )


def _hidden_columns(places: Mapping[str, int], result: dict[str, Any]) -> Iterator[Sentence]:
    hidden = result.get("hidden_columns", [])
    for name, place in places.items():
        if place in hidden:
            yield _("“%(column)s”这一列是隐藏的，请先取消隐藏，看过再上传。", column=name)


_CELL_FAULTS = {
    "formula": _("是公式，请复制后“选择性粘贴”为数值。"),
    "error": _("是错误值，请改正。"),
    "digits": _("超过 15 位的数字，Excel 已把末尾变成 0；请把这一列设为文本，重新填写。"),
    "long": _("太长，最多 %(most)s 个字。", most=parsing.LONGEST_CELL),
    "control": _("含有不能保存的控制字符，请删去。"),
}


def _faults(
    rows: Mapping[int, list[Any]], heading: int, places: Mapping[str, int], result: dict[str, Any]
) -> Iterator[Sentence]:
    hidden = set(result.get("hidden_rows", []))
    for number, cells in rows.items():
        if number <= heading:
            continue
        if number in hidden:
            yield _("第 %(row)s 行是隐藏的，请先取消隐藏，看过再上传。", row=number)
        for name, place in places.items():
            if why := _why_not(_cell(cells, place)):
                yield row_fault(number, name, _CELL_FAULTS[why])


def _why_not(cell: Any) -> str | None:  # noqa: ANN401 - JSON of the child
    if isinstance(cell, dict):
        return str(cell["fault"])
    signs = (sign for sign in cell if sign not in "\n\t")
    return "control" if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in signs) else None


def _cell(cells: list[Any], place: int) -> Any:  # noqa: ANN401 - JSON of the child
    return cells[place] if place < len(cells) else ""
