"""What people upload: read as they see it, refused cell by cell, and never let into the server."""

import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook

from app import create_app
from app.config import read_settings
from app.db import current_engine
from app.errors import TableRefused
from app.spreadsheets import reading
from app.spreadsheets.reading import Column, Table, read_table

WANTED = (Column("片区"), Column("人口"), Column("备注", is_required=False))
Parts = dict[str, bytes]


@pytest.fixture(scope="module", autouse=True)
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Refusals are worded in the language of an application."""
    folder = tmp_path_factory.mktemp("reading")
    app = create_app(read_settings({"MINPING_INSTANCE": str(folder)}))
    with app.app_context():
        yield app
        current_engine().dispose()


def workbook(*rows: list[object], change: Callable[[Workbook], object] | None = None) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    if change is not None:
        change(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parts(content: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(members: Parts, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as made:
        for name, part in members.items():
            made.writestr(name, part)
    return file.getvalue()


def with_part(name: str, part: bytes) -> bytes:
    return archive({**parts(workbook(["片区", "人口"], ["东镇", 1])), name: part})


def rows(table: Table) -> dict[int, list[str]]:
    return {row.number: list(row.cells.values()) for row in table.rows}


def faults(content: bytes, name: str = "t.xlsx") -> list[str]:
    with pytest.raises(TableRefused) as refusal:
        read_table(content, name, WANTED)
    return [str(sentence) for sentence in refusal.value.faults]


SHEET = "xl/worksheets/sheet1.xml"

# ---------------------------------------------------------------------------------------------
# What a person sees
# ---------------------------------------------------------------------------------------------


def test_cells_come_as_a_person_sees_them() -> None:
    def form(book: Workbook) -> None:
        patterns = {"A5": "0.00%", "A6": "000000", "A14": "0.00%", "A15": "0.00"}
        for cell, pattern in patterns.items():
            book["Sheet"][cell].number_format = pattern

    shown = [
        (1.0, "1"),
        (0.1, "0.1"),
        ("110101199003074514", "110101199003074514"),
        (0.8504, "85.04%"),
        (12, "000012"),
        (datetime(2026, 11, 22), "2026-11-22"),  # noqa: DTZ001 - a sheet knows no zone
        (datetime(2026, 11, 22, 8, 30), "2026-11-22 08:30:00"),  # noqa: DTZ001
        (time(8, 30), "08:30:00"),
        (True, "TRUE"),
        ("  东镇\u3000", "东镇"),
        (-0.0, "0"),
        (123456789012345, "123456789012345"),
        (0.883, "88.30%"),
        (2.5, "2.50"),
    ]
    content = workbook(["片区", "人口"], *([value, 1] for value, _text in shown), change=form)
    table = read_table(content, "某县.XLSX", WANTED)
    assert [cells[0] for cells in rows(table).values()] == [text for _value, text in shown]


def test_titles_blank_rows_and_other_columns_are_left_out() -> None:
    content = workbook(
        ["附件一"], [], ["序号", "人口", "片区"], [1, 5, "东镇"], [], [2, "", "西镇"]
    )
    table = read_table(content, "t.xlsx", WANTED)
    assert rows(table) == {4: ["东镇", "5"], 6: ["西镇", ""]}
    assert table.ignored == ("序号",)


def test_formatted_rows_without_content_are_no_rows() -> None:
    def paint(book: Workbook) -> None:
        book["Sheet"]["A9000"].number_format = "0.00"
        book["Sheet"]["ZZ3"].number_format = "0.00"

    table = read_table(workbook(["片区", "人口"], ["东镇", 1], change=paint), "t.xlsx", WANTED)
    assert rows(table) == {2: ["东镇", "1"]}


def test_merged_cells_are_read_in_each_of_them() -> None:
    content = workbook(
        ["片区", "人口"], ["东镇", 1], [None, 2], ["西镇", 3],
        change=lambda book: book["Sheet"].merge_cells("A2:A3"),
    )  # fmt: skip
    assert rows(read_table(content, "t.xlsx", WANTED))[3] == ["东镇", "2"]


def test_the_first_visible_sheet_is_read() -> None:
    def hide(book: Workbook) -> None:
        book.create_sheet("第二").append(["片区", "人口"])
        book["第二"].append(["西镇", 2])
        book["Sheet"].sheet_state = "hidden"

    assert rows(read_table(workbook(["x"], change=hide), "t.xlsx", WANTED)) == {2: ["西镇", "2"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_in_every_usual_form(encoding: str, separator: str) -> None:
    text = separator.join(["片区", '"人口"']) + "\r\n" + separator.join(['"东\n镇"', "0012"])
    table = read_table(text.encode(encoding), "t.csv", WANTED)
    assert rows(table) == {2: ["东\n镇", "0012"]}


def test_a_row_of_csv_has_the_number_that_excel_shows() -> None:
    content = '片区,人口\n"东\n镇",1\n\n西镇,2\n'.encode()
    assert list(rows(read_table(content, "t.csv", WANTED))) == [2, 4]


# ---------------------------------------------------------------------------------------------
# Faults, cell by cell
# ---------------------------------------------------------------------------------------------


def test_every_faulty_cell_is_named_at_once() -> None:
    def spoil(book: Workbook) -> None:
        book["Sheet"].row_dimensions[5].hidden = True

    content = workbook(
        ["片区", "人口"], ["=A1", 1], ["东镇", 12345678901234567], ["长" * 2001, "#REF!"],
        ["西镇", 1], ["北镇", 2],
        change=spoil,
    )  # fmt: skip
    assert faults(content) == [
        "第 2 行“片区”：是公式，请复制后“选择性粘贴”为数值。",
        "第 3 行“人口”：超过 15 位的数字，Excel 已把末尾变成 0；请把这一列设为文本，重新填写。",
        "第 4 行“片区”：太长，最多 2000 个字。",
        "第 4 行“人口”：是错误值，请改正。",
        "第 5 行是隐藏的，请先取消隐藏，看过再上传。",
    ]


def test_a_formula_in_a_column_that_nobody_reads_is_no_fault() -> None:
    content = workbook(["片区", "人口", "序号"], ["东镇", 1, "=ROW()"])
    assert rows(read_table(content, "t.xlsx", WANTED)) == {2: ["东镇", "1"]}


def test_a_hidden_column_is_refused() -> None:
    def hide(book: Workbook) -> None:
        book["Sheet"].column_dimensions["B"].hidden = True

    content = workbook(["片区", "人口"], ["东镇", 1], change=hide)
    assert faults(content) == ["“人口”这一列是隐藏的，请先取消隐藏，看过再上传。"]


def test_many_faults_are_cut_and_counted() -> None:
    content = workbook(["片区", "人口"], *(["=1", number] for number in range(5000)))
    with pytest.raises(TableRefused) as refusal:
        read_table(content, "t.xlsx", WANTED)
    assert len(refusal.value.faults) == TableRefused.most
    assert refusal.value.more == 5000 - TableRefused.most


@pytest.mark.parametrize(
    ("content", "name", "fault"),
    [
        (b"", "t.csv", "文件是空的。"),
        (workbook(["片区"], ["东镇"]), "t.xlsx", "没有“人口”这一列，请核对表头。"),
        (workbook(["片区", "人口"]), "t.xlsx", "表头下面没有内容。"),
        (workbook(["片区", "人口", "片区"]), "t.xlsx", "“片区”有两列，只能留一列。"),
        ('片区,人口\n"东,1'.encode(), "t.csv", "第 2 行：引号没有成对。"),
        ("片区,人口\n东\x00镇,1".encode(), "t.csv",
         "第 2 行“片区”：含有不能保存的控制字符，请删去。"),
        ("片区,人口".encode("utf-16"), "t.csv",
         "文字编码认不出来。请存成 UTF-8 或 GB18030 编码的 CSV。"),
        (b"a,b\n" + b"x" * 3_000_000, "t.csv", "第 2 行：有一格太长，最多 2000 个字。"),
        (b"," * 1_000_000 + b"x", "t.csv", "第 1 行：列太多：最多 100 列。"),
        ("片区,人口\n".encode() + b"a,1\n" * 10_000, "t.csv",
         "内容太多：最多 10000 行，请分成几个文件。"),
        (b"x" * (reading.LARGEST_FILE + 1), "t.csv", "文件太大：最多 4 MB，请分成几个文件。"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_says_why(content: bytes, name: str, fault: str) -> None:
    assert faults(content, name) == [fault]


# ---------------------------------------------------------------------------------------------
# Attacks
# ---------------------------------------------------------------------------------------------

_KIND = "只能读 .xlsx 或 .csv 文件，内容要和扩展名一致。"
_DAMAGED = "文件打不开：已损坏，或超出了能读的范围。请在 Excel 里重新另存一次。"
_BOMB = "文件解开以后太大，不能读。请只留需要的表，另存后再上传。"
_MACROS = "文件里有宏、控件或嵌入的文件。请另存为不带宏的 .xlsx。"
_LINKS = "文件里有外部链接或数据连接。请断开链接、改成数值后再上传。"
_DOCTYPE = "文件里有不能接受的 XML 声明，不能读。"
_OLD = "这是旧版 Excel 或加了密码的文件。请在 Excel 里去掉密码，另存为 .xlsx。"


@pytest.mark.parametrize("ending", ["xls", "xlsm", "xlsb", "zip", "exe", ""])
def test_another_ending_is_refused(ending: str) -> None:
    assert faults(workbook(["片区", "人口"]), f"t.{ending}") == [_KIND]


@pytest.mark.parametrize(
    ("content", "name", "fault"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "t.xlsx", _OLD),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "t.csv", _OLD),
        (b"%PDF-1.7", "t.csv", _KIND),
        (b"\x1f\x8b\x08" + b"\0" * 64, "t.csv", _KIND),
        (workbook(["片区", "人口"]), "t.csv", _KIND),
        ("片区,人口".encode(), "t.xlsx", _KIND),
        (b"PK\x03\x04" + b"x" * 100, "t.xlsx", _DAMAGED),
        (workbook(["片区", "人口"])[:-40], "t.xlsx", _DAMAGED),
    ],
)
def test_what_it_is_called_must_be_what_it_is(content: bytes, name: str, fault: str) -> None:
    assert faults(content, name) == [fault]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("xl/vbaProject.bin", _MACROS),
        ("xl/VBAPROJECT.BIN", _MACROS),
        ("xl/macrosheets/sheet1.xml", _MACROS),
        ("xl/activeX/activeX1.xml", _MACROS),
        ("xl/embeddings/oleObject1.bin", _MACROS),
        ("xl/externalLinks/externalLink1.xml", _LINKS),
        ("xl/connections.xml", _LINKS),
        ("xl/workbook.bin", "这不是 .xlsx 工作簿。请在 Excel 里另存为 .xlsx。"),
    ],
)
def test_what_can_act_is_refused(name: str, fault: str) -> None:
    assert faults(with_part(name, b"x")) == [fault]


def test_a_macro_workbook_is_refused_by_its_content_type() -> None:
    members = parts(workbook(["片区", "人口"], ["东镇", 1]))
    types = members["[Content_Types].xml"].replace(
        b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    )
    assert faults(archive({**members, "[Content_Types].xml": types})) == [_MACROS]


_LAUGHS = b"".join(
    b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 10)
)


@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE x [<!ENTITY a0 "ha">' + _LAUGHS + b"]>",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "docProps/core.xml"])
def test_entities_are_refused(declaration: bytes, part: str) -> None:
    assert faults(with_part(part, b"<?xml version='1.0'?>" + declaration + b"<x/>")) == [_DOCTYPE]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp037"])
def test_no_encoding_hides_an_entity(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "b">]><x/>'
    assert faults(with_part(SHEET, text.encode(encoding))) == [_DAMAGED]


def _zeros(size: int) -> bytes:
    return b"<x>" + b" " * size + b"</x>"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(with_part(SHEET, _zeros(300_000_000)), id="one huge member"),
        pytest.param(with_part("xl/media/image1.png", _zeros(60_000_000)), id="not even read"),
        pytest.param(
            archive({f"xl/{number}.xml": _zeros(1_000_000) for number in range(250)}), id="nested"
        ),
        pytest.param(archive({f"xl/{number}.xml": b"" for number in range(20_000)}), id="many"),
    ],
)
def test_bombs_are_refused(content: bytes) -> None:
    assert len(content) < reading.LARGEST_FILE
    assert faults(content) == [_BOMB]


def test_an_archive_within_an_archive_is_not_opened() -> None:
    inner = archive({"bomb.xml": _zeros(30_000_000)})
    table = read_table(with_part("xl/media/inner.zip", inner), "t.xlsx", WANTED)
    assert rows(table) == {2: ["东镇", "1"]}


@pytest.mark.parametrize("said", [10, 2**31])
def test_a_size_that_lies_helps_nobody(said: int) -> None:
    content = with_part(SHEET, _zeros(60_000_000))
    real = len(_zeros(60_000_000)).to_bytes(4, "little")
    assert content.count(real) >= 1
    assert faults(content.replace(real, said.to_bytes(4, "little"))) in ([_BOMB], [_DAMAGED])


def test_a_name_that_comes_twice_is_refused() -> None:
    file = io.BytesIO(workbook(["片区", "人口"], ["东镇", 1]))
    with zipfile.ZipFile(file, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(SHEET, b"<x/>")
    assert faults(file.getvalue()) == [_DAMAGED]


def _cells(xml: str) -> bytes:
    members = parts(workbook(["片区", "人口"], ["东镇", 1]))
    before, _sep, after = members[SHEET].decode().partition("</sheetData>")
    return archive({**members, SHEET: f"{before}{xml}</sheetData>{after}".encode()})


@pytest.mark.parametrize(
    ("xml", "fault"),
    [
        ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
         "第 1048576 行：列太多：最多 100 列。"),
        ('<row r="99999999"><c r="A99999999"><v>1</v></c></row>', _DAMAGED),
        ('<row r="1"><c r="A1"><v>1</v></c></row>', _DAMAGED),
    ],
)  # fmt: skip
def test_a_cell_far_away_is_not_walked_to(xml: str, fault: str) -> None:
    assert faults(_cells(xml)) == [fault]


def test_a_sheet_that_understates_its_size_is_read_whole() -> None:
    members = parts(workbook(["片区", "人口"], ["东镇", 1], ["西镇", 2]))
    members[SHEET] = members[SHEET].replace(b'ref="A1:B3"', b'ref="A1:A1"')
    assert b'ref="A1:A1"' in members[SHEET]
    assert len(rows(read_table(archive(members), "t.xlsx", WANTED))) == 2


def test_what_the_child_does_to_itself_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the server is in its environment, and a child that hangs is ended."""
    monkeypatch.setenv("MINPING_SECRETS", "/nowhere/secrets.json")
    seen: list[dict[str, str]] = []
    real = subprocess.run

    def watch(*arguments: Any, **options: Any) -> object:  # noqa: ANN401 - as subprocess has them
        seen.append(options["env"])
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", watch)
    read_table("片区,人口\n东镇,1".encode(), "t.csv", WANTED)
    assert set(seen[0]) <= {"SYSTEMROOT"}
    monkeypatch.setattr(reading, "LIMITS", replace(reading.LIMITS, wall_seconds=0.001))
    assert faults("片区,人口\n东镇,1".encode(), "t.csv") == [_BOMB]


def _peak() -> int:
    """Return the most memory since the last look, in KiB, and begin anew."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
def test_the_memory_of_the_server_stays_bounded() -> None:
    content = with_part(SHEET, _zeros(300_000_000))
    _peak()
    before = _peak()
    for _time in range(3):
        assert faults(content) == [_BOMB]
    assert _peak() - before < 20 * 1024


def test_a_large_table_is_read_whole() -> None:
    content = workbook(["片区", "人口"], *([f"第{n}村", n] for n in range(5000)))
    found = rows(read_table(content, "t.xlsx", WANTED))
    assert len(found) == 5000
    assert found[5001] == ["第4999村", "4999"]
