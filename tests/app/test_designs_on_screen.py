"""How a sample was drawn: entered on screen, weighted everywhere, and marked when it came late."""

import io
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from flask import Flask

from analysis.intervals import korn_graubard
from analysis.scoring import feed as feeds
from analysis.scoring.rubric import load_bundled
from analysis.scoring.score import score
from app.config import Keys
from app.db import transaction
from app.models import Area, Channel
from app.services import areas, publishing, survey_areas
from tests.app.test_exports import records
from tests.app.test_result_pages import section, store
from tests.conftest import Command, Page, Visitor, Zone, add_submissions, answers

RUBRIC = "beian-2020-public-health"
PEOPLE = (8000, 1500, 500)
AWARE = {0: (36, 4), 1: (10, 10), 2: (2, 18)}  # of each town's people: aware, unaware
WEIGHTED = Fraction(8000 * 36, 40 * 10000) + Fraction(1500 * 10 + 500 * 2, 20 * 10000)


@pytest.fixture
def counted(app: Flask, here: Zone, keys: Keys) -> str:
    """Give the towns people, let some of each answer, and return the survey's address."""
    with app.app_context(), transaction() as session:
        for town, people in zip(here.towns, PEOPLE, strict=True):
            session.get_one(Area, town).population = people
    for town, (aware, unaware) in AWARE.items():
        sheets = [answers()] * aware + [answers(q1="unaware")] * unaware
        store(app, here, keys, sheets, town=town)
    return f"/desk/surveys/{here.survey}"


def draw(evaluator: Visitor, address: str, *, status: int = 303, **changes: str) -> str:
    action = f"{address}/design"
    fields = {"kind": "stratified", "reason": "上次忘了填", **changes}
    return evaluator.fill(action, action=action, status=status, **fields).errors


def test_a_stratified_sample_is_weighted_by_the_towns_people(
    evaluator: Visitor, counted: str
) -> None:
    """Unweighted 48 of 80 people are aware; the large town, where most are, counts for more."""
    draw(evaluator, counted)
    cells = section(evaluator.get(f"{counted}/rates"), "awareness").rows()["北岸经济开发区"]
    assert cells[:4] == ["48", "80", "0", "80.00% 未加权 60.00%"]
    assert "Korn–Graubard 法" in cells[4]


def test_the_interval_is_korn_and_graubards(
    evaluator: Visitor, counted: str, flask: Command, here: Zone
) -> None:
    """By hand: the variance of a stratified mean, with replacement."""
    draw(evaluator, counted)
    printed = json.loads(flask("rates", here.survey, "--json").stdout)
    (rate,) = printed["measures"][0]["rates"]
    variance = sum(
        (people / 10000) ** 2 * p * (1 - p) / (n - 1)
        for people, n, p in ((8000, 40, 0.9), (1500, 20, 0.5), (500, 20, 0.1))
    )
    assert rate["weighted"] == pytest.approx(float(WEIGHTED), rel=1e-12)
    assert rate["error"] == pytest.approx(variance**0.5, rel=1e-12)
    wanted = korn_graubard(float(WEIGHTED), variance**0.5, 80, 77)
    assert rate["interval"]["low"] == pytest.approx(wanted.low, rel=1e-9)
    assert rate["interval"]["high"] == pytest.approx(wanted.high, rel=1e-9)
    assert rate["interval"]["method"] == "korn_graubard"


def test_page_command_file_and_feed_score_the_same_number(
    evaluator: Visitor, counted: str, flask: Command, here: Zone
) -> None:
    draw(evaluator, counted)
    body = evaluator.get(f"{counted}/scores/{RUBRIC}/feed.json").body
    found = {each.indicator: each for each in feeds.parse(body).measurements}
    rate = found["C31"].content
    assert isinstance(rate, feeds.Rate)
    assert (rate.value, rate.weighting) == (WEIGHTED, feeds.Weighting.DESIGN)
    assert (rate.numerator, rate.base) == (48, 80)
    elsewhere = score(load_bundled(RUBRIC), found.values())
    line = next(each for each in elsewhere.lines if each.indicator.code == "C31")
    assert "加权 80.00%（未加权 48/80 = 60.00%）" in line.working
    page = evaluator.get(f"{counted}/scores/{RUBRIC}").html.all("tr", id="C31")[0].text
    assert line.working in page
    printed = json.loads(flask("score", here.survey, RUBRIC, "--json").stdout)
    assert line.working in json.dumps(printed, ensure_ascii=False)
    row = records(evaluator.get(f"{counted}/rates.csv"))[0]
    assert (row["比率"], row["未加权比率"], row["区间说明"]) == (
        "80.00%",
        "60.00%",
        "Korn–Graubard 法",
    )
    assert Decimal(row["设计效应"]) > 0


def test_a_design_after_opening_needs_a_reason_and_is_marked(
    evaluator: Visitor, counted: str
) -> None:
    assert "请写明为什么现在设定或修改" in draw(evaluator, counted, status=422, reason="")
    draw(evaluator, counted)
    draw(evaluator, counted, kind="census", reason="其实是普查")
    text = evaluator.get(f"{counted}/design").text
    assert text.count("调查开放之后设定") == 2
    assert "理由：上次忘了填" in text
    page = evaluator.get(f"{counted}/rates")
    assert "抽样设计第 2 版是在调查开放之后设定的。理由：其实是普查" in page.text
    assert section(page, "awareness").rows()["北岸经济开发区"][3] == "60.00%"
    for path in ("rates.csv", f"scores/{RUBRIC}", f"scores/{RUBRIC}/feed.json"):
        body = evaluator.get(f"{counted}/{path}").response.get_data().decode("utf-8")
        assert "抽样设计第 2 版是在调查开放之后设定的" in body
    assert "设定抽样设计" in evaluator.get("/desk/audit").text


