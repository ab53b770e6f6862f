"""Results that leave as files: the page's figures, no formula in any cell, each on record."""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import select

from app.db import reading, transaction
from app.models import AuditEntry, Channel, SurveyArea
from app.spreadsheets.writing import Percent, Sheet, csv_bytes, file_name, xlsx
from tests.conftest import Page, Visitor, Zone, add_submissions, answers, change_survey

RUBRIC = "beian-2020-public-health"
FORMULAS = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "＝1+1",
    "﹣1",
    "＠x",
    "\t=1",
    "\r=1",
    "\n=1",
    "\t平安",
    "  =1",
    "\u3000=1",
    "\u200b=1",
    "\ufeff\u200e\u00a0=1",
    "\u00ad=1",
)
PLAIN = ("平安", "-5", "+3.50", "-12.5%", "a=b", "“=1”", "1-2", "", "'=1")


def read_csv(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_xlsx(content: bytes) -> dict[str, list[list[object]]]:
    """Return the cells of every sheet, having seen that none of them acts."""
    book = load_workbook(io.BytesIO(content))
    for sheet in book:
        assert sheet.freeze_panes == "A2"
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in {"s", "n", "inlineStr"}, f"{cell.coordinate} acts"
                assert cell.hyperlink is None
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}


# ---------------------------------------------------------------------------------------------
# The writer
# ---------------------------------------------------------------------------------------------


def test_no_cell_and_no_heading_of_csv_begins_a_formula() -> None:
    sheet = Sheet("t", FORMULAS, [FORMULAS, PLAIN])
    headings, cells, plain = read_csv(csv_bytes(sheet))
    assert headings == cells == [f"'{text}" for text in FORMULAS]
    assert plain == list(PLAIN)


def test_no_cell_and_no_heading_of_excel_is_a_formula() -> None:
    sheet = Sheet("=t", FORMULAS, [FORMULAS, ["http://a.example", "mailto:a@b", "{=1}"]])
    found = read_xlsx(xlsx([sheet]))["=t"]
    assert [str(text).replace("_x000D_", "\r") for text in found[0]] == list(FORMULAS)
    assert found[2][:3] == ["http://a.example", "mailto:a@b", "{=1}"]


def test_numbers_stay_exact_numbers() -> None:
    third = Percent(Fraction(1, 3))
    row = [third, Percent(Fraction(1, 3), 0), Decimal("0.10"), 12, Decimal("0.3"), None, 10**16]
    sheet = Sheet("t", [""] * 7, [row])
    assert read_csv(csv_bytes(sheet))[1] == [
        "33.33%", "33%", "0.10", "12", "0.3", "", "10000000000000000",
    ]  # fmt: skip
    book = load_workbook(io.BytesIO(xlsx([sheet])))
    cells = list(book["t"].iter_rows())[1]
    assert [cell.value for cell in cells] == [
        0.3333, 0.33, 0.1, 12, 0.3, None, "10000000000000000",
    ]  # fmt: skip
    assert [cell.number_format for cell in cells[:4]] == ["0.00%", "0%", "0.00", "0"]


def test_what_xml_cannot_hold_is_replaced_for_all_to_see() -> None:
    sheet = Sheet("t", ["a"], [["东\x00镇\x1b\ud800\uffff"], ["长" * 40_000]])
    found = read_xlsx(xlsx([sheet]))["t"]
    assert found[1] == ["东\ufffd镇\ufffd\ufffd\ufffd"]
    assert str(found[2][0]).endswith("长…")
    assert read_csv(csv_bytes(sheet))[1] == ["东\ufffd镇\ufffd\ufffd\ufffd"]


def test_sheets_of_one_name_are_told_apart() -> None:
    titles = ["[a]:*?/\\", "长" * 40, "长" * 41, "History", "", "'"]
    made = read_xlsx(xlsx([Sheet(title, ["a"], []) for title in titles]))
    assert len(made) == len(titles)
    assert all(len(title) <= 31 for title in made)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\a\\b", "C__a_b"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie__x"),
        ("满意\u202egpj.exe", "满意_gpj.exe"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("...", "_"),
        ("", "_"),
        ('a"b;c', "a_b;c"),
    ],
)
def test_a_file_name_leads_nowhere(title: str, name: str) -> None:
    assert file_name(title) == name
    assert len(file_name(title * 90)) <= 81


