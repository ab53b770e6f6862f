"""Every kind of question on the page: shown, faulted, kept, and in several languages."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.db import transaction
from app.models import Area, SurveyState
from app.services import publishing
from surveys.reading import parse_toml
from tests.conftest import Page, Visitor, Zone, plan, submissions

EVERY_KIND = Path(__file__).parents[1] / "surveys/every_kind.toml"

FULL = {
    "went": "yes",
    "times": "１２ 次",
    "children": "2",
    "last": "2026-03-05",
    "why": ["pressure", "other"],
    "why.other": "取药",
    "overall": "2",
    "reason": "排队太久",
    "parts.staff": "bad",
    "parts.skill": "good",
    "parts.price": "unsure",
    "wishes.hours": "1",
    "wishes.drugs": "2",
    "hours": "早上七点",
    "recommend": "10",
    "heard": "board",
}


def open_every_kind(app: Flask, here: Zone) -> int:
    """Open a survey that asks in every way; return its id."""
    with app.app_context(), transaction() as session:
        asked = parse_toml(EVERY_KIND.read_text(encoding="utf-8"), "every_kind")
        area = session.get_one(Area, here.area)
        made = publishing.make_survey(session, asked, area, plan("每种题型"))
        publishing.move_survey(session, made, SurveyState.OPEN)
        return made.id


def poster_of(app: Flask, survey: int) -> str:
    """Return the path of a survey's first poster."""
    with app.app_context(), transaction() as session:
        posters = publishing.load_posters(session, publishing.find_survey(session, survey))
        return f"/p/{posters[0].slug}"


@pytest.fixture
def survey(app: Flask, here: Zone) -> int:
    return open_every_kind(app, here)


@pytest.fixture
def path(app: Flask, survey: int) -> str:
    return poster_of(app, survey)


def fill(page: Page, **changes: object) -> dict[str, object]:
    hidden = {name: page.fields()[name] for name in ("_token", "key")}
    given = {name: value for name, value in {**FULL, **changes}.items() if value}
    return {**hidden, **given, "_end": "1"}


def send(visitor: Visitor, path: str, status: int = 303, **changes: object) -> Page:
    return visitor.post(path, fill(visitor.get(path), **changes), status=status)  # type: ignore[arg-type]


def faults(page: Page) -> list[tuple[str, str]]:
    (summary,) = page.html.all("div", id="faults")
    return [(each.attributes["href"], each.text) for each in summary.all("a")]


def test_every_kind_is_answered_and_stored(
    app: Flask, visitor: Visitor, survey: int, path: str
) -> None:
    send(visitor, path)
    (stored,) = submissions(app, survey)
    assert stored.answers["times"] == "12"
    assert stored.answers["why"] == ["pressure", "other"]
    assert stored.answers["wishes.hours"] == "1"
    assert stored.answers["recommend"] == "10"


def test_answers_to_what_was_not_asked_are_not_stored(
    app: Flask, visitor: Visitor, survey: int, path: str
) -> None:
    send(visitor, path, went="no")
    (stored,) = submissions(app, survey)
    assert set(stored.answers) == {"went", "heard"}


def test_every_kind_says_what_is_wrong_and_where(visitor: Visitor, path: str) -> None:
    page = send(
        visitor,
        path,
        422,
        times="很多",
        children="",
        last="",
        why=["ill", "none"],
        overall="",
        reason="",
        heard="other",
        **{"parts.skill": "", "why.other": "", "wishes.drugs": "1"},
    )
    assert faults(page) == [
        ("#times-in", "第 2 题请填数字。"),
        ("#last-in", "第 4 题还没有填。"),
        ("#why-ill", "第 5 题选了“以上都没有”一类的选项，就不能再选别的。"),
        ("#overall-1", "第 6 题还没有选。"),
        ("#parts.skill-good", "第 8-2 题还没有选。"),
        ("#wishes.staff-in", "第 9 题有两个名次相同，请重新选。"),
        ("#heard.other-in", "第 12 题选了“其他”，请写明是什么。"),
    ]


def test_a_constraint_says_its_own_words(visitor: Visitor, path: str) -> None:
    page = send(visitor, path, 422, children="30")
    assert faults(page) == [("#children-in", "第 3 题：带孩子去的次数不能多于总次数。")]


def test_nothing_that_was_filled_in_is_lost(visitor: Visitor, path: str) -> None:
    kept = send(visitor, path, 422, times="很多", reason="第一行\n第二行 <b>").fields()
    sent = {**FULL, "times": "很多", "reason": "第一行\n第二行 <b>"}
    found = {name: kept[name] for name in sent}
    assert found == {
        name: [value] if isinstance(value, str) else value for name, value in sent.items()
    }


def test_the_questionnaires_languages_are_offered(visitor: Visitor, path: str) -> None:
    page = visitor.get(path, size="l")
    links = [each.attributes["href"] for each in page.html.all("p", **{"class": "s"})[0].all("a")]
    assert links == ["?", "?size=l&lang=ar", "?size=l&lang=en"]


def test_a_page_is_read_from_right_to_left(visitor: Visitor, path: str) -> None:
    page = visitor.get(path, lang="ar")
    assert page.html.all("div", lang="ar", dir="rtl")
    assert "هل زرتم عيادة القرية هذا العام؟" in page.text
    assert "您从哪里知道村卫生室的服务？" in page.text  # not translated


def test_an_answer_is_the_same_in_every_language(
    app: Flask, visitor: Visitor, survey: int, path: str
) -> None:
    for language in ("en", "ar"):
        page = visitor.get(path, lang=language)
        visitor.post(f"{path}?sent&lang={language}", fill(page))  # type: ignore[arg-type]
    first, second = submissions(app, survey)
    assert first.digest == second.digest


def test_english_questions_have_english_buttons_and_faults(visitor: Visitor, path: str) -> None:
    page = visitor.get(path, lang="en")
    (html,) = page.html.all("html")
    assert html.attributes["lang"] == "en"
    again = visitor.post(f"{path}?sent&lang=en", fill(page, recommend=""), status=422)  # type: ignore[arg-type]
    assert "Submit" in again.text
    ((_anchor, sentence),) = faults(again)
    assert sentence.isascii()


def test_a_text_beside_an_unticked_option_is_kept_and_named(visitor: Visitor, path: str) -> None:
    written: dict[str, Any] = {"heard.other": "听邻居说"}
    page = send(visitor, path, 422, heard="board", **written)
    sentence = "第 12 题写了字，但没有选它上面的选项：请选上，或者把字删去。"
    assert faults(page) == [("#heard.other-in", sentence)]
    (box,) = page.html.all("input", id="heard.other-in")
    assert box.attributes["value"] == "听邻居说"
    send(visitor, path, heard="other", **written)


def test_the_page_names_the_limit_in_the_servers_words(visitor: Visitor, path: str) -> None:
    (told,) = [each for each in visitor.get(path).html.all("p") if "data-most" in each.attributes]
    page = send(visitor, path, 422, why=["ill", "pressure", "vaccine", "advice"])
    assert faults(page)[0][1] == told.text.removeprefix("错误：").strip()


def test_a_language_that_is_not_offered_is_not_shown(visitor: Visitor, path: str) -> None:
    assert visitor.get(path, lang="ug").html.all("div", lang="zh-Hans")
