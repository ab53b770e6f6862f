"""What an evaluator reads: rates, tables and points, and never a number without answers."""

import json
from collections.abc import Sequence

import pytest
from flask import Flask

from analysis.scoring import feed as feeds
from app import demo
from app.config import Keys
from app.db import transaction
from app.models import Area, Channel, Submission, SubmissionState
from tests.conftest import (
    NOW,
    Command,
    Element,
    Page,
    Visitor,
    Zone,
    add_submissions,
    answers,
    submissions,
)

RUBRIC = "beian-2020-public-health"


def store(
    app: Flask,
    zone: Zone,
    keys: Keys,
    sheets: Sequence[dict[str, list[str]]],
    *,
    town: int = 0,
    channel: Channel = Channel.PAPER,
) -> None:
    with app.app_context(), transaction() as session:
        add_submissions(session, zone.survey, zone.towns[town], sheets, keys, channel=channel)


@pytest.fixture
def replayed(app: Flask, here: Zone, keys: Keys) -> str:
    """Replay the published respondents in this zone; return the address of their survey."""
    with app.app_context(), transaction() as session:
        zone = session.get_one(Area, here.area)
        towns = [session.get_one(Area, town) for town in here.towns]
        return f"/desk/surveys/{demo.replay(session, zone, towns, keys, NOW).id}"


def section(page: Page, name: str) -> Element:
    (found,) = page.html.all("section", id=name)
    return found


def grouped(flask: Command, zone: Zone, by: str, measure: str) -> dict[str, str]:
    printed = json.loads(flask("rates", zone.survey, "--by", by, "--json").stdout)
    (found,) = (each for each in printed["measures"] if each["measure"] == measure)
    return {group["group"]: group["status"] for group in found["groups"]}


@pytest.mark.parametrize(("unaware", "unsatisfied"), [(3, 8), (8, 3), (8, 8)])
def test_by_another_question_it_is_all_groups_or_none(
    unaware: int, unsatisfied: int, app: Flask, flask: Command, here: Zone, keys: Keys
) -> None:
    """The same people stand in both breakdowns: what one withholds, the other one would tell."""
    sheets = (
        [answers()] * 20
        + [answers(q1="unaware")] * unaware
        + [answers(q6="dissatisfied")] * unsatisfied
    )
    store(app, here, keys, sheets)
    wanted = "shown" if min(unaware, unsatisfied) >= 5 else "suppressed"
    by_awareness = grouped(flask, here, "q1", "satisfaction")
    assert by_awareness == {"aware": wanted, "unaware": wanted}
    by_satisfaction = grouped(flask, here, "q6", "awareness")
    assert {by_satisfaction[code] for code in ("satisfied", "dissatisfied")} == {wanted}


def test_before_the_first_answer_there_is_no_rate(evaluator: Visitor, here: Zone) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    sections = page.html.all("section")
    assert len(sections) == 13
    for each in sections:
        assert "还没有答卷，不可计算。" in each.text
    assert "0.00%" not in page.text
    assert "100.00%" not in page.text


def test_before_the_first_answer_tables_have_no_percentages(evaluator: Visitor, here: Zone) -> None:
    assert "0.00%" not in evaluator.get(f"/desk/surveys/{here.survey}/tables").text


def test_before_the_first_answer_nothing_is_scored(evaluator: Visitor, here: Zone) -> None:
    page = evaluator.get(f"/desk/surveys/{here.survey}/scores/{RUBRIC}")
    lines = [row for row in page.html.all("tr") if row.attributes.get("id", "").startswith("C")]
    assert len(lines) == 32
    assert {line.all("td")[3].text for line in lines} == {"缺测量"}


def test_an_answer_moves_the_rates(evaluator: Visitor, visitor: Visitor, here: Zone) -> None:
    path = f"/desk/surveys/{here.survey}/rates"
    for code in here.codes[:5]:
        visitor.submit(f"/s/{code}")
    first = section(evaluator.get(path), "awareness").text
    visitor.submit(f"/s/{here.codes[5]}", answers(q1="unaware"))
    second = section(evaluator.get(path), "awareness").text
    assert "5 5 0 100.00%" in first
    assert "5 6 0 83.33%" in second


