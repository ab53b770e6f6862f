"""A survey with every kind of question at the desk: what it asks, its tables, what people wrote."""

import csv
from io import StringIO

import pytest
from flask import Flask

from app.db import reading
from app.errors import Problem
from app.services import publishing, results
from tests.app.test_answering_every_kind import open_every_kind, poster_of, send
from tests.conftest import NOTICE, Page, Visitor, Zone


@pytest.fixture
def survey(app: Flask, here: Zone) -> int:
    return open_every_kind(app, here)


@pytest.fixture
def poster(app: Flask, survey: int) -> str:
    return poster_of(app, survey)


def asked(page: Page) -> str:
    return page.text.replace(" ", "")


@pytest.mark.parametrize(
    "said",
    [
        "说明，不用答",
        "数字·必答·最少1·最多366·整数·次",
        "满足条件才问：went='yes'",
        "还要满足：children<=times带孩子去的次数不能多于总次数。",
        "日期·必答·不早于2025-01-01·不晚于2027-12-31",
        "多选·必答·最少1·最多3",
        "其他，请写明other·要写明，最多30个字",
        "以上都没有none·不能和别的一起选",
        "1很不满意2345很满意说不清unsure·算作不清楚",
        "文字·可以不答·最多200个字·可以分行",
        "不想说refused·算作不适用",
        "8-2.医疗水平parts.skill",
        "排序·必答·最多2",
        "0完全不愿意12345678910非常愿意",
        "群众可以选的语言：中文·العربية·English",
    ],
)
def test_a_surveys_questionnaire_shows_every_kind(
    said: str, evaluator: Visitor, survey: int
) -> None:
    assert said in asked(evaluator.get(f"/desk/surveys/{survey}/questionnaire"))


def test_a_survey_leads_to_its_questionnaire(evaluator: Visitor, survey: int) -> None:
    page = evaluator.get(f"/desk/surveys/{survey}")
    links = [each.attributes["href"] for each in page.html.all("a")]
    assert f"/desk/surveys/{survey}/questionnaire" in links


def test_numbers_have_a_table_of_their_own(
    visitor: Visitor, evaluator: Visitor, survey: int, poster: str
) -> None:
    for times in ("3", "4", "4", "6", "8"):
        send(visitor, poster, times=times, children="")
    page = evaluator.get(f"/desk/surveys/{survey}/tables")
    (section,) = page.html.all("section", id="table-2")
    assert section.rows()["就诊次数（次）"] == ["5", "5", "4", "3", "8", "0"]


def test_a_total_stands_below_the_counts(evaluator: Visitor, survey: int) -> None:
    page = evaluator.get(f"/desk/surveys/{survey}/tables")
    (section,) = page.html.all("section", id="table-2")
    totals = [each for each in section.all("th") if each.text == "合计"]
    assert [each.attributes.get("colspan") for each in totals] == ["2", "2"]


def test_nobodys_number_is_a_dash(evaluator: Visitor, survey: int) -> None:
    page = evaluator.get(f"/desk/surveys/{survey}/tables")
    (section,) = page.html.all("section", id="table-2")
    assert section.rows()["就诊次数（次）"] == ["0", "—", "—", "—", "—", "0"]


def test_numbers_are_in_the_exported_tables(
    visitor: Visitor, evaluator: Visitor, survey: int, poster: str
) -> None:
    for times in ("3", "3", "4", "4", "4", "3"):
        send(visitor, poster, times=times, children="")
    file = evaluator.get(f"/desk/surveys/{survey}/tables.csv").response.get_data()
    rows = list(csv.DictReader(StringIO(file.decode("utf-8-sig"))))
    (row,) = [each for each in rows if each["题目"] == "就诊次数"]
    assert (row["有效作答"], row["平均数"], row["单位"]) == ("6", "3.50", "次")


@pytest.mark.parametrize(
    ("by", "group", "name"),
    [
        ("overall", "5", "5 很满意"),
        ("recommend", "0", "0 完全不愿意"),
        ("parts.staff", "bad", "不满意"),
        ("went", "no", "没有去过"),
    ],
)
def test_rates_are_broken_down_by_any_question_with_one_choice(
    by: str, group: str, name: str, app: Flask, survey: int
) -> None:
    with app.app_context(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey))
    assert group in results.group_order(evidence, by)
    assert results.group_name(evidence, by, group) == name
    assert results.measure_results(evidence, by)


@pytest.mark.parametrize("by", ["why", "times", "wishes", "reason", "parts", "nothing"])
def test_rates_are_not_broken_down_by_anything_else(by: str, app: Flask, survey: int) -> None:
    with app.app_context(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey))
        with pytest.raises(Problem):
            results.group_order(evidence, by)


def test_what_people_wrote_is_read_with_its_question(
    visitor: Visitor, evaluator: Visitor, survey: int, poster: str
) -> None:
    send(visitor, poster)
    page = evaluator.get(f"/desk/surveys/{survey}/texts")
    assert sorted(each.text for each in page.html.all("blockquote")) == [
        "取药",
        "排队太久",
        "早上七点",
    ]


@pytest.mark.parametrize("path", ["", "/notice"])
def test_english_pages_have_english_dates(path: str, evaluator: Visitor, survey: int) -> None:
    page = evaluator.get(f"/desk/surveys/{survey}{path}", lang="en")
    assert "年" not in page.text
    assert f"{NOTICE.erase_at:%Y-%m-%d}" in page.text
