"""Answer sheets from tables: every fault by its cell, nothing twice, everything undone together."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook
from sqlalchemy import select

from app.db import reading, transaction
from app.models import AnswerImport, AuditEntry, Channel, Submission, SubmissionState, SurveyState
from app.services import publishing
from surveys.library import bundled
from tests.conftest import QUESTIONNAIRE, Page, Visitor, Zone, snapshot, submissions

Cells = Mapping[str, str]


def home(zone: Zone) -> str:
    return f"/desk/surveys/{zone.survey}/imports"


def upload(
    visitor: Visitor,
    zone: Zone,
    content: bytes,
    name: str = "answers.xlsx",
    *,
    status: int = 200,
    **changes: str,
) -> Page:
    """Send a file as the page's form does."""
    fields = {**visitor.get(home(zone)).fields(home(zone)), **changes}
    return visitor.post(home(zone), {**fields, "file": (io.BytesIO(content), name)}, status=status)  # type: ignore[dict-item]


def confirm(visitor: Visitor, zone: Zone, preview: Page, *, status: int = 303, **more: str) -> Page:
    path = f"{home(zone)}/confirm"
    return visitor.post(path, {**preview.fields(path), **more}, status=status)


def template(visitor: Visitor, zone: Zone) -> bytes:
    return visitor.get(f"{home(zone)}/template.xlsx").response.get_data()


def headings(visitor: Visitor, zone: Zone) -> list[str]:
    sheet = load_workbook(io.BytesIO(template(visitor, zone))).worksheets[0]
    return [str(cell.value) for cell in sheet[1]]


def workbook(names: Sequence[str], rows: Sequence[Cells]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(names))
    for row in rows:
        sheet.append([row.get(name) for name in names])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.fixture
def columns(evaluator: Visitor, here: Zone) -> list[str]:
    return headings(evaluator, here)


