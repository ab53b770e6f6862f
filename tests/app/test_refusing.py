"""What is not taken: wrong cards, broken forms, missing answers, surveys that are not open."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from app.config import Keys
from app.db import reading
from app.errors import CardUnusable
from app.formats import instant
from app.models import CardState, SurveyState
from app.respond.forms import sign
from app.services.codes import card_code
from app.services.collecting import Invitation, find_poster
from surveys.library import bundled
from surveys.reading import digest
from tests.conftest import (
    NOW,
    NewVisitor,
    Page,
    Visitor,
    Zone,
    answers,
    card_states,
    change_survey,
    snapshot,
    submissions,
    void_card,
)

ALL_ISSUED = [CardState.ISSUED] * 6


@pytest.fixture
def invitation(app: Flask, here: Zone) -> Invitation:
    with app.app_context(), reading() as session:
        return find_poster(session, here.slug)


@pytest.fixture
def path(here: Zone) -> str:
    return f"/s/{here.codes[0]}"


@pytest.fixture
def unusable(app: Flask, here: Zone, new_visitor: NewVisitor) -> dict[str, str]:
    """Cards that cannot be answered, by the reason."""
    new_visitor().submit(f"/s/{here.codes[1]}")
    void_card(app, here.batch, 3)
    unknown = card_code(b"another key", uuid.uuid4(), 1)
    wrong = here.codes[0][:-1] + str((int(here.codes[0][-1]) + 1) % 10)
    return {
        "spent": f"/s/{here.codes[1]}",
        "void": f"/s/{here.codes[2]}",
        "unknown": f"/s/{unknown}",
        "wrong digit": f"/s/{wrong}",
        "no code": "/s/x",
    }


def seen(page: Page) -> tuple[int, bytes, Mapping[str, str]]:
    headers = dict(page.response.headers)
    return page.status, page.response.get_data(), headers


def test_unusable_cards_cannot_be_told_apart(visitor: Visitor, unusable: dict[str, str]) -> None:
    pages = {why: visitor.get(path, status=404) for why, path in unusable.items()}
    assert len({str(seen(page)) for page in pages.values()}) == 1
    assert "此卡无效或已使用，如有疑问请联系发卡人员。" in pages["spent"].text


def test_unusable_cards_cannot_be_told_apart_by_answering(
    visitor: Visitor, path: str, unusable: dict[str, str]
) -> None:
    form = visitor.open_form(path)
    pages = [visitor.submit(path, form=form, status=404) for path in unusable.values()]
    assert len({str(seen(page)) for page in pages}) == 1


def test_unusable_cards_cannot_be_told_apart_by_a_broken_form(
    visitor: Visitor, unusable: dict[str, str]
) -> None:
    pages = [visitor.post(path, {"q1": "x"}, status=404) for path in unusable.values()]
    assert len({str(seen(page)) for page in pages}) == 1


def test_unusable_cards_of_a_closed_survey_look_the_same(
    app: Flask, visitor: Visitor, here: Zone, unusable: dict[str, str]
) -> None:
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    pages = [visitor.get(path, status=404) for path in unusable.values()]
    assert len({str(seen(page)) for page in pages}) == 1


def test_an_unusable_card_stores_nothing(
    app: Flask, visitor: Visitor, path: str, unusable: dict[str, str]
) -> None:
    form, before = visitor.open_form(path), snapshot(app)
    for each in unusable.values():
        visitor.submit(each, form=form, status=404)
    assert snapshot(app) == before


def test_another_key_does_not_open_a_spent_card(
    app: Flask, new_visitor: NewVisitor, here: Zone, path: str
) -> None:
    late = new_visitor()
    form = late.open_form(path)
    new_visitor().submit(path)
    assert str(CardUnusable.sentence) in late.submit(path, form=form, status=404).text
    assert len(submissions(app, here.survey)) == 1


def checked(page: Page) -> dict[str, list[str]]:
    fields = page.fields()
    return {name: chosen for name, chosen in fields.items() if name.startswith("q")}


def test_a_truncated_body_is_refused_and_nothing_lost(
    app: Flask, visitor: Visitor, path: str
) -> None:
    form, before = visitor.open_form(path), snapshot(app)
    given = answers(q12="", q11="")
    page = visitor.post(path, {**form, **given}, status=400)
    assert "没有完整传到，您的选择都还在" in page.text
    assert checked(page) == given
    assert page.fields()["key"] == form["key"]
    assert snapshot(app) == before


def test_a_truncated_body_can_be_sent_again(visitor: Visitor, path: str) -> None:
    page = visitor.post(path, {**visitor.open_form(path), **answers()}, status=400)
    visitor.post(path, {**page.fields(), "_end": "1"})


@pytest.mark.parametrize("token", ["", "forged", "WyJhIiwxXQ.x", "é", "\x00"])
def test_a_form_without_our_token_comes_back_with_a_fresh_one(
    token: str, app: Flask, visitor: Visitor, path: str
) -> None:
    form, before = visitor.open_form(path), snapshot(app)
    page = visitor.submit(path, form=form, _token=token, status=400)
    assert checked(page) == answers()
    assert page.fields()["key"] == form["key"]
    assert snapshot(app) == before
    visitor.post(path, {**page.fields(), "_end": "1"})


def test_a_form_without_any_token_comes_back(visitor: Visitor, path: str) -> None:
    form = {"key": visitor.open_form(path)["key"]}
    assert visitor.submit(path, form=form, status=400).fields()["key"] == form["key"]


def test_the_token_of_another_questionnaire_is_none(
    app: Flask, visitor: Visitor, path: str, keys: Keys, invitation: Invitation
) -> None:
    before = snapshot(app)
    other = replace(invitation, questionnaire_digest=digest(bundled()["beian-2020-printed"]))
    token = sign(keys.session, other)
    visitor.submit(path, _token=token, status=400)
    assert snapshot(app) == before


def test_a_token_of_other_keys_is_none(visitor: Visitor, path: str, invitation: Invitation) -> None:
    token = sign(b"x" * 32, invitation)
    visitor.submit(path, _token=token, status=400)


@pytest.mark.parametrize("key", ["", "1", "not-a-key", "\x00", "é" * 32])
def test_a_form_without_a_key_gets_one(key: str, visitor: Visitor, path: str) -> None:
    page = visitor.submit(path, key=key, status=400)
    assert len(page.fields()["key"][0]) == 36
    visitor.post(path, {**page.fields(), "_end": "1"})


def test_a_form_that_was_open_all_day_still_counts(
    app: Flask, visitor: Visitor, here: Zone, path: str, keys: Keys, invitation: Invitation
) -> None:
    yesterday = int((NOW - timedelta(days=3)).timestamp())
    token = sign(keys.session, invitation, yesterday)
    visitor.submit(path, _token=token)
    (stored,) = submissions(app, here.survey)
    assert stored.duration_seconds == 24 * 60 * 60


def test_a_form_from_the_future_took_no_time(
    app: Flask, visitor: Visitor, here: Zone, path: str, keys: Keys, invitation: Invitation
) -> None:
    tomorrow = int((NOW + timedelta(days=1)).timestamp())
    token = sign(keys.session, invitation, tomorrow)
    visitor.submit(path, _token=token)
    (stored,) = submissions(app, here.survey)
    assert stored.duration_seconds == 0


def test_every_fault_is_shown_in_the_summary_and_at_the_question(
    app: Flask, visitor: Visitor, path: str
) -> None:
    before = snapshot(app)
    given = answers(q1="", q3="always", q5=("fair", "inconvenient"))
    page = visitor.submit(path, given, status=422)
    summary = next(each for each in page.html if each.attributes.get("id") == "faults")
    links = [(each.attributes["href"], each.text) for each in summary.all("a")]
    assert links == [
        ("#q1-aware", "第 1 题还没有选。"),
        ("#q3-often", "第 3 题的选项有误，请重新选。"),
        ("#q5-very_convenient", "第 5 题只能选一个。"),
    ]
    beside = {each.attributes["id"]: each.text for each in page.html.all("p", **{"class": "m"})}
    assert set(beside) == {"q1-m", "q3-m", "q5-m"}
    assert beside["q1-m"] == "错误：第 1 题还没有选。"
    assert page.html.all("title")[0].text.startswith("错误：")
    assert snapshot(app) == before


def test_what_was_chosen_is_still_chosen(visitor: Visitor, path: str) -> None:
    given = answers(q1="")
    form = visitor.open_form(path)
    page = visitor.submit(path, given, form, status=422)
    assert checked(page) == given
    assert page.fields()["key"] == form["key"]


def test_a_form_that_was_corrected_is_stored_once(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    page = visitor.submit(path, answers(q1=""), status=422)
    for _ in range(2):
        visitor.post(path, {**page.fields(), "q1": "aware", "_end": "1"})
    assert len(submissions(app, here.survey)) == 1


@pytest.mark.parametrize("junk", ["<script>alert(1)</script>", "\x00", "'; DROP TABLE cards; --"])
def test_junk_is_refused_and_not_shown(junk: str, visitor: Visitor, path: str) -> None:
    page = visitor.submit(path, answers(q1=junk), status=422)
    assert junk not in page.body


def test_a_large_body_is_refused_before_it_is_read(app: Flask, visitor: Visitor, path: str) -> None:
    before = snapshot(app)
    page = visitor.submit(path, answers(q1="x" * 10_000_000), status=413)
    assert "提交的内容太大，没有存上。" in page.text
    assert snapshot(app) == before


def test_a_large_upload_is_refused(visitor: Visitor, path: str) -> None:
    kind = "multipart/form-data; boundary=x"
    response = visitor.client.post(path, data=b"--x\r\n" * 2_000_000, content_type=kind)
    assert response.status_code == 413


CLOSED_DOORS = {
    "draft": ({"state": SurveyState.DRAFT}, "本次调查还没有开始。"),
    "planned": (
        {"state": SurveyState.DRAFT, "opens_at": NOW + timedelta(days=2)},
        f"本次调查将于 {instant(NOW + timedelta(days=2))} 开始，请到时再来。",
    ),
    "paused": (
        {"state": SurveyState.PAUSED, "closes_at": NOW + timedelta(days=30)},
        (
            "本次调查暂停填写，恢复后可用原来的卡片继续，"
            f"到 {instant(NOW + timedelta(days=30))} 为止。"
        ),
    ),
    "closed": ({"state": SurveyState.CLOSED}, "本次调查已经结束，谢谢您的关心。"),
    "early": (
        {"opens_at": NOW + timedelta(days=2)},
        f"本次调查将于 {instant(NOW + timedelta(days=2))} 开始，请到时再来。",
    ),
    "late": (
        {"closes_at": NOW - timedelta(hours=3)},
        f"本次调查已于 {instant(NOW - timedelta(hours=3))} 结束，谢谢您的关心。",
    ),
}
closed_doors = pytest.mark.parametrize(
    ("changes", "sentence"), CLOSED_DOORS.values(), ids=CLOSED_DOORS
)


@closed_doors
def test_a_survey_that_is_not_open_says_so(
    changes: dict[str, object], sentence: str, app: Flask, visitor: Visitor, here: Zone
) -> None:
    change_survey(app, here.survey, **changes)
    for path in (f"/s/{here.codes[0]}", f"/p/{here.slug}"):
        assert sentence in visitor.get(path, status=403).text


@closed_doors
def test_a_survey_that_is_not_open_stores_nothing(
    changes: dict[str, object], sentence: str, app: Flask, visitor: Visitor, here: Zone
) -> None:
    paths = (f"/s/{here.codes[0]}", f"/p/{here.slug}")
    forms = [visitor.open_form(path) for path in paths]
    change_survey(app, here.survey, **changes)
    before = snapshot(app)
    for path, form in zip(paths, forms, strict=True):
        assert sentence in visitor.submit(path, form=form, status=403).text
        assert sentence in visitor.post(path, {"q1": "aware"}, status=403).text
    assert snapshot(app) == before


def test_a_survey_that_was_resumed_takes_the_old_card(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    form = visitor.open_form(path)
    change_survey(app, here.survey, state=SurveyState.PAUSED)
    visitor.submit(path, form=form, status=403)
    change_survey(app, here.survey, state=SurveyState.OPEN)
    visitor.submit(path, form=form)


def test_a_broken_form_spends_no_card(app: Flask, visitor: Visitor, here: Zone, path: str) -> None:
    visitor.submit(path, answers(q1=""), status=422)
    visitor.submit(path, _token="", status=400)
    assert card_states(app, here.batch) == ALL_ISSUED


@pytest.mark.parametrize(
    "path",
    ["/p/%00", "/r/%00", "/s/%00", "/p/%E9", "/r/%FF%FE", "/s/%F0%9F%98%80", f"/s/{'9' * 5000}"],
)
def test_a_strange_address_is_not_found(path: str, visitor: Visitor) -> None:
    visitor.get(path, status=404)


def test_an_unknown_address_is_not_found(visitor: Visitor) -> None:
    assert "没有找到这个页面，请核对地址。" in visitor.get("/nothing/here", status=404).text


def test_a_page_that_takes_no_form_says_so(visitor: Visitor) -> None:
    visitor.post("/", {}, status=405)