# ---------------------------------------------------------------------------------------------
# The pages
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def answered(app: Flask, here: Zone) -> Zone:
    """Nine answer sheets: seven of the first town, two of the second, which is too few."""
    sheets = [answers()] * 5 + [answers(q6="", q12="not_improved")] * 2
    with app.app_context(), transaction() as session:
        add_submissions(session, here.survey, here.towns[0], sheets, app.extensions["minping"].keys)
        add_submissions(
            session, here.survey, here.towns[1], [answers()] * 2, app.extensions["minping"].keys
        )
    return here


def paths(zone: Zone) -> list[str]:
    base = f"/desk/surveys/{zone.survey}"
    files = [f"{base}/{name}.{form}" for name in ("rates", "tables") for form in ("csv", "xlsx")]
    return [*files, f"{base}/scores/{RUBRIC}/sheet.xlsx", "/desk/audit.csv", "/desk/audit.xlsx"]


def content(page: Page) -> bytes:
    return page.response.get_data()


def records(page: Page) -> list[dict[str, str]]:
    headings, *rows = read_csv(content(page))
    return [dict(zip(headings, row, strict=True)) for row in rows]


def acts(app: Flask) -> list[tuple[str, str, str, Mapping[str, object] | None]]:
    with app.app_context(), reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        return [(each.actor, each.action, each.object, each.after) for each in found]


def test_rates_carry_everything_that_the_page_shows(evaluator: Visitor, answered: Zone) -> None:
    page = evaluator.get(f"/desk/surveys/{answered.survey}/rates").html.rows()
    found = records(evaluator.get(f"/desk/surveys/{answered.survey}/rates.csv"))
    whole = next(row for row in found if row["测量项"] and row["范围"] == "北岸经济开发区")
    figures = [whole[name] for name in ("分子", "基数", "比率")]
    assert [*page[whole["测量项"]][:2], page[whole["测量项"]][3]] == figures
    assert page[whole["测量项"]][4] == f"{whole['区间下限']} – {whole['区间上限']}"
    assert whole["有效答卷"] == "9"
    assert whole["定义"]


def test_a_withheld_group_is_withheld_in_the_file_too(evaluator: Visitor, answered: Zone) -> None:
    found = records(evaluator.get(f"/desk/surveys/{answered.survey}/rates.csv"))
    small = [row for row in found if row["范围"] == "东埔镇"]
    assert small
    for row in small:
        assert row["状态"] == "人数太少，为保护答题人不单列"
        assert not any(row[name] for name in ("分子", "基数", "未作答", "比率", "区间下限"))


def test_a_survey_that_nobody_answered_has_no_rate_of_0(evaluator: Visitor, here: Zone) -> None:
    for row in records(evaluator.get(f"/desk/surveys/{here.survey}/rates.csv")):
        assert row["状态"] == "没有人答，不可计算"
        assert row["比率"] == row["分子"] == ""


def test_a_self_selected_sample_says_so(app: Flask, evaluator: Visitor, here: Zone) -> None:
    with app.app_context(), transaction() as session:
        keys = app.extensions["minping"].keys
        sheets = [answers()] * 6
        add_submissions(session, here.survey, here.towns[0], sheets, keys, channel=Channel.POSTER)
    row = records(evaluator.get(f"/desk/surveys/{here.survey}/rates.csv"))[0]
    assert (row["区间下限"], row["区间说明"]) == ("", "自愿参与样本，不能推断抽样误差")


def test_excel_and_csv_say_the_same(evaluator: Visitor, answered: Zone) -> None:
    base = f"/desk/surveys/{answered.survey}"
    for name in ("rates", "tables"):
        lines = read_csv(content(evaluator.get(f"{base}/{name}.csv")))
        (sheet,) = read_xlsx(content(evaluator.get(f"{base}/{name}.xlsx"))).values()
        assert len(sheet) == len(lines)
        assert sheet[0] == lines[0]
        place = lines[0].index("比率" if name == "rates" else "百分比")
        for line, row in zip(lines[1:], sheet[1:], strict=True):
            value = row[place]
            if isinstance(value, float | int):
                assert Decimal(str(value)) * 100 == Decimal(line[place].rstrip("%"))
            else:
                assert (value or "") == line[place]