class Sheets:
    """Rows of the template, named by question number."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def name(self, start: str) -> str:
        return next(name for name in self.names if name.startswith(start))

    def row(self, number: str, **changes: str) -> dict[str, str]:
        asked = bundled()[QUESTIONNAIRE]
        filled = {"编号": number}
        for question in asked.questions:
            if question.kind == "single":
                filled[self.name(f"{question.number}. ")] = question.options[0].text
        first = asked.question("q2").options[0].text
        filled[next(name for name in self.names if name.endswith(f"：{first}"))] = "是"
        return filled | {self.name(start): value for start, value in changes.items()}


@pytest.fixture
def sheets(columns: list[str]) -> Sheets:
    return Sheets(columns)


def imports(app: Flask) -> Sequence[AnswerImport]:
    with app.app_context(), reading() as session:
        return session.scalars(select(AnswerImport).order_by(AnswerImport.id)).all()


def valid(app: Flask, zone: Zone) -> list[Submission]:
    return [one for one in submissions(app, zone.survey) if one.state is SubmissionState.VALID]


# ---------------------------------------------------------------------------------------------
# The template
# ---------------------------------------------------------------------------------------------


def test_the_template_offers_every_option_and_every_area(evaluator: Visitor, here: Zone) -> None:
    book = load_workbook(io.BytesIO(template(evaluator, here)))
    page, options = book.worksheets
    rules = page.data_validations.dataValidation
    assert len(rules) == page.max_column - 1  # all but the number
    column = {str(cell.value): cell.column or 0 for cell in options[1]}
    question = bundled()[QUESTIONNAIRE].question("q6")
    (name,) = [name for name in column if name.startswith(f"{question.number}. ")]
    texts = [options.cell(row, column[name]).value for row in range(2, 20)]
    assert [text for text in texts if text] == [option.text for option in question.options]
    areas = [options.cell(row, column["片区"]).value for row in range(2, 6)]
    assert set(areas) == {"北岸经济开发区", "忠门镇", "东埔镇", "山亭镇"}


def test_a_filled_template_is_seen_then_stored(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    rows = [sheets.row("A-1"), {**sheets.row("A-2"), "片区": "东埔镇"}, {"编号": "A-3"}]
    before = snapshot(app)
    page = upload(evaluator, here, workbook(sheets.names, rows), area=str(here.towns[2]))
    assert "新的答卷 3 份" in page.text
    assert snapshot(app) == before
    confirm(evaluator, here, page)
    stored = submissions(app, here.survey)
    assert {one.channel for one in stored} == {Channel.PAPER}
    assert sorted(one.area_id for one in stored) == sorted(
        [here.towns[1], here.towns[2], here.towns[2]]
    )
    full = next(one for one in stored if one.area_id == here.towns[1])
    asked = bundled()[QUESTIONNAIRE]
    assert full.answers["q6"] == asked.question("q6").options[0].code
    assert full.answers["q2"] == [asked.question("q2").options[0].code]
    assert {} in [one.answers for one in stored]
    assert "导入 3 份" in evaluator.get(home(here)).text
    with app.app_context(), reading() as session:
        act = session.scalars(select(AuditEntry)).one()
    assert (act.action, act.after and act.after["added"]) == ("answers_imported", 3)


def test_the_same_rows_are_not_counted_twice(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    first = workbook(sheets.names, [sheets.row("1"), sheets.row("2")])
    confirm(evaluator, here, upload(evaluator, here, first))
    again = upload(evaluator, here, first)
    assert "新的答卷 0 份；以前已经导入过 2 份" in again.text
    assert "导入 0 份" not in again.text
    more = workbook(sheets.names, [sheets.row("2"), sheets.row("3")])
    confirm(evaluator, here, upload(evaluator, here, more))
    assert len(submissions(app, here.survey)) == 3


def test_a_preview_that_is_sent_twice_stores_once(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    page = upload(evaluator, here, workbook(sheets.names, [sheets.row("1")]))
    confirm(evaluator, here, page)
    assert "没有新的答卷" in confirm(evaluator, here, page, status=400).text
    assert len(submissions(app, here.survey)) == 1


def test_two_at_once_store_each_sheet_once_and_the_later_is_told(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    rows = [sheets.row(str(number)) for number in range(1, 41)]
    page = upload(evaluator, here, workbook(sheets.names, rows))
    path, token = f"{home(here)}/confirm", evaluator.client.get_cookie("staff")
    assert token is not None
    fields = page.fields(path)

    def send(_turn: int) -> tuple[int, str]:
        client = app.test_client()
        client.set_cookie("staff", token.value, secure=True)
        headers = {"Referer": "https://localhost/"}
        answer = client.post(f"https://localhost{path}", data=fields, headers=headers)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(4) as pool:
        (first, _moved), *others = sorted(pool.map(send, range(4)))
    assert first == 303
    for status, text in others:
        assert status == 400
        assert "刚才有人导入了同样编号的答卷" in text or "没有新的答卷可以导入" in text
    assert len(submissions(app, here.survey)) == 40
    assert [made.stored for made in imports(app)] == [40]


def test_other_answers_under_a_number_are_a_fault(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    confirm(evaluator, here, upload(evaluator, here, workbook(sheets.names, [sheets.row("1")])))
    other = bundled()[QUESTIONNAIRE].question("q6").options[1].text
    changed = workbook(sheets.names, [sheets.row("1", **{"6. ": other})])
    page = upload(evaluator, here, changed, status=422)
    assert "第 2 行“编号”：这个编号以前导入过，内容不一样" in page.text
    assert len(submissions(app, here.survey)) == 1


def test_numbers_of_rows_are_kept_as_keyed_hashes_alone(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    page = upload(evaluator, here, workbook(sheets.names, [sheets.row("13900000000")]))
    confirm(evaluator, here, page)
    assert "13900000000" not in str(snapshot(app))


# ---------------------------------------------------------------------------------------------
# Faults
# ---------------------------------------------------------------------------------------------


def test_five_thousand_rows_name_every_faulty_cell_and_store_nothing(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    rows = [sheets.row(str(number)) for number in range(5_000)]
    q2 = next(name for name in sheets.names if name.startswith("2. ") and "：" in name)
    rows[9][sheets.name("6. ")] = "非常好"
    rows[19]["编号"] = "5"
    rows[29]["编号"] = ""
    rows[39]["片区"] = "噪声镇"
    rows[49][q2] = "也许"
    rows[59]["编号"] = "长" * 101
    rows[4_999][sheets.name("12. ")] = "<script>alert(1)</script>"
    before = snapshot(app)
    page = upload(evaluator, here, workbook(sheets.names, rows), status=422)
    for sentence in (
        f"第 11 行“{sheets.name('6. ')}”：没有“非常好”这个选项。",
        "第 21 行“编号”：与第 7 行重复。",
        "第 31 行“编号”：请填写编号",
        "第 41 行“片区”：本次调查的范围里没有“噪声镇”。",
        f"第 51 行“{q2}”：选了的填“是”",
        "第 61 行“编号”：太长",
        f"第 5001 行“{sheets.name('12. ')}”：没有“<script>alert(1)</script>”",
    ):
        assert " ".join(sentence.split()) in page.text
    assert "<script>" not in page.body
    assert "有错的 7 行" in page.text
    assert snapshot(app) == before
    confirm(evaluator, here, page, status=400)
    assert snapshot(app) == before
    started = perf_counter()
    confirm(evaluator, here, page, leave_out="1")
    assert perf_counter() - started < 60
    assert len(submissions(app, here.survey)) == 4_993
    (made,) = imports(app)
    assert (made.stored, made.left_out) == (4_993, 7)


def test_more_rows_than_residents_can_wait_for_are_refused(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    rows = [{"编号": str(number)} for number in range(5_001)]
    page = upload(evaluator, here, workbook(sheets.names, rows), status=400)
    assert "一次最多导入 5000 份" in page.text
    assert submissions(app, here.survey) == []


def test_faults_beyond_a_page_are_counted(evaluator: Visitor, here: Zone, sheets: Sheets) -> None:
    rows = [sheets.row(str(number), **{"6. ": "x"}) for number in range(80)]
    assert "另有 30 处" in upload(evaluator, here, workbook(sheets.names, rows), status=422).text


def test_a_misspelt_heading_is_named(evaluator: Visitor, here: Zone, sheets: Sheets) -> None:
    names = [name.replace("6. ", "六. ") for name in sheets.names]
    page = upload(evaluator, here, workbook(names, [{"编号": "1"}]), status=422)
    assert f"没有“{sheets.name('6. ')}”这一列" in page.text
    assert "一份答卷都没有存" in page.text


def test_a_bomb_and_macros_are_refused_here_too(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    bomb, macros = io.BytesIO(), io.BytesIO(workbook(sheets.names, [sheets.row("1")]))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 60_000_000)
    with zipfile.ZipFile(macros, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"x")
    before = snapshot(app)
    assert "解开以后太大" in upload(evaluator, here, bomb.getvalue(), status=422).text
    assert "有宏" in upload(evaluator, here, macros.getvalue(), status=422).text
    assert "只能读" in upload(evaluator, here, b"%PDF-1.7", "a.pdf", status=422).text
    assert snapshot(app) == before


@pytest.mark.parametrize("channel", ["scanned", "poster", "x"])
def test_nothing_comes_in_as_scanned(
    channel: str, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    content = workbook(sheets.names, [sheets.row("1")])
    upload(evaluator, here, content, status=422, channel=channel)


@pytest.mark.parametrize("state", [SurveyState.PAUSED, SurveyState.CLOSED])
def test_a_survey_that_ended_takes_nothing_more(
    state: SurveyState, app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    content = workbook(sheets.names, [sheets.row("1")])
    page = upload(evaluator, here, content)
    with app.app_context(), transaction() as session:
        publishing.move_survey(session, publishing.find_survey(session, here.survey), state)
    is_over = state is SurveyState.CLOSED
    confirm(evaluator, here, page, status=400 if is_over else 303)
    assert len(submissions(app, here.survey)) == (0 if is_over else 1)


# ---------------------------------------------------------------------------------------------
# Setting aside
# ---------------------------------------------------------------------------------------------


def set_aside(visitor: Visitor, zone: Zone, number: int, reason: str, *, status: int = 303) -> Page:
    path = f"{home(zone)}/{number}/set-aside"
    token = visitor.get(home(zone)).fields("/staff/sign-out")["csrf_token"]
    return visitor.post(path, {"csrf_token": token, "reason": reason}, status=status)


def test_an_import_is_set_aside_and_comes_again(
    app: Flask, evaluator: Visitor, here: Zone, sheets: Sheets
) -> None:
    content = workbook(sheets.names, [sheets.row("1"), sheets.row("2")])
    confirm(evaluator, here, upload(evaluator, here, content))
    (made,) = imports(app)
    assert "请写明为什么" in set_aside(evaluator, here, made.id, " ", status=400).text
    assert len(valid(app, here)) == 2
    set_aside(evaluator, here, made.id, "传错了文件")
    assert valid(app, here) == []
    assert len(submissions(app, here.survey)) == 2
    assert "理由：传错了文件" in evaluator.get(home(here)).text
    assert "已经撤销过" in set_aside(evaluator, here, made.id, "再来", status=400).text
    with app.app_context(), reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == "import_set_aside")
        act = session.scalars(query).one()
    assert (act.reason, act.after and act.after["rows"]) == ("传错了文件", 2)
    confirm(evaluator, here, upload(evaluator, here, content))
    assert len(valid(app, here)) == 2
    assert len(submissions(app, here.survey)) == 4


def test_answers_of_others_stay_when_an_import_is_set_aside(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone, sheets: Sheets
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    content = workbook(sheets.names, [sheets.row("1")])
    confirm(evaluator, here, upload(evaluator, here, content))
    set_aside(evaluator, here, imports(app)[0].id, "错")
    assert [one.channel for one in valid(app, here)] == [Channel.SCANNED]


# ---------------------------------------------------------------------------------------------
# Other systems' tables
# ---------------------------------------------------------------------------------------------


def save_mapping(visitor: Visitor, zone: Zone, *, status: int = 303, **changes: str) -> Page:
    path = f"/desk/surveys/{zone.survey}/mappings/new"
    asked = {
        "name": "12345热线",
        "key": "工单号",
        "area": "所属乡镇",
        "column-q2": "从哪里知道",
        "column-q6": "满意程度",
        "words-q6-satisfied": "5|很好",
    }
    return visitor.fill(path, action=path, status=status, **{**asked, **changes})


def test_another_systems_table_comes_in_by_its_own_words(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    saved = save_mapping(evaluator, here)
    mapping = saved.location.rpartition("=")[2]
    options = bundled()[QUESTIONNAIRE].question("q2").options
    joined = f"{options[0].text}┋{options[1].text}"
    table = f"工单号,所属乡镇,满意程度,从哪里知道,电话\nT1,东埔镇,很好,{joined},139\nT2,,5,,138\n"
    page = upload(evaluator, here, table.encode(), "gd.csv", mapping=mapping, channel="telephoned")
    assert "没有用到的列：电话" in page.text
    confirm(evaluator, here, page)
    stored = submissions(app, here.survey)
    assert {str(one.answers["q6"]) for one in stored} == {"satisfied"}
    assert [options[0].code, options[1].code] in [one.answers.get("q2") for one in stored]
    assert {one.channel for one in stored} == {Channel.TELEPHONED}
    assert imports(app)[0].source == "12345热线"
    wrong = "工单号,所属乡镇,满意程度,从哪里知道\nT3,,还行,没听说\n"
    faults = upload(evaluator, here, wrong.encode(), "gd.csv", mapping=mapping, status=422).text
    assert "第 2 行“满意程度”：没有“还行”这个选项。" in faults
    assert "第 2 行“从哪里知道”：没有“没听说”这个选项。" in faults


def test_a_mapping_says_what_it_lacks_and_loses_nothing(evaluator: Visitor, here: Zone) -> None:
    page = save_mapping(evaluator, here, name="", key="", status=422)
    assert "请填写来源的名称" in page.errors
    assert "请填写每行编号所在的列名" in page.errors
    (kept,) = page.html.all("input", id="column-q6")
    assert kept.attributes["value"] == "满意程度"
    save_mapping(evaluator, here)
    assert "已经有这个名称" in save_mapping(evaluator, here, status=422).errors


def send_sample(
    visitor: Visitor, zone: Zone, content: bytes, name: str, *, status: int = 200
) -> Page:
    path = f"/desk/surveys/{zone.survey}/mappings/sample"
    token = visitor.get(f"/desk/surveys/{zone.survey}/mappings/new").fields(path)
    return visitor.post(path, {**token, "file": (io.BytesIO(content), name)}, status=status)  # type: ignore[dict-item]


def test_headings_are_chosen_from_a_sample(app: Flask, evaluator: Visitor, here: Zone) -> None:
    before, question = snapshot(app), headings(evaluator, here)[-1]
    sample = f"热线月报\n工单号,所属乡镇,满意程度,{question}\nT1,东埔镇,很好,\n".encode()
    page = send_sample(evaluator, here, sample, "gd.csv")
    assert snapshot(app) == before
    assert "读到 4 列" in page.text
    (offered,) = page.html.all("select", name="column-q6")
    texts = [option.text for option in offered.all("option")]
    assert texts == ["没有这一列", "工单号", "所属乡镇", "满意程度", question]
    path = f"/desk/surveys/{here.survey}/mappings/new"
    fields = page.fields(path)
    # What is called there as it is here is chosen already.
    assert [name for name, value in fields.items() if value == [question]]
    chosen = {"key": "工单号", "area": "所属乡镇", "column-q6": "满意程度"}
    again = evaluator.post(path, {**fields, **chosen}, status=422)
    assert "请填写来源的名称" in again.errors
    kept = again.fields(path)
    assert kept["column-q6"] == ["满意程度"]
    saved = evaluator.post(path, {**kept, "name": "热线"})
    mapping = saved.location.rpartition("=")[2]
    table = f"工单号,所属乡镇,满意程度,{question}\nT1,东埔镇,满意,\n".encode()
    confirm(evaluator, here, upload(evaluator, here, table, "gd.csv", mapping=mapping))
    assert [one.answers["q6"] for one in submissions(app, here.survey)] == ["satisfied"]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"a,b", "a.pdf", "只能读 .xlsx 或 .csv"),
        (b"\n \n", "a.csv", "文件里没有表头"),
        (b"", "a.csv", "文件是空的"),
        (b"<script>alert(1)</script>,b\n", "a.csv", ""),
    ],
)
def test_a_sample_that_cannot_be_read_says_why(
    content: bytes, name: str, sentence: str, evaluator: Visitor, here: Zone
) -> None:
    page = send_sample(evaluator, here, content, name, status=422 if sentence else 200)
    assert sentence in page.text
    assert "<script>alert" not in page.body


def test_a_mapping_of_another_zone_is_not_offered(
    evaluator: Visitor, outsider: Visitor, here: Zone, noise: Zone
) -> None:
    mapping = save_mapping(evaluator, here).location.rpartition("=")[2]
    assert "12345热线" not in outsider.get(home(noise)).text
    upload(outsider, noise, b"a,b\n1,2\n", "a.csv", mapping=mapping, status=422)


# ---------------------------------------------------------------------------------------------
# Who may
# ---------------------------------------------------------------------------------------------


def test_an_auditor_reads_imports_and_changes_nothing(
    app: Flask, evaluator: Visitor, auditor: Visitor, here: Zone, sheets: Sheets
) -> None:
    confirm(evaluator, here, upload(evaluator, here, workbook(sheets.names, [sheets.row("1")])))
    before = snapshot(app)
    page = auditor.get(home(here))
    assert "导入 1 份" in page.text
    assert "上传并预览" not in page.text
    set_aside(auditor, here, imports(app)[0].id, "x", status=403)
    assert snapshot(app)["submissions"] == before["submissions"]


def test_another_zones_import_is_not_found(
    app: Flask, evaluator: Visitor, outsider: Visitor, here: Zone, noise: Zone, sheets: Sheets
) -> None:
    page = upload(evaluator, here, workbook(sheets.names, [sheets.row("1")]))
    confirm(evaluator, here, page)
    token = page.fields(f"{home(here)}/confirm")["table"][0]
    own = outsider.get(home(noise)).fields("/staff/sign-out")["csrf_token"][0]
    sent = {"csrf_token": own, "table": token, "reason": "x"}
    outsider.post(f"{home(noise)}/confirm", sent, status=400)
    number = imports(app)[0].id
    outsider.post(f"{home(noise)}/{number}/set-aside", sent, status=404)
    outsider.post(f"{home(here)}/{number}/set-aside", sent, status=404)
    assert len(valid(app, here)) == 1
