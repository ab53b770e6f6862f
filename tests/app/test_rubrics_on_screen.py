"""Rubrics that evaluators make: from a template, a workbook or a form; and audits of reports."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook
from sqlalchemy import select

from analysis.scoring.__main__ import main
from analysis.scoring.audit import audit, findings_document
from analysis.scoring.rubric import FOLDER, bundled, load_bundled, parse
from app.db import reading
from app.models import AuditEntry, RubricState, StoredRubric
from app.services import rubrics
from tests.conftest import Command, Page, Visitor, Zone, snapshot

HEALTH = "beian-2020-public-health"
HOME, AUDIT, TYPED = "/desk/rubrics/", "/desk/rubrics/audit", "/desk/rubrics/audit/form"


def send(
    visitor: Visitor, path: str, content: bytes, name: str = "r.xlsx", *, status: int = 200
) -> Page:
    """Send a file as the page's form does, for the evaluator's whole zone."""
    home = visitor.get(AUDIT if path == AUDIT else HOME)
    fields: Mapping[str, object] = {
        **home.fields(path),
        "file": (io.BytesIO(content), name),
    }
    return visitor.post(path, fields, status=status)  # type: ignore[arg-type]


def workbook(visitor: Visitor, rubric_id: str) -> Workbook:
    path = f"/desk/rubrics/bundled/{rubric_id}.xlsx"
    return load_workbook(io.BytesIO(visitor.get(path).response.get_data()))


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def cell_of(book: Workbook, sheet: str, code: str, heading: str) -> str:
    """Return the address of the cell below a heading in the first row with this code."""
    page = book[sheet]
    headings = [cell.value for cell in page[1]]
    at = headings.index("代码")
    row = next(row for row in page.iter_rows(min_row=2) if row[at].value == code)
    return str(row[headings.index(heading)].coordinate)


def as_json(page: Page, visitor: Visitor) -> object:
    forms = page.html.all("form", action="/desk/rubrics/audit/findings")
    text = forms[0].all("input", name="text")[0].attributes["value"]
    token = forms[0].all("input", name="csrf_token")[0].attributes["value"]
    sent = {"csrf_token": token, "form": "json", "text": text}
    return json.loads(visitor.post("/desk/rubrics/audit/findings", sent, status=200).body)


def stored(app: Flask, rubric: int) -> StoredRubric:
    with app.app_context(), reading() as session:
        return rubrics.find_stored(session, rubric)


def acts(app: Flask) -> list[str]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


# ---------------------------------------------------------------------------------------------
# The audit of a report
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rubric_id", [HEALTH, "suining-2022-public-health"])
def test_an_exported_rubric_has_the_findings_of_its_file(
    rubric_id: str, evaluator: Visitor, app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    content = saved(workbook(evaluator, rubric_id))
    before = snapshot(app)
    page = send(evaluator, AUDIT, content)
    assert {key: rows for key, rows in snapshot(app).items() if before[key] != rows} == {}
    assert as_json(page, evaluator) == findings_document(load_bundled(rubric_id))
    assert main(["audit", rubric_id, "--json"]) == 0
    assert as_json(page, evaluator) == json.loads(capsys.readouterr().out)
    for finding in audit(load_bundled(rubric_id)):
        assert " ".join(finding.text.split()) in page.text


def test_one_changed_figure_is_exactly_one_finding_more(evaluator: Visitor) -> None:
    book = workbook(evaluator, HEALTH)
    page = book["频数表"]
    address = next(cell.coordinate for cell in page["E"] if cell.value == "88.35%")
    page[address] = "88.36%"
    found = as_json(send(evaluator, AUDIT, saved(book)), evaluator)
    known = findings_document(load_bundled(HEALTH))["findings"]
    assert isinstance(found, dict)
    assert isinstance(known, list)
    more = [each for each in found["findings"] if each not in known]
    assert [each for each in known if each not in found["findings"]] == []
    # What 91 of 103 cannot print, no other count can either.
    assert [each["kind"] for each in more] == [
        "impossible_percentage",
        "percentage_against_counts",
    ]
    assert {each["printed"] for each in more} == {"88.36%"}


def test_findings_are_handed_out_as_excel_on_record(evaluator: Visitor, app: Flask) -> None:
    text = (FOLDER / f"{HEALTH}.toml").read_text(encoding="utf-8")
    token = evaluator.get(AUDIT).fields(AUDIT)["csrf_token"]
    sent = {"csrf_token": token, "form": "xlsx", "text": text}
    page = evaluator.post("/desk/rubrics/audit/findings", sent, status=200)
    book = load_workbook(io.BytesIO(page.response.get_data()))
    assert book.worksheets[0].max_row == 1 + len(audit(load_bundled(HEALTH)))
    assert acts(app) == ["findings_exported"]


def typed(page: Page, **changes: str) -> dict[str, str]:
    """Return what the typing form would send, with other figures; __ stands for a dot."""
    (form,) = page.html.all("form", action=TYPED)
    sent = {}
    for each in form:
        if "name" in each.attributes and each.tag in {"input", "textarea", "select"}:
            value = each.attributes.get("value", "")
            if each.tag == "textarea":
                value = each.text
            if each.tag == "select":
                value = next(
                    (one.attributes["value"] for one in each if "selected" in one.attributes), ""
                )
            sent[each.attributes["name"]] = value
    sent.pop("act", None)
    return {**sent, **{key.replace("__", "."): value for key, value in changes.items()}}


def test_figures_typed_for_a_rubric_are_audited(evaluator: Visitor, app: Flask) -> None:
    form = evaluator.get(TYPED, rubric=HEALTH)
    number = [each.code for each in load_bundled(HEALTH).indicators].index("C31") + 1
    row = f"indicators.{number}"
    figures = {f"{row}.measured.percent": "97.22%", f"{row}.measured.base": "103"}
    before = snapshot(app)
    page = evaluator.post(
        TYPED, {**typed(form), **figures, f"{row}.published.annex.points": "5"}, status=200
    )
    assert "97.22%，但 103 份里没有任何份数能得出" in page.text
    assert "附件1" not in page.html.all("h1")[0].text
    assert page.html.all("input", name=f"{row}.measured.percent")[0].attributes["value"] == "97.22%"
    assert snapshot(app) == before


def test_a_document_is_typed_over_with_its_figures(evaluator: Visitor) -> None:
    form = evaluator.get(TYPED, rubric=HEALTH, figures="1")
    page = evaluator.post(TYPED, typed(form), status=200)
    assert as_json(page, evaluator) == findings_document(load_bundled(HEALTH))


def test_a_report_is_typed_without_any_rubric(evaluator: Visitor) -> None:
    sent = typed(
        evaluator.get(TYPED),
        about__1__title="某县报告",
        about__1__source__document="某县报告",
        about__1__full_marks="20",
        about__1__published__total__points="19",
        indicators__1__code="1",
        indicators__1__name="满意度",
        indicators__1__weight="10",
        indicators__1__measured__percent="88%",
        indicators__1__rule__kind="扣分法",
        indicators__1__rule__target="90%",
        indicators__1__rule__per_step="1",
        indicators__1__rule__step="1",
        indicators__1__rule__partial_step="按比例扣",
        indicators__1__published__annex__points="9",
        indicators__2__code="2",
        indicators__2__name="档案",
        indicators__2__weight="8",
        indicators__2__published__annex__points="8",
        grades__1__name="优",
        grades__1__lower="90",
        grades__1__lower_inclusive="是",
    )
    page = evaluator.post(TYPED, sent, status=200)
    found = as_json(page, evaluator)
    assert isinstance(found, dict)
    assert [
        (each["kind"], each["indicator"], each["recomputed"]) for each in found["findings"]
    ] == [
        ("score_against_rule", "1", "8.00 分"),
        ("not_computable", "2", ""),
        ("sum_of_weights", "", "18"),
        ("sum_of_scores", "", "17"),
        ("grade_gap", "", "无法定级"),
    ]


def test_what_is_typed_wrong_stays_and_is_told_beside_its_field(evaluator: Visitor) -> None:
    form = evaluator.get(TYPED, rubric=HEALTH)
    page = evaluator.post(TYPED, typed(form, indicators__1__weight="三分"), status=422)
    assert "应当是不小于 0 的数" in page.errors
    assert page.html.all("input", name="indicators.1.weight")[0].attributes["value"] == "三分"
    more = evaluator.post(TYPED, {**typed(page), "act": "more"}, status=200)
    assert more.html.all("input", name="indicators.1.weight")[0].attributes["value"] == "三分"
    assert len(more.html.all("input")) > len(page.html.all("input"))


# ---------------------------------------------------------------------------------------------
# Making a rubric
# ---------------------------------------------------------------------------------------------


def test_the_template_has_lists_and_is_itself_a_rubric(
    evaluator: Visitor, app: Flask, here: Zone
) -> None:
    content = evaluator.get("/desk/rubrics/template.xlsx").response.get_data()
    book = load_workbook(io.BytesIO(content))
    lists = {rule.formula1 for rule in book["指标"].data_validations.dataValidation}
    assert '"完成率法,扣分法,分档法,清单,评定,标准遗失"' in lists
    made = send(evaluator, "/desk/rubrics/upload", content, status=303).location
    found = stored(app, int(made.rpartition("/")[2]))
    assert (found.slug, found.version, found.state) == ("example-2026", 2, RubricState.DRAFT)
    assert parse(found.text, "stored") == parse(rubrics.example_text(), "example")
    assert acts(app) == ["rubric_saved"]
    assert "第 2 版" in evaluator.get(made).text
    assert f'href="/desk/rubrics/{here.rubric}"' in evaluator.get(made).body


def test_a_toml_file_is_taken_as_it_is(evaluator: Visitor, app: Flask) -> None:
    text = (FOLDER / f"{HEALTH}.toml").read_text(encoding="utf-8")
    made = send(evaluator, "/desk/rubrics/upload", text.encode(), "r.toml", status=303)
    assert stored(app, int(made.location.rpartition("/")[2])).text == text
    file = evaluator.get(f"{made.location}.toml").response
    assert file.get_data(as_text=True) == text


def test_every_fault_of_a_workbook_is_told_by_its_cell(evaluator: Visitor, app: Flask) -> None:
    book = workbook(evaluator, HEALTH)
    target = cell_of(book, "指标", "C31", "目标值")
    percent = cell_of(book, "频数表", "C28", "印出的百分数")
    book["指标"][target] = "九成"
    book["频数表"][percent] = "七成"
    book["说明"]["B7"] = "一百"
    before = snapshot(app)
    page = send(evaluator, "/desk/rubrics/upload", saved(book), status=422)
    for place in (f"指标!{target}“目标值”", f"频数表!{percent}“印出的百分数”", "说明!B7“满分”"):
        assert place in page.text
    assert snapshot(app) == before


def test_faults_of_several_rules_are_told_by_their_cells(evaluator: Visitor) -> None:
    book = workbook(evaluator, HEALTH)
    places = [
        cell_of(book, "指标", code, heading)
        for code, heading in (("C31", "目标值"), ("C02", "分值"))
    ]
    for place in places:
        book["指标"][place] = None
    page = send(evaluator, AUDIT, saved(book), status=422)
    for place in places:
        assert f"指标!{place}" in page.text


def formula(book: Workbook) -> None:
    book["指标"]["G2"] = "=1+1"


def misspelt(book: Workbook) -> None:
    book["指标"]["G1"] = "分数"


def hidden(book: Workbook) -> None:
    book["指标"].row_dimensions[3].hidden = True


def strange(book: Workbook) -> None:
    book.create_sheet("别的")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (formula, "指标!G2：是公式"),
        (misspelt, "指标!G2：这一列没有模板里的表头"),
        (hidden, "指标：第 3 行是隐藏的"),
        (strange, "不认识的工作表“别的”"),
    ],
)
def test_a_workbook_that_cannot_be_trusted_is_refused(
    change: object, sentence: str, evaluator: Visitor
) -> None:
    assert callable(change)
    book = workbook(evaluator, HEALTH)
    change(book)
    assert sentence in send(evaluator, AUDIT, saved(book), status=422).text


def hostile() -> Iterator[tuple[bytes, str, str]]:
    macro, bomb = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(macro, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/vbaProject.bin", "x")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(50_000_000))
    yield macro.getvalue(), "r.xlsx", "文件里有宏"
    yield bomb.getvalue(), "r.xlsx", "文件解开以后太大"
    yield b"id = " + b"[" * 5_000, "r.toml", "括号套得太深"
    yield b"id = " + b"9" * 5_000, "r.toml", "有位数太多的数"
    yield b"x" * 500_000, "r.toml", "文件太大"
    yield b"\xff\xfe", "r.toml", "文字编码认不出来"
    yield b"a,b", "r.csv", "只能读 .xlsx 工作簿"


@pytest.mark.parametrize(("content", "name", "sentence"), [*hostile()])
def test_hostile_files_are_refused(
    content: bytes, name: str, sentence: str, evaluator: Visitor, app: Flask
) -> None:
    before = snapshot(app)
    assert sentence in send(evaluator, "/desk/rubrics/upload", content, name, status=422).text
    assert snapshot(app) == before


def test_a_copy_leaves_the_results_behind_unless_asked(
    evaluator: Visitor, app: Flask, here: Zone
) -> None:
    path = "/desk/rubrics/copy"
    for slug, figures in (("bare", {}), ("full", {"figures": "y"})):
        fields = evaluator.get(HOME, template=HEALTH).fields(path)
        sent = {**fields, "slug": slug, "title": "某县方案", **figures}
        made = evaluator.post(path, sent).location
        rubric = parse(stored(app, int(made.rpartition("/")[2])).text, slug)
        assert (rubric.published.total_points is None) == (slug == "bare")
        assert len(rubric.indicators) == len(load_bundled(HEALTH).indicators)
    fields = evaluator.get(HOME).fields(path)
    wrong = evaluator.post(path, {**fields, "slug": "某县", "title": "某县"}, status=422)
    assert "代号只能用小写字母、数字和连字符" in wrong.errors
    assert here.rubric


def edit(visitor: Visitor, path: str, status: int = 303, /, **changes: str) -> Page:
    """Open a form of a draft and send it with other cells."""
    page = visitor.get(path)
    (form,) = [
        each for each in page.html.all("form", method="post") if "action" not in each.attributes
    ]
    sent = {"act": "save"}
    for each in form:
        if "name" in each.attributes and each.tag != "button":
            value = each.attributes.get("value", "")
            if each.tag == "textarea":
                value = each.text
            if each.tag == "select":
                chosen = [one for one in each if "selected" in one.attributes]
                value = chosen[0].attributes["value"] if chosen else ""
            sent[each.attributes["name"]] = value
    sent |= {key.replace("__", "."): value for key, value in changes.items()}
    return visitor.post(path, sent, status=status)


def test_an_indicator_is_changed_added_and_removed(
    evaluator: Visitor, app: Flask, here: Zone
) -> None:
    path = f"/desk/rubrics/{here.rubric}/indicator"
    edit(evaluator, f"{path}?at=2")
    assert parse(stored(app, here.rubric).text, "same").indicators == (
        parse(rubrics.example_text(), "example").indicators
    )
    edit(evaluator, f"{path}?at=2", bands__1__points="4", indicators__1__weight="4")
    edit(
        evaluator,
        f"{path}?at=6",
        indicators__1__code="C1",
        indicators__1__name="投诉",
        indicators__1__weight="1",
        indicators__1__criteria="有投诉不得分",
        indicators__1__rule__kind="清单",
        parts__1__id="complaint",
        parts__1__name="没有投诉",
        parts__1__points="1",
    )
    rubric = parse(stored(app, here.rubric).text, "changed")
    assert [str(each.weight) for each in rubric.indicators] == ["5", "5", "4", "5", "8", "2", "1"]
    edit(evaluator, f"{path}?at=6", act="remove")
    edit(evaluator, f"/desk/rubrics/{here.rubric}/head", about__1__full_marks="29")
    page = evaluator.get(f"/desk/rubrics/{here.rubric}")
    assert "分值合计" not in page.text
    assert len(parse(stored(app, here.rubric).text, "less").indicators) == 6
    assert acts(app) == ["rubric_saved"] * 5


def test_a_fault_stands_beside_its_field_and_nothing_is_lost(
    evaluator: Visitor, app: Flask, here: Zone
) -> None:
    path, before = f"/desk/rubrics/{here.rubric}/indicator?at=2", snapshot(app)
    page = edit(evaluator, path, 422, bands__2__lower="9", bands__3__lower="零")
    assert "应当是不小于 0 的数" in page.errors
    assert page.html.all("input", name="bands.2.lower")[0].attributes["value"] == "9"
    page = edit(evaluator, path, 422, bands__2__lower="9")
    assert "各档要从高到低排列" in page.errors
    head = f"/desk/rubrics/{here.rubric}/head"
    assert "代号不能改" in edit(evaluator, head, 422, about__1__id="other").errors
    assert snapshot(app) == before


def test_weights_that_do_not_add_are_a_finding_and_no_error(evaluator: Visitor, here: Zone) -> None:
    edit(evaluator, f"/desk/rubrics/{here.rubric}/indicator?at=0", indicators__1__weight="50")
    assert "分值合计不符" in evaluator.get(f"/desk/rubrics/{here.rubric}").text


def test_who_saves_second_is_told(evaluator: Visitor, here: Zone) -> None:
    path = f"/desk/rubrics/{here.rubric}/indicator?at=0"
    edit(evaluator, path, indicators__1__name="先存的")
    old = edit(evaluator, path, 400, indicators__1__name="后存的", seen="0" * 64)
    assert "刚才有人改过" in old.text
    assert "先存的" in evaluator.get(f"/desk/rubrics/{here.rubric}").text


def test_a_version_in_use_is_scored_with_and_never_changed(
    evaluator: Visitor, app: Flask, here: Zone
) -> None:
    base = f"/desk/rubrics/{here.rubric}"
    name, rates = f"own-{here.rubric}", f"/desk/surveys/{here.survey}/rates"
    scores = f"/desk/surveys/{here.survey}/scores/{name}"
    evaluator.get(scores, status=404)
    assert name not in evaluator.get(rates).body
    token = evaluator.get(base).fields(f"{base}/use")
    evaluator.post(f"{base}/use", token)
    assert name in evaluator.get(rates).body
    assert "群众满意度" in evaluator.get(scores).text
    evaluator.get(f"{scores}/feed.json")
    evaluator.get(f"{scores}/sheet.xlsx")
    evaluator.get(f"{base}/indicator", status=400)
    assert "已经启用" in evaluator.post(f"{base}/use", token, status=400).text
    made = evaluator.post(f"{base}/version", token).location
    assert stored(app, int(made.rpartition("/")[2])).version == 2
    assert acts(app)[:1] == ["rubric_put_in_use"]


def test_another_zone_sees_and_copies_nothing(outsider: Visitor, app: Flask, here: Zone) -> None:
    assert "北岸" not in outsider.get(HOME).html.all("table")[0].text
    name = f"own-{here.rubric}"
    assert "没有这个指标体系" in outsider.get(TYPED, rubric=name, status=400).text
    before = snapshot(app)
    fields = outsider.get(HOME).fields("/desk/rubrics/copy")
    outsider.post(
        "/desk/rubrics/copy", {**fields, "template": name, "slug": "x", "title": "x"}, status=422
    )
    text = rubrics.example_text()
    token = fields["csrf_token"]
    sent = {"csrf_token": token, "text": text, "area": str(here.area)}
    outsider.post("/desk/rubrics/keep", sent, status=404)
    assert snapshot(app) == before


def test_an_auditor_reads_and_changes_nothing(auditor: Visitor, app: Flask, here: Zone) -> None:
    page = auditor.get(f"/desk/rubrics/{here.rubric}")
    assert not page.html.all("form", action=f"/desk/rubrics/{here.rubric}/use")
    before = snapshot(app)
    token = page.fields("/staff/sign-out")["csrf_token"]
    auditor.post(f"/desk/rubrics/{here.rubric}/use", {"csrf_token": token}, status=403)
    assert snapshot(app) == before


def test_an_audited_report_is_kept_when_asked(evaluator: Visitor, app: Flask, here: Zone) -> None:
    page = send(evaluator, AUDIT, saved(workbook(evaluator, HEALTH)))
    (form,) = page.html.all("form", action="/desk/rubrics/keep")
    sent = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
    made = evaluator.post("/desk/rubrics/keep", {**sent, "area": str(here.towns[0])}).location
    found = stored(app, int(made.rpartition("/")[2]))
    assert found.area_id == here.towns[0]
    assert audit(parse(found.text, "kept")) == audit(load_bundled(HEALTH))


# ---------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------


def test_rubrics_come_and_go_by_command(
    flask: Command, tmp_path: Path, here: Zone, app: Flask
) -> None:
    path = tmp_path / "r.xlsx"
    flask("rubric", "export", HEALTH, "--output", path)
    assert "不可能的百分数" in flask("rubric", "check", path).output
    line = flask("rubric", "add", path, "--area", "北岸经济开发区", "--use").output
    name = line.split("\t")[0]
    assert name in flask("rubric", "list").output
    again = tmp_path / "again.toml"
    again.write_text(flask("rubric", "export", name).output, encoding="utf-8")
    assert parse(again.read_text(encoding="utf-8"), "again") == load_bundled(HEALTH)
    assert "等级" in flask("score", here.survey, name).output
    assert acts(app) == ["rubric_saved", "rubric_put_in_use"]
    path.write_bytes(b"x")
    assert "只能读" in flask("rubric", "check", path, status=2).output
    assert "读不出来" in flask("rubric", "check", tmp_path / "none.toml", status=2).output


def test_every_bundled_rubric_can_be_handed_out_as_a_workbook(
    flask: Command, tmp_path: Path
) -> None:
    for rubric_id in bundled():
        path = tmp_path / f"{rubric_id}.xlsx"
        flask("rubric", "export", rubric_id, "--output", path)
        draft = rubrics.read_upload(path.read_bytes(), path.name)
        assert draft.rubric == load_bundled(rubric_id)


def test_a_row_that_is_emptied_moves_no_fault(evaluator: Visitor, here: Zone) -> None:
    head = f"/desk/rubrics/{here.rubric}/head"
    page = edit(
        evaluator,
        head,
        422,
        grades__1__name="",
        grades__1__lower="",
        grades__1__lower_inclusive="",
        grades__3__lower="x",
    )
    (field,) = page.html.all("input", name="grades.3.lower")
    assert field.attributes["value"] == "x"
    assert "is-invalid" in field.attributes["class"]
    edit(evaluator, head, grades__1__name="", grades__1__lower="", grades__1__lower_inclusive="")
    assert "等级有空档" in evaluator.get(f"/desk/rubrics/{here.rubric}").text


def test_a_faulty_form_is_sent_again_as_it_came_back(evaluator: Visitor) -> None:
    form = typed(
        evaluator.get(TYPED),
        about__1__title="报告",
        about__1__source__document="报告",
        about__1__full_marks="十",
        indicators__2__code="1",
        indicators__2__name="档案",
        indicators__2__weight="10",
    )
    page = evaluator.post(TYPED, form, status=422)
    assert "is-invalid" in page.html.all("input", name="about.1.full_marks")[0].attributes["class"]
    again = evaluator.post(TYPED, typed(page, about__1__full_marks="10"), status=200)
    assert "没有输入评分标准" in again.text
