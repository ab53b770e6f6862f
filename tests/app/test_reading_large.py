"""Large type, kept in the address; and who filled the form in."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from app.models import Assistance
from tests.conftest import NewVisitor, Page, Visitor, Zone, answers, snapshot, submissions


@pytest.fixture
def path(here: Zone) -> str:
    return f"/s/{here.codes[0]}"


def is_large(page: Page) -> bool:
    (html,) = page.html.all("html")
    return html.attributes.get("class") == "l"


def switch(page: Page) -> tuple[str, str]:
    """Return text and address of the link that changes the size."""
    (link,) = page.html.all("p", **{"class": "s"})[0].all("a")
    return link.text, link.attributes["href"]


@pytest.mark.parametrize("where", ["/", "/s/{code}", "/p/{slug}", "/s/0000000000000000", "/no"])
def test_a_link_makes_every_page_large_and_small_again(
    where: str, visitor: Visitor, here: Zone
) -> None:
    where = where.format(code=here.codes[0], slug=here.slug)
    page = visitor.get(where, status=None)
    assert not is_large(page)
    assert switch(page) == ("大字", "?size=l")
    large = visitor.get(where, status=None, size="l")
    assert is_large(large)
    assert switch(large) == ("标准字号", "?")


def test_a_size_that_is_none_changes_nothing(visitor: Visitor, path: str) -> None:
    page = visitor.get(path, size="<b>")
    assert not is_large(page)
    assert "<b>" not in page.body


def test_the_answers_lead_on_in_the_same_size_and_language(visitor: Visitor, path: str) -> None:
    page = visitor.get(path, size="l", lang="en")
    (form,) = page.html.all("form")
    assert parse_qs(form.attributes["action"][1:], keep_blank_values=True) == {
        "sent": [""],
        "lang": ["en"],
        "size": ["l"],
    }
    sent = {**page.fields(), **answers(), "_end": "1"}
    receipt = visitor.post(path + form.attributes["action"], sent).location
    assert parse_qs(urlsplit(receipt).query) == {"lang": ["en"], "size": ["l"]}
    assert is_large(visitor.get(receipt))


def test_the_phone_that_answered_large_still_has_its_receipt(visitor: Visitor, path: str) -> None:
    sent = {**visitor.get(path, size="l").fields(), **answers(), "_end": "1"}
    visitor.post(f"{path}?sent&size=l", sent)
    assert visitor.get(path, status=303).location.startswith("/r/")


def test_a_typed_number_leads_on_in_the_same_size(visitor: Visitor, here: Zone, path: str) -> None:
    page = visitor.get("/", status=303, code=here.codes[0], size="l")
    assert page.location == f"{path}?size=l"


def test_the_start_page_sends_its_size_along(visitor: Visitor) -> None:
    (form,) = visitor.get("/", size="l").html.all("form")
    assert form.all("input", type="hidden", name="size", value="l")


def test_a_mistyped_number_is_not_lost_by_the_switch(visitor: Visitor) -> None:
    assert switch(visitor.get("/", status=422, code="12 34"))[1] == "?code=12+34&size=l"


def test_a_filled_form_grows_without_losing_anything(
    app: Flask, visitor: Visitor, path: str
) -> None:
    page = visitor.submit(path, answers(q1=""), status=422)
    before = snapshot(app)
    (grow,) = page.html.all("button", name="_show")
    assert grow.attributes["formaction"] == "?sent&size=l"
    shown = visitor.post(f"{path}?sent&size=l", {**page.fields(), "_show": "1"}, status=200)
    assert is_large(shown)
    assert shown.fields() == page.fields()
    assert not shown.html.all("div", id="faults")
    assert snapshot(app) == before


def test_a_form_of_somebody_else_is_not_shown_as_ours(visitor: Visitor, path: str) -> None:
    page = visitor.post(path, {"_show": "1", "_token": "x", "q1": "aware"}, status=400)
    assert page.fields()["_token"] != ["x"]


@pytest.mark.parametrize("assistance", Assistance)
def test_who_filled_it_in_is_stored(
    assistance: Assistance, app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    visitor.submit(path, _by=assistance)
    (stored,) = submissions(app, here.survey)
    assert stored.assistance is assistance


def test_a_machine_need_not_say_who_filled_it_in(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    form = visitor.open_form(path)
    visitor.submit(path, form={name: form[name] for name in ("_token", "key")})
    (stored,) = submissions(app, here.survey)
    assert stored.assistance is Assistance.NONE


def test_who_filled_it_in_stays_chosen(visitor: Visitor, path: str) -> None:
    page = visitor.submit(path, answers(q1=""), _by="proxy", status=422)
    assert page.fields()["_by"] == ["proxy"]


def test_an_unknown_helper_is_no_form_of_ours(app: Flask, visitor: Visitor, path: str) -> None:
    form = visitor.open_form(path)
    before = snapshot(app)
    again = visitor.submit(path, form=form, _by="somebody", status=400)
    assert again.fields()["_by"] == ["none"]
    assert snapshot(app) == before


def test_the_receipt_names_the_key(visitor: Visitor, path: str) -> None:
    form = visitor.open_form(path)
    page = visitor.get(visitor.submit(path, form=form).location)
    assert page.html.all("p", **{"data-key": form["key"][0]})


def test_a_conflict_names_the_key_that_was_stored(visitor: Visitor, here: Zone) -> None:
    form = visitor.open_form(f"/p/{here.slug}")
    visitor.submit(f"/p/{here.slug}", form=form)
    page = visitor.submit(f"/p/{here.slug}", answers(q1="unaware"), form=form, status=409)
    assert page.html.all("p", **{"data-key": form["key"][0]})


def test_a_second_form_of_a_spent_card_is_not_said_to_be_stored(
    visitor: Visitor, path: str
) -> None:
    second = visitor.open_form(path)
    visitor.submit(path)
    page = visitor.submit(path, form=second, status=409)
    assert second["key"][0] not in page.body


def test_another_phone_sees_no_key(visitor: Visitor, new_visitor: NewVisitor, path: str) -> None:
    form = visitor.open_form(path)
    visitor.submit(path, form=form)
    assert form["key"][0] not in new_visitor().get(path, status=404).body
