"""Cross-tables on the screen and as files: asked for in the address, small groups withheld."""

import csv
import io

import pytest
from flask import Flask
from openpyxl import load_workbook

from app.config import Keys
from app.db import transaction
from app.models import Channel
from tests.app.test_designs_on_screen import draw
from tests.conftest import Visitor, Zone, add_submissions, answers


@pytest.fixture
def answered(app: Flask, here: Zone, keys: Keys) -> str:
    """Eight people on paper in the first town, six who scanned in the second; two unaware."""
    with app.app_context(), transaction() as session:
        first = [answers()] * 6 + [answers(q1="unaware")] * 2
        add_submissions(session, here.survey, here.towns[0], first, keys)
        scanned = Channel.SCANNED
        add_submissions(session, here.survey, here.towns[1], [answers()] * 6, keys, channel=scanned)
    return f"/desk/surveys/{here.survey}/cross"


def test_a_question_by_town(evaluator: Visitor, answered: str) -> None:
    rows = evaluator.get(answered).html.rows()
    assert rows["全部"] == ["14", "12 85.71%", "2 14.29%"]
    assert rows["忠门镇"] == ["8", "6 75.00%", "2 25.00%"]
    assert rows["东埔镇"] == ["6", "6 100.00%", "0 0.00%"]
    assert rows["山亭镇"] == ["还没有答卷"]


def test_a_question_by_channel_and_by_another_question(evaluator: Visitor, answered: str) -> None:
    assert evaluator.get(answered, by="channel").html.rows()["扫码"][0] == "6"
    page = evaluator.get(answered, question="q3", by="q1")
    assert page.html.rows()["不知道"] == ["人数太少，为保护答题人不单列"]


def test_filters_stand_in_the_address_and_in_the_files(
    evaluator: Visitor, answered: str, here: Zone
) -> None:
    page = evaluator.get(answered, area=str(here.towns[0]), channel="paper")
    assert page.html.rows()["全部"] == ["8", "6 75.00%", "2 25.00%"]
    (link,) = [each.attributes["href"] for each in page.html.all("a") if each.text == "导出 CSV"]
    found = evaluator.get(link).response.get_data()
    assert found.startswith(b"\xef\xbb\xbf")
    records = list(csv.DictReader(io.StringIO(found.decode("utf-8-sig"))))
    assert {row["只看片区"] for row in records} == {"忠门镇"}
    assert {row["只看调查方式"] for row in records} == {"纸质"}
    assert [row["百分比"] for row in records[:2]] == ["75.00%", "25.00%"]
    book = load_workbook(io.BytesIO(evaluator.get(link.replace(".csv", ".xlsx")).response.data))
    counts = next(column for column in book["交叉表"].columns if column[0].value == "人数")
    assert [cell.value for cell in counts][1:3] == [6, 2]


@pytest.mark.parametrize(
    "asked",
    [{"question": "q1", "by": "q1"}, {"by": "q2"}, {"question": "none"}, {"area": "9999999"}],
)
def test_what_cannot_be_asked_is_said_in_the_form(
    asked: dict[str, str], evaluator: Visitor, answered: str
) -> None:
    assert evaluator.get(answered, status=422, **asked).errors
    evaluator.get(f"{answered}.csv", status=400, **asked)


def test_before_the_first_answer_there_is_no_share(evaluator: Visitor, here: Zone) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/cross")
    assert page.html.rows()["全部"] == ["还没有答卷"]
    assert "0.00%" not in page.text


def test_a_survey_that_asks_for_larger_groups_has_them_here_too(
    evaluator: Visitor, answered: str
) -> None:
    """With at least 10 people in a group neither town stands alone, nor the one of the two."""
    draw(evaluator, answered.removesuffix("/cross"), kind="simple", smallest="10")
    hidden = ["人数太少，为保护答题人不单列"]
    rows = evaluator.get(answered).html.rows()
    assert rows["全部"][0] == "14"
    assert [rows["忠门镇"], rows["东埔镇"]] == [hidden, hidden]
    assert evaluator.get(answered, channel="paper").html.rows()["全部"] == hidden