def test_frequencies_are_those_of_the_page(evaluator: Visitor, answered: Zone) -> None:
    found = records(evaluator.get(f"/desk/surveys/{answered.survey}/tables.csv"))
    aware = next(row for row in found if row["选项"] == "知道")
    assert (aware["人数"], aware["有效作答"], aware["百分比"]) == ("9", "9", "100.00%")


def test_a_score_sheet_keeps_working_and_sums(evaluator: Visitor, answered: Zone) -> None:
    path = f"/desk/surveys/{answered.survey}/scores/{RUBRIC}"
    lines, _sums, _left_open = read_xlsx(content(evaluator.get(f"{path}/sheet.xlsx"))).values()
    head = lines[0]
    shown = evaluator.get(path).text
    for row in lines[1:]:
        cells = dict(zip(head, row, strict=True))
        assert str(cells["三级指标"]) in shown
        assert "".join(str(cells["评分标准"]).split()) in "".join(shown.split())
        if cells["状态"] == "缺测量":
            assert cells["得分"] is None


def test_the_audit_log_is_exported_as_it_is_filtered(
    app: Flask, evaluator: Visitor, answered: Zone
) -> None:
    for form in ("csv", "xlsx"):
        evaluator.get(f"/desk/surveys/{answered.survey}/rates.{form}")
    evaluator.get(f"/desk/surveys/{answered.survey}/tables.csv")
    found = records(evaluator.get("/desk/audit.csv", action="rates_exported"))
    assert [row["事项"] for row in found] == ["导出比率"] * 2
    assert [row["变更后"] for row in found] == ['{"form": "xlsx"}', '{"form": "csv"}']
    assert acts(app)[-1][1:3] == ("audit_exported", acts(app)[-1][2])
    assert acts(app)[-1][3] == {"form": "csv", "rows": 2}
    assert "不对" not in evaluator.get("/desk/audit.csv", status=400, day="昨天").text


def test_every_export_is_on_record(app: Flask, evaluator: Visitor, answered: Zone) -> None:
    for path in paths(answered):
        evaluator.get(path)
    survey = f"survey {answered.survey}"
    assert [(action, named) for _who, action, named, _after in acts(app)][:5] == [
        ("rates_exported", survey),
        ("rates_exported", survey),
        ("tables_exported", survey),
        ("tables_exported", survey),
        ("scores_exported", survey),
    ]
    assert [action for _who, action, _named, _after in acts(app)][5:] == ["audit_exported"] * 2


def test_files_are_never_kept_and_never_pages(evaluator: Visitor, answered: Zone) -> None:
    for path in paths(answered):
        headers = evaluator.get(path).response.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith("attachment; filename=")


HOSTILE = '../=1"\u202e；满意'


def test_hostile_titles_leave_names_and_cells_harmless(
    app: Flask, evaluator: Visitor, answered: Zone
) -> None:
    change_survey(app, answered.survey, title=f"=cmd|' /C calc'!A0{HOSTILE}")
    with app.app_context(), transaction() as session:
        key = answered.survey, answered.towns[0]
        session.get_one(SurveyArea, key).name = "＝HYPERLINK(1)"
    page = evaluator.get(f"/desk/surveys/{answered.survey}/rates.csv")
    disposition = page.response.headers["Content-Disposition"]
    assert f"filename=rates-{answered.survey}.csv" in disposition.replace('"', "")
    assert "filename*=UTF-8''" in disposition
    assert not set(disposition) & set("\r\n\\\u202e")
    assert "/" not in disposition
    found = records(page)
    assert {row["调查"][:6] for row in found} == {"'=cmd|"}
    assert "'＝HYPERLINK(1)" in {row["范围"] for row in found}
    for path in paths(answered):
        if path.endswith("xlsx"):
            read_xlsx(content(evaluator.get(path)))


def test_nobody_exports_another_zone(
    app: Flask, outsider: Visitor, fieldworker: Visitor, visitor: Visitor, answered: Zone
) -> None:
    evaluated = paths(answered)
    for path in evaluated[:5]:
        outsider.get(path, status=404)
    for path in evaluated:
        fieldworker.get(path, status=403)
        visitor.get(path, status=303)
    assert acts(app) == []
    assert "北岸" not in content(outsider.get("/desk/audit.csv")).decode()