def test_the_first_answers_are_withheld_until_five_have_come(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    """A rate of four people is too easily somebody's, whichever page it stands on."""
    store(app, here, keys, [answers()] * 4)
    base = f"/desk/surveys/{here.survey}"
    shown = section(evaluator.get(f"{base}/rates"), "awareness").text
    assert "不足 5 人作答，为保护答题人不列。" in shown
    assert "100.00%" not in shown
    assert section(evaluator.get(f"{base}/tables"), "table-7").rows()["知道"] == ["…", "—"]
    points = evaluator.get(f"{base}/scores/{RUBRIC}").html.all("tr", id="C31")[0].text
    assert "缺测量" in points
    assert not feeds.parse(evaluator.get(f"{base}/scores/{RUBRIC}/feed.json").body).measurements
    store(app, here, keys, [answers()])
    assert "5 5 0 100.00%" in section(evaluator.get(f"{base}/rates"), "awareness").text


def test_the_survey_page_counts_by_channel(
    evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    visitor.submit(f"/p/{here.slug}")
    text = evaluator.get(f"/desk/surveys/{here.survey}").text
    assert "有效答卷 2 份" in text
    assert "扫码：1" in text
    assert "海报：1" in text


def test_an_answer_that_was_set_aside_is_not_counted(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 7)
    last = submissions(app, here.survey)[-1]
    with app.app_context(), transaction() as session:
        session.get_one(Submission, last.key).state = SubmissionState.SET_ASIDE
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    assert section(page, "awareness").rows()["北岸经济开发区"][1] == "6"


def test_a_blank_is_left_out_and_shown(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [*[answers()] * 5, answers(q12="")])
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    cells = section(page, "health_improved").rows()["北岸经济开发区"]
    assert cells[:4] == ["5", "5", "1", "100.00%"]
    assert (
        "另有 1 人次未作答，不在表内。" in evaluator.get(f"/desk/surveys/{here.survey}/tables").text
    )


def test_channels_are_shares_of_people(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(
        app,
        here,
        keys,
        [*[answers(q2=("leaflet", "other"))] * 3, *[answers(q2="leaflet")] * 3, answers(q2="")],
    )
    shares = section(evaluator.get(f"/desk/surveys/{here.survey}/rates"), "channels").rows()
    assert shares["宣传单或宣传册"][:4] == ["6", "6", "1", "100.00%"]
    assert shares["其他"][:4] == ["3", "6", "1", "50.00%"]


def test_a_sample_of_cards_has_an_interval(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 9 + [answers(q1="unaware")])
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    assert section(page, "awareness").rows()["北岸经济开发区"] == [
        *["9", "10", "0", "90.00%"],
        "59.58% – 98.21%",
        "不够可靠，不宜对外引用；有效样本不到 30 人；区间宽于 30 个百分点",
    ]


def test_poster_answers_withdraw_the_interval(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 9)
    store(app, here, keys, [answers()], channel=Channel.POSTER)
    page = evaluator.get(f"/desk/surveys/{here.survey}/rates")
    cells = section(page, "awareness").rows()["北岸经济开发区"]
    assert cells[4] == "自愿参与样本，不能推断抽样误差"
    assert "区间" not in evaluator.get(f"/desk/surveys/{here.survey}/scores/{RUBRIC}").text[-400:]


def test_small_groups_are_not_shown(app: Flask, evaluator: Visitor, here: Zone, keys: Keys) -> None:
    """The smallest group that is large enough is hidden too, or the total would tell."""
    for town, people in ((0, 9), (1, 6), (2, 2)):
        store(app, here, keys, [answers()] * people, town=town)
    shown = section(evaluator.get(f"/desk/surveys/{here.survey}/rates"), "awareness").rows()
    assert shown["北岸经济开发区"][:2] == ["17", "17"]
    assert shown["忠门镇"][:2] == ["9", "9"]
    assert shown["东埔镇"] == shown["山亭镇"] == ["人数太少，为保护答题人不单列"]


def test_a_town_without_answers_says_so(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 6)
    shown = section(evaluator.get(f"/desk/surveys/{here.survey}/rates"), "awareness").rows()
    assert shown["东埔镇"] == ["还没有答卷"]


def test_the_noise_is_counted_by_its_own_evaluator_alone(outsider: Visitor, noise: Zone) -> None:
    page = outsider.get(f"/desk/surveys/{noise.survey}/rates")
    assert section(page, "awareness").rows()["噪声开发区"][:4] == ["0", "7", "0", "0.00%"]


REPLAYED_RATES = {
    "awareness": ["82", "103", "0", "79.61%"],
    "use": ["83", "103", "0", "80.58%"],
    "needs_met": ["90", "103", "0", "87.38%"],
    "convenience": ["84", "103", "0", "81.55%"],
    "skill": ["96", "103", "0", "93.20%"],
    "attitude": ["95", "103", "0", "92.23%"],
    "satisfaction": ["365", "412", "0", "88.59%"],
    "staff_improvement": ["38", "103", "0", "36.89%"],
    "health_management_cost": ["91", "103", "0", "88.35%"],
    "medical_cost": ["94", "103", "0", "91.26%"],
    "health_improved": ["73", "103", "0", "70.87%"],
}


def test_the_replayed_report_has_its_rates(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/rates")
    found = {name: section(page, name).rows()["北岸经济开发区"][:4] for name in REPLAYED_RATES}
    assert found == REPLAYED_RATES
    assert "其中 103 份是按报告公布的频数表重放的答卷" in page.text


def test_what_the_report_left_out_has_no_rate(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/rates")
    for name in ("health_consciousness", "channels"):
        assert "没有人答这一题，不可计算。" in section(page, name).text


def test_tables_are_laid_out_as_in_the_report(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/tables")
    table_3 = section(page, "table-3").rows()
    assert table_3["费用有比较明显的减轻"] == ["91", "88.35%", "94", "91.26%"]
    assert table_3["费用增加"] == ["5", "4.85%", "6", "5.83%"]
    assert table_3["合计"] == ["103", "100.00%", "103", "100.00%"]
    assert section(page, "table-7").rows()["知道"] == ["82", "79.61%"]
    assert "合计" not in section(page, "table-8").rows()


def test_what_the_report_printed_wrongly_is_shown_side_by_side(
    evaluator: Visitor, replayed: str
) -> None:
    text = section(evaluator.get(f"{replayed}/tables"), "published").text
    for printed in ("97.22%", "17.91%", "2.61%"):
        assert printed in text
    assert "82/103 79.61%" in text


def test_a_survey_of_its_own_is_compared_with_no_report(
    app: Flask, evaluator: Visitor, here: Zone, keys: Keys
) -> None:
    store(app, here, keys, [answers()] * 6)
    assert not evaluator.get(f"/desk/surveys/{here.survey}/tables").html.all(
        "section", id="published"
    )


REPLAYED_POINTS = {
    "C25": "8.00",
    "C26": "7.00",
    "C28": "4.42",
    "C29": "5.00",
    "C30": "2.63",
    "C31": "4.68",
    "C32": "10.00",
}


def test_the_replayed_report_has_its_points(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/{RUBRIC}")
    shown = {
        row.attributes["id"]: row.all("strong")[0].text
        for row in page.html.all("tr")
        if row.all("strong") and "id" in row.attributes
    }
    assert shown == REPLAYED_POINTS


def test_every_point_shows_its_working(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/{RUBRIC}")
    (line,) = page.html.all("tr", id="C31")
    assert "82/103 = 79.61% 低于 85%，得分 = 79.61% ÷ 85% × 5 = 4.68 分" in line.text
    assert "97.22%" in line.text


def test_the_sheet_is_laid_out_as_the_annex_prints_it(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/{RUBRIC}")
    (line,) = page.html.all("tr", id="C31")
    assert [cell.attributes["data-label"] for cell in line.all("td")] == [
        "分值",
        "评分标准",
        "实际完成",
        "得分",
        "扣分明细",
    ]
    assert [cell.text for cell in line.all("td")][:1] == ["5"]
    assert "低于85%：得分=知晓政策的居民占比/85%×5分" in line.all("td")[1].text
    assert line.all("td")[2].text.startswith("82/103 = 79.61%")
    assert line.all("td")[4].text.startswith("扣 0.32 分")
    (first,) = page.html.all("tr", id="C01")
    spans = [cell.attributes.get("rowspan") for cell in first.all("th")]
    assert spans == ["24", "2", None]


def test_the_sheet_says_what_the_sample_leaves_open(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/{RUBRIC}")
    (line,) = page.html.all("tr", id="C31")
    assert "再多 1 人不知晓（81/103），得分变为 4.62 分" in line.text
    assert "要把得分确定到 ±0.5 分，按现在的率约需再访问 6 人" in line.text
    # Four questions of the same 103 people: answers, not people.
    (several,) = page.html.all("tr", id="C32")
    assert "再多 36 次回答不满意（329/412），得分变为 9.98 分" in several.text
    assert "总分的区间：各项误差按同升同降相加" in page.text


def test_every_reading_stands_beside_the_one_that_counts(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/public-health-2021")
    (line,) = page.html.all("tr", id="satisfaction")
    assert "另一种读法的得分：不足一步不扣 4.80；不足一步按一步扣 4.60" in line.text


def test_an_indicator_without_measurement_is_missing_and_not_zero(
    evaluator: Visitor, replayed: str
) -> None:
    (line,) = evaluator.get(f"{replayed}/scores/{RUBRIC}").html.all("tr", id="C01")
    assert "缺测量" in line.text
    assert "缺失不按 0 分计" in line.text


def test_a_total_that_may_fall_between_two_grades_is_a_question(
    evaluator: Visitor, replayed: str
) -> None:
    """The scale of Longhua leaves gaps between its grades; the pages do not close them."""
    text = evaluator.get(f"{replayed}/scores/longhua-2020-medical-insurance").text
    assert "可能落在“良好”与“优秀”之间的空档，等级标准没有规定，应按哪一档？" in text


def test_every_rubric_that_is_offered_can_be_opened(evaluator: Visitor, replayed: str) -> None:
    links = [each.attributes["href"] for each in evaluator.get(f"{replayed}/rates").html.all("a")]
    offered = [link for link in links if "/scores/" in link]
    assert f"{replayed}/scores/{RUBRIC}" in offered
    for link in offered:
        evaluator.get(link)


def test_the_feed_can_be_scored_elsewhere(evaluator: Visitor, replayed: str) -> None:
    page = evaluator.get(f"{replayed}/scores/{RUBRIC}/feed.json")
    assert page.response.mimetype == "application/json"
    found = feeds.parse(page.body)
    assert {each.indicator for each in found.measurements} == set(REPLAYED_POINTS)
    rate = next(each.content for each in found.measurements if each.indicator == "C31")
    assert isinstance(rate, feeds.Rate)
    assert (rate.numerator, rate.base) == (82, 103)
    assert json.loads(page.body)["format"] == "minping.feed/1"
