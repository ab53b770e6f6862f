"""Coded answer sheets as files: of closed surveys, to evaluators, with nobody in them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import select

from app.config import Keys
from app.db import reading, transaction
from app.models import AuditEntry, Channel, SurveyArea, SurveyState
from tests.app.test_api import Machine, MakeToken, make_token  # noqa: F401 - a fixture
from tests.app.test_designs_on_screen import draw
from tests.conftest import Visitor, Zone, add_submissions, answers, change_survey, submissions

FORMS = ("csv", "xlsx", "sav", "parquet")


@pytest.fixture
def closed(app: Flask, here: Zone, keys: Keys) -> Zone:
    """Eight people on paper in the first town, six who scanned in the second, two in the third."""
    with app.app_context(), transaction() as session:
        for town, channel, sheets in (
            (0, Channel.PAPER, [answers()] * 6 + [answers(q1="unaware", q3="")] * 2),
            (1, Channel.SCANNED, [answers()] * 6),
            (2, Channel.SCANNED, [answers(q1="unaware")] * 2),
        ):
            add_submissions(session, here.survey, here.towns[town], sheets, keys, channel=channel)
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    return here


def path(zone: Zone, form: str = "") -> str:
    return f"/desk/surveys/{zone.survey}/answers{f'.{form}' if form else ''}"


def fetch(visitor: Visitor, zone: Zone, form: str) -> bytes:
    return visitor.get(path(zone, form)).response.get_data()


def read(content: bytes, form: str, folder: Path) -> pd.DataFrame:
    """Return what a program reads in a file, its blanks as None and its numbers as codes."""
    file = folder / f"answers.{form}"
    file.write_bytes(content)
    match form:
        case "csv":
            return pd.read_csv(file, dtype=str, encoding="utf-8-sig")
        case "xlsx":
            return pd.read_excel(file, dtype=str, sheet_name="单份答卷")
        case "sav":
            return pyreadstat.read_sav(file)[0]
        case _:
            table: pd.DataFrame = pq.read_table(file).to_pandas()
            return table


@pytest.mark.parametrize("form", FORMS)
def test_every_program_reads_the_same_answers(
    form: str, evaluator: Visitor, closed: Zone, tmp_path: Path
) -> None:
    found = read(fetch(evaluator, closed, form), form, tmp_path)
    aware = found["q1"].astype(str).value_counts().to_dict()
    assert sorted(aware.values()) == [4, 12]
    assert len(found) == 16
    assert int(found["q3"].isna().sum()) == 2
    assert set(found["q2_leaflet"].astype(float).dropna()) == {1.0}
    assert not {"key", "batch", "q3_asked"} & set(found.columns)


def test_small_towns_and_those_that_would_tell_them_have_no_name(
    evaluator: Visitor, closed: Zone
) -> None:
    text = fetch(evaluator, closed, "csv")
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    places = [(row["area"], row["channel"]) for row in rows]
    assert {place: places.count(place) for place in places} == {
        (str(closed.towns[0]), "paper"): 8,
        ("", "scanned"): 8,
    }


def test_a_survey_that_asks_for_larger_groups_names_no_smaller_town(
    evaluator: Visitor, closed: Zone
) -> None:
    draw(evaluator, f"/desk/surveys/{closed.survey}", kind="simple", smallest="9")
    text = fetch(evaluator, closed, "csv").decode("utf-8-sig")
    assert {row["area"] for row in csv.DictReader(io.StringIO(text))} == {""}


def test_the_codebook_says_what_codes_mean(evaluator: Visitor, closed: Zone) -> None:
    book = load_workbook(io.BytesIO(fetch(evaluator, closed, "xlsx")))
    assert book.sheetnames == ["单份答卷", "编码表", "来历"]
    rows = list(book["编码表"].values)
    assert ("q1", 1, "知道") in [(row[0], row[3], row[4]) for row in rows]
    assert (str(closed.towns[0]), "忠门镇") in [(str(row[2]), row[4]) for row in rows]
    facts = {str(row[0]): str(row[1]) for row in book["来历"].values}
    assert len(facts["questionnaire_digest"]) == 64


def test_spss_shows_chinese_labels(evaluator: Visitor, closed: Zone, tmp_path: Path) -> None:
    file = tmp_path / "answers.sav"
    file.write_bytes(fetch(evaluator, closed, "sav"))
    _frame, meta = pyreadstat.read_sav(file)
    labels: dict[str, Any] = meta.variable_value_labels
    assert labels["q1"][1.0] == "知道"
    assert labels["area"][1.0] == "忠门镇"
    assert str(meta.column_names_to_labels["q1"]).startswith("1. ")
    assert any("questionnaire_digest" in note for note in meta.notes)


def test_parquet_says_where_it_is_from(evaluator: Visitor, closed: Zone) -> None:
    schema = pq.read_schema(io.BytesIO(fetch(evaluator, closed, "parquet")))
    facts = {name.decode(): text.decode() for name, text in schema.metadata.items()}
    assert facts["format"] == "minping.answers/1"
    assert facts["submissions"] == "16"
    assert facts["software"].startswith("minping ")
    assert "awareness" in {each["id"] for each in json.loads(facts["measures"])}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_a_file_names_a_submission(
    form: str, app: Flask, evaluator: Visitor, closed: Zone
) -> None:
    content = fetch(evaluator, closed, form)
    for each in submissions(app, closed.survey):
        for secret in (str(each.key), each.key.hex, each.receipt, each.digest):
            assert secret.encode() not in content


@pytest.mark.parametrize("state", [SurveyState.OPEN, SurveyState.PAUSED])
def test_while_answers_may_come_there_is_no_file(
    state: SurveyState, app: Flask, evaluator: Visitor, closed: Zone
) -> None:
    change_survey(app, closed.survey, state=state)
    for form in FORMS:
        assert "调查结束以后" in evaluator.get(path(closed, form), status=409).text
    assert "调查结束以后" in evaluator.get(path(closed)).text


def test_of_a_few_answers_there_is_no_file(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    with app.app_context(), transaction() as session:
        add_submissions(session, here.survey, here.towns[0], [answers()] * 4, keys)
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    assert "不足 5 份" in evaluator.get(path(here, "csv"), status=409).text


def test_only_evaluators_of_the_area_take_answers_away(
    closed: Zone, auditor: Visitor, fieldworker: Visitor, outsider: Visitor
) -> None:
    for form in FORMS:
        auditor.get(path(closed, form), status=403)
        fieldworker.get(path(closed, form), status=403)
        outsider.get(path(closed, form), status=404)


def test_each_export_is_on_record(app: Flask, evaluator: Visitor, closed: Zone) -> None:
    for form in FORMS:
        fetch(evaluator, closed, form)
    with app.app_context(), reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    assert [(each.action, each.after) for each in entries] == [
        ("answers_exported", {"form": form}) for form in FORMS
    ]


def test_names_that_are_formulas_stay_names(app: Flask, evaluator: Visitor, closed: Zone) -> None:
    with app.app_context(), transaction() as session:
        session.get_one(SurveyArea, (closed.survey, closed.towns[0])).name = "=HYPERLINK(1)"
    book = load_workbook(io.BytesIO(fetch(evaluator, closed, "xlsx")))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
    assert "=HYPERLINK(1)" in {cell.value for cell in cells}


@pytest.mark.parametrize("form", FORMS)
def test_a_machine_needs_a_token_that_may(
    form: str,
    app: Flask,
    evaluator: Visitor,
    closed: Zone,
    make_token: MakeToken,  # noqa: F811 - the fixture
) -> None:
    address = f"/surveys/{closed.survey}/export.{form}"
    Machine(app, make_token(closed.area)).get(address, status=403)
    reader = Machine(app, make_token(closed.area, reads_answers=True))
    content = reader.get(address).response.get_data()
    if form in {"csv", "parquet"}:
        assert content == fetch(evaluator, closed, form)
    change_survey(app, closed.survey, state=SurveyState.OPEN)
    reader.get(address, status=409)