def test_people_counted_later_change_no_figure(
    app: Flask, evaluator: Visitor, counted: str, here: Zone
) -> None:
    draw(evaluator, counted)
    with app.app_context(), transaction() as session:
        session.get_one(Area, here.towns[0]).population = 1
    cells = section(evaluator.get(f"{counted}/rates"), "awareness").rows()["北岸经济开发区"]
    assert cells[3].startswith("80.00%")


def test_poster_answers_set_the_design_aside(
    app: Flask, evaluator: Visitor, counted: str, here: Zone, keys: Keys
) -> None:
    draw(evaluator, counted)
    store(app, here, keys, [answers()], channel=Channel.POSTER)
    assert "自愿参与样本" in section(evaluator.get(f"{counted}/rates"), "awareness").text
    assert "所以下面的设计暂不使用" in evaluator.get(f"{counted}/design").text


def test_a_town_without_people_is_named(evaluator: Visitor, here: Zone) -> None:
    address = f"/desk/surveys/{here.survey}"
    assert "请管理员在“片区”里补上：忠门镇、东埔镇、山亭镇" in draw(evaluator, address, status=422)


def test_one_village_in_a_town_is_refused_until_somebody_decides(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    with app.app_context(), transaction() as session:
        for town, villages in zip(here.towns, (3, 3, 1), strict=True):
            above = session.get_one(Area, town)
            above.population = 900
            for number in range(villages):
                village = areas.add_area(session, f"{above.name}{number}村", above)
                village.population = 300
                survey_areas.take_in(session, publishing.find_survey(session, here.survey))
                sheets = [answers()] * 6 + [answers(q1="unaware")] * (number + 1)
                add_submissions(session, here.survey, village.id, sheets, keys)
    address = f"/desk/surveys/{here.survey}"
    draw(evaluator, address, kind="clustered")
    refused = evaluator.get(f"{address}/rates", status=400)
    assert "这些层只抽了一个单位，无法计算抽样误差：山亭镇。" in refused.text
    draw(evaluator, address, kind="clustered", lonely="adjust")
    assert "未加权" in section(evaluator.get(f"{address}/rates"), "awareness").text


MARGINS = "q12 much_improved 3000\nq12 somewhat_improved 4000\nq12 not_improved 3000"


def test_margins_of_other_categories_are_refused_in_words(evaluator: Visitor, counted: str) -> None:
    said = draw(evaluator, counted, status=422, margins="q1 aware 3000\nq1 何时 10")
    assert "“q1”的类别与题目的选项不一致：unaware、何时。" in said
    said = draw(evaluator, counted, status=422, margins="q1 aware 3000")
    assert "“q1”的类别与题目的选项不一致：unaware。" in said
    said = draw(evaluator, counted, status=422, margins="q1 知道 3000\nq1 unaware")
    assert "第 2 行：应为题目编号、选项、人数三项。" in said
    said = draw(evaluator, counted, status=422, margins="q1 知道 0000000003000\nq1 不知道 1")
    assert "第 1 行：应为题目编号、选项、人数三项。" in said
    said = draw(evaluator, counted, status=422, margins="q1 知道 3000\nq1 不知道 0")
    assert "“q1”的这些类别没有人：unaware。" in said


def test_raked_rates_meet_the_margins_and_say_what_it_costs(
    evaluator: Visitor, counted: str
) -> None:
    draw(evaluator, counted, kind="simple", margins="q1，知道，7000\nq1，不知道，3000")
    cells = section(evaluator.get(f"{counted}/rates"), "awareness").rows()["北岸经济开发区"]
    assert cells[3] == "70.00% 未加权 60.00%"
    text = evaluator.get(f"{counted}/design").text
    assert "调整倍数最小 0.75，最大 1.17；因权数不等损失的精度（Kish）4.2%" in text
    feed = feeds.parse(evaluator.get(f"{counted}/scores/{RUBRIC}/feed.json").body)
    weightings = {
        each.content.weighting for each in feed.measurements if isinstance(each.content, feeds.Rate)
    }
    assert weightings == {feeds.Weighting.RAKED}


def read_margins(evaluator: Visitor, address: str, content: str, *, status: int = 200) -> Page:
    action = f"{address}/design/margins"
    token = evaluator.get(f"{address}/design").fields(action)["csrf_token"]
    fields = {"csrf_token": token, "file": (io.BytesIO(content.encode()), "margins.csv")}
    return evaluator.post(action, fields, status=status)  # type: ignore[arg-type]


def test_margins_from_a_table_are_looked_at_and_then_saved(
    evaluator: Visitor, counted: str
) -> None:
    page = read_margins(evaluator, counted, "题目,选项,人数\nq1,知道,7000\nq1,不知道,3000\n")
    fields = page.fields(f"{counted}/design")
    assert fields["margins"] == ["q1 知道 7000\nq1 不知道 3000"]
    assert "未加权" not in evaluator.get(f"{counted}/rates").text  # nothing is stored yet
    evaluator.post(f"{counted}/design", {**fields, "reason": "人口普查"})
    cells = section(evaluator.get(f"{counted}/rates"), "awareness").rows()["北岸经济开发区"]
    assert cells[3] == "70.00% 未加权 60.00%"


def test_a_table_without_the_columns_is_refused(evaluator: Visitor, counted: str) -> None:
    page = read_margins(evaluator, counted, "题目,选项\nq1,知道\n", status=422)
    assert "人数" in page.html.all("div", **{"class": "alert alert-danger"})[0].text
