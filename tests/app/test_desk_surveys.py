"""An evaluator's way: make a survey from a questionnaire, open it, close it."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading
from app.headers import resident_script
from app.models import Poster, Survey, SurveyState
from app.services.publishing import find_survey
from tests.conftest import NOTICE_FIELDS, Page, Visitor, Zone, answers, slugs, snapshot

NEW = "/desk/surveys/new"
FILLED = {
    "questionnaire": "beian-2020-printed",
    "title": "2026年基本公共卫生服务调查",
    "opens_at": "2026-11-01T08:00",
    "closes_at": "2099-12-31T18:00",
    **NOTICE_FIELDS,
    "erase_at": "2100-12-31",
}
XSS = '"><script>alert(1)</script>{{ 7 * 7 }}'


def make(visitor: Visitor, **changes: str) -> int:
    page = visitor.fill(NEW, status=303, **{**FILLED, **changes})
    return int(page.location.rsplit("/", 1)[1])


def stored(app: Flask, survey_id: int) -> Survey:
    with app.app_context(), reading() as session:
        return find_survey(session, survey_id)


def move(visitor: Visitor, survey_id: int, to: str, *, status: int = 303) -> Page:
    path = f"/desk/surveys/{survey_id}"
    token = visitor.get(path).fields("/staff/sign-out")["csrf_token"]
    return visitor.post(f"{path}/state", {"csrf_token": token, "to": to}, status=status)


def test_the_page_offers_questionnaires_areas_and_times(evaluator: Visitor) -> None:
    page = evaluator.get(NEW)
    assert [option.attributes["value"] for option in page.html.all("option")][:2] == [
        "beian-2020-fielded",
        "beian-2020-printed",
    ]
    assert page.fields()["opens_at"] < page.fields()["closes_at"]


def test_a_new_survey_is_a_draft_of_its_questionnaire(app: Flask, evaluator: Visitor) -> None:
    made = stored(app, make(evaluator))
    assert made.state is SurveyState.DRAFT
    assert made.questionnaire.code == "beian-2020-printed"
    assert made.opens_at.isoformat() == "2026-11-01T00:00:00+00:00"  # 08:00 in Beijing


def test_a_new_survey_has_a_poster_for_its_area_and_each_town(
    app: Flask, evaluator: Visitor, here: Zone
) -> None:
    made = make(evaluator, area=str(here.area))
    assert set(slugs(app, made)) == {here.area, *here.towns}


def test_a_survey_of_one_town_has_one_poster(app: Flask, evaluator: Visitor, here: Zone) -> None:
    assert set(slugs(app, make(evaluator, area=str(here.towns[1])))) == {here.towns[1]}


def test_two_surveys_share_a_questionnaire_version(app: Flask, evaluator: Visitor) -> None:
    first, second = make(evaluator), make(evaluator)
    assert stored(app, first).questionnaire_id == stored(app, second).questionnaire_id


def test_a_new_survey_is_shown_with_its_times_and_links(evaluator: Visitor) -> None:
    page = evaluator.get(f"/desk/surveys/{make(evaluator)}")
    assert "2026年11月01日 08:00 – 2099年12月31日 18:00" in page.text
    assert "https://minping.example/p/" in page.text
    assert "有效答卷 0 份" in page.text


def test_an_empty_form_names_every_field(app: Flask, evaluator: Visitor) -> None:
    before = snapshot(app)
    empty = {name: "" for name in FILLED if name != "questionnaire"}
    page = evaluator.fill(NEW, status=422, **empty)
    asked = ("调查名称", "开始时间", "截止时间", "谁在调查", "调查用途", "收集哪些内容")
    for sentence in (*asked, "谁能看到答卷", "群众有疑问时找谁", "删除日期"):
        assert f"请填写{sentence}。" in page.errors
    assert snapshot(app) == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"closes_at": "2026-10-01T08:00"}, "截止时间应晚于开始时间。"),
        ({"closes_at": FILLED["opens_at"]}, "截止时间应晚于开始时间。"),
        ({"title": "  "}, "请填写调查名称。"),
        ({"title": "长" * 201}, "200"),
        ({"contact": "长" * 201}, "200"),
        ({"purpose": "长" * 501}, "500"),
        ({"readers": " "}, "请填写谁能看到答卷。"),
        ({"erase_at": "2099-12-31"}, "删除日期应晚于截止时间。"),
        ({"erase_at": "2105-01-01"}, "删除日期最晚为截止后 5 年。"),
        ({"erase_at": ""}, "请填写删除日期。"),
        ({"opens_at": "tomorrow"}, ""),
        ({"questionnaire": "none"}, ""),
        ({"area": "none"}, ""),
    ],
)
def test_a_fault_is_said_beside_its_field_and_nothing_lost(
    changes: dict[str, str], sentence: str, app: Flask, evaluator: Visitor
) -> None:
    before = snapshot(app)
    page = evaluator.fill(NEW, status=422, **{**FILLED, **changes})
    assert page.errors
    assert sentence in page.errors
    assert not page.errors.isascii(), "an error in English"
    kept = page.fields()
    for name in FILLED.keys() - changes.keys():
        assert kept[name] == [FILLED[name]], name
    assert snapshot(app) == before


@pytest.mark.parametrize(
    "changes", [{"opens_at": "0001-01-01T00:00"}, {"closes_at": "9999-12-31T23:59"}]
)
def test_an_instant_at_the_edge_of_time_breaks_nothing(
    changes: dict[str, str], evaluator: Visitor
) -> None:
    page = evaluator.fill(NEW, status=None, **{**FILLED, **changes})
    assert page.status in {303, 422}
    evaluator.get("/desk/")


def test_a_strange_character_breaks_nothing(evaluator: Visitor) -> None:
    assert evaluator.fill(NEW, status=None, **{**FILLED, "title": "a\x00b"}).status in {303, 422}


def test_what_was_typed_is_shown_as_text_everywhere(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    made = make(evaluator, title=XSS, contact=XSS, purpose=XSS, area=str(here.area))
    move(evaluator, made, "open")
    evaluator.fill(f"/field/surveys/{made}", size="1", holder=XSS)
    slug = slugs(app, made)[here.area]
    own_script = " ".join(resident_script().split())
    pages = [
        visitor.get(f"/p/{slug}"),
        *(evaluator.get(f"/desk/surveys/{made}{tail}") for tail in ("", "/rates", "/tables")),
        evaluator.get("/desk/"),
        evaluator.get(f"/field/surveys/{made}"),
        evaluator.get("/field/"),
    ]
    for page in pages:
        assert XSS in page.text
        # The residents' own script holds no text of any survey (app/headers.py).
        assert [each.text for each in page.html.all("script")] in ([], [own_script])


def test_a_faulty_form_shows_what_was_typed_as_text(evaluator: Visitor) -> None:
    page = evaluator.fill(
        NEW, status=422, **{**FILLED, "title": "", "purpose": XSS, "contact": XSS}
    )
    assert not page.html.all("script")
    assert page.fields()["contact"] == page.fields()["purpose"] == [XSS]


MOVES = [
    (["open"], SurveyState.OPEN),
    (["open", "paused"], SurveyState.PAUSED),
    (["open", "paused", "open"], SurveyState.OPEN),
    (["open", "closed"], SurveyState.CLOSED),
    (["open", "paused", "closed"], SurveyState.CLOSED),
]


@pytest.mark.parametrize(("steps", "state"), MOVES)
def test_a_survey_moves(
    steps: list[str], state: SurveyState, app: Flask, evaluator: Visitor
) -> None:
    made = make(evaluator)
    for step in steps:
        move(evaluator, made, step)
    assert stored(app, made).state is state


FORBIDDEN = [
    ([], "paused"),
    ([], "closed"),
    ([], "draft"),
    (["open"], "open"),
    (["open"], "draft"),
    (["open", "paused"], "paused"),
    (["open", "closed"], "open"),
    (["open", "closed"], "paused"),
    (["open", "closed"], "draft"),
    (["open", "closed"], "closed"),
]


@pytest.mark.parametrize(("steps", "to"), FORBIDDEN)
def test_a_survey_does_not_move_like_this(
    steps: list[str], to: str, app: Flask, evaluator: Visitor
) -> None:
    made = make(evaluator)
    for step in steps:
        move(evaluator, made, step)
    before = snapshot(app)
    assert "不能这样变更" in move(evaluator, made, to, status=400).text
    assert snapshot(app) == before


@pytest.mark.parametrize("to", ["", "gone", "OPEN"])
def test_a_state_that_is_none_is_refused(to: str, evaluator: Visitor, here: Zone) -> None:
    move(evaluator, here.survey, to, status=400)


@pytest.mark.parametrize(
    ("steps", "offered"),
    [
        ([], ["open"]),
        (["open"], ["paused", "closed"]),
        (["open", "paused"], ["open", "closed"]),
        (["open", "closed"], []),
    ],
)
def test_the_page_offers_the_moves_that_there_are(
    steps: list[str], offered: list[str], evaluator: Visitor
) -> None:
    made = make(evaluator)
    for step in steps:
        move(evaluator, made, step)
    buttons = evaluator.get(f"/desk/surveys/{made}").html.all("button", name="to")
    assert [button.attributes["value"] for button in buttons] == offered


def test_a_draft_takes_no_answers_until_it_is_opened(
    app: Flask, evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    made = make(evaluator, area=str(here.area))
    path = f"/p/{slugs(app, made)[here.area]}"
    visitor.get(path, status=403)
    move(evaluator, made, "open")
    visitor.submit(path, answers(q9="no_change"))


def test_a_questionnaire_is_shown_with_source_and_measures(evaluator: Visitor) -> None:
    text = evaluator.get("/desk/questionnaires/beian-2020-fielded").text
    for words in (
        "来源：beian-2020-three-evaluations.txt，附件2",
        "费用增加 increased",
        "awareness",
    ):
        assert words in text


def test_the_poster_image_is_a_picture(app: Flask, evaluator: Visitor, here: Zone) -> None:
    with app.app_context(), reading() as session:
        poster = session.scalars(select(Poster.id).where(Poster.slug == here.slug)).one()
    page = evaluator.get(f"/desk/surveys/{here.survey}/posters/{poster}.png")
    assert page.response.data.startswith(b"\x89PNG")
