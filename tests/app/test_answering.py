"""A resident's way: open the page, send the answers, keep the receipt."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.config import Keys
from app.db import transaction
from app.models import CardState, Channel, Origin, Submission, SubmissionState, SurveyState
from app.services.codes import code_hash, in_fours, receipt_code
from tests.conftest import (
    BASE_URL,
    NOTICE,
    NOW,
    NewVisitor,
    Visitor,
    Zone,
    answers,
    card_states,
    change_survey,
    slugs,
    snapshot,
    submissions,
)

Typing = Callable[[str], str]

ONE_ANSWERED = [CardState.ANSWERED] + [CardState.ISSUED] * 5


@pytest.fixture
def path(here: Zone) -> str:
    return f"/s/{here.codes[0]}"


def test_viewing_stores_nothing(app: Flask, visitor: Visitor, here: Zone, path: str) -> None:
    before = snapshot(app)
    for viewed in ("/", path, f"/p/{here.slug}", "/healthz", "/readyz", "/staff/sign-in"):
        visitor.get(viewed)
    assert snapshot(app) == before


def test_viewing_twice_gives_two_keys(visitor: Visitor, path: str) -> None:
    assert visitor.open_form(path)["key"] != visitor.open_form(path)["key"]


def test_the_form_tells_who_asks_and_why(visitor: Visitor, path: str) -> None:
    text = visitor.get(path).text
    for words in (
        "示范区卫健局",
        "评价公共卫生服务",
        "选项和答题用时，不记名",
        "评价人员",
        "自愿参加",
    ):
        assert words in text
    assert f"保存到： {NOTICE.erase_at:%Y年%m月%d日}" in text
    assert text.index("自愿参加") < text.index("1. 您知道")
    assert "有疑问请联系：卫健局 0594-0000000" in text


def test_the_form_asks_everything_and_chooses_nothing(visitor: Visitor, path: str) -> None:
    page = visitor.get(path)
    # The twelve questions, and who fills the form in.
    assert len(page.html.all("fieldset")) == len(page.html.all("legend")) == 13
    (chosen,) = [each for each in page.html.all("input") if "checked" in each.attributes]
    assert (chosen.attributes["name"], chosen.attributes["value"]) == ("_by", "none")
    (button,) = page.html.all("button")
    assert button.attributes["name"] == "_end"


def test_a_card_answers_once(app: Flask, visitor: Visitor, here: Zone, path: str) -> None:
    page = visitor.submit(path)
    (stored,) = submissions(app, here.survey)
    assert stored.receipt == page.receipt
    assert card_states(app, here.batch) == ONE_ANSWERED


def test_the_noise_is_left_alone(app: Flask, visitor: Visitor, noise: Zone, path: str) -> None:
    before = [each.key for each in submissions(app, noise.survey)]
    visitor.submit(path)
    assert [each.key for each in submissions(app, noise.survey)] == before
    assert card_states(app, noise.batch) == [CardState.ISSUED] * 5


def test_what_was_chosen_is_stored(app: Flask, visitor: Visitor, here: Zone, path: str) -> None:
    visitor.submit(path, answers(q2="", q8="unsure", q12="not_improved"))
    (stored,) = submissions(app, here.survey)
    assert stored.answers == {
        name: codes[0] for name, codes in answers(q2="", q12="not_improved").items()
    }


def test_several_options_are_stored_in_printed_order(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    visitor.submit(path, answers(q2=("other", "newspaper")))
    (stored,) = submissions(app, here.survey)
    assert stored.answers["q2"] == ["newspaper", "other"]


def test_what_is_stored_knows_the_batch_and_no_card(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    visitor.submit(path)
    (stored,) = submissions(app, here.survey)
    assert (stored.batch_id, stored.area_id) == (here.batch, here.towns[0])
    assert (stored.channel, stored.origin) == (Channel.SCANNED, Origin.COLLECTED)
    assert stored.state is SubmissionState.VALID
    assert not [column.name for column in Submission.__table__.columns if "card" in column.name]


def test_instants_are_as_coarse_as_the_hour(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    visitor.submit(path)
    (stored,) = submissions(app, here.survey)
    hour = stored.received_hour
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)
    assert abs(NOW - hour) < timedelta(hours=1, minutes=5)
    assert stored.duration_seconds is not None
    assert 0 <= stored.duration_seconds < 60


def test_the_database_holds_no_code(app: Flask, visitor: Visitor, here: Zone, path: str) -> None:
    visitor.submit(path)
    everything = "\n".join(row for rows in snapshot(app).values() for row in rows)
    for code in here.codes:
        assert code not in everything
        assert in_fours(code) not in everything


def test_the_database_holds_no_plain_hash_of_a_code(here: Zone, keys: Keys) -> None:
    assert code_hash(keys.lookup, here.codes[0]) != code_hash(b"", here.codes[0])


def test_the_same_answers_again_give_the_same_receipt(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    form = visitor.open_form(path)
    receipts = {visitor.submit(path, form=form).receipt for _ in range(3)}
    assert len(receipts) == len(submissions(app, here.survey)) == 1


def test_a_retry_from_a_phone_without_cookies_gives_the_receipt(
    app: Flask, new_visitor: NewVisitor, here: Zone, path: str
) -> None:
    form = new_visitor().open_form(path)
    receipts = {new_visitor().submit(path, form=form).receipt for _ in range(2)}
    assert len(receipts) == len(submissions(app, here.survey)) == 1


def test_other_answers_under_the_same_key_conflict(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    form = visitor.open_form(path)
    first = visitor.submit(path, form=form).receipt
    page = visitor.submit(path, answers(q1="unaware"), form, status=409)
    assert page.receipt == first
    assert "以第一次提交的为准" in page.text
    (stored,) = submissions(app, here.survey)
    assert stored.answers["q1"] == "aware"


def test_a_key_that_another_survey_knows_conflicts(
    app: Flask, visitor: Visitor, here: Zone, noise: Zone
) -> None:
    form = visitor.open_form(f"/s/{noise.codes[0]}")
    visitor.submit(f"/s/{noise.codes[0]}", form=form)
    form["_token"] = visitor.open_form(f"/s/{here.codes[0]}")["_token"]
    visitor.submit(f"/s/{here.codes[0]}", form=form, status=409)
    assert not submissions(app, here.survey)
    assert card_states(app, here.batch) == [CardState.ISSUED] * 6


def test_a_form_of_another_survey_is_shown_again(
    app: Flask, visitor: Visitor, here: Zone, noise: Zone
) -> None:
    form = visitor.open_form(f"/s/{noise.codes[0]}")
    again = visitor.submit(f"/s/{here.codes[0]}", form=form, status=400)
    assert again.fields()["q1"] == ["aware"]
    assert not submissions(app, here.survey)


def test_a_key_sent_with_two_cards_spends_one(app: Flask, visitor: Visitor, here: Zone) -> None:
    form = visitor.open_form(f"/s/{here.codes[0]}")
    receipts = {visitor.submit(f"/s/{code}", form=form).receipt for code in here.codes[:3]}
    assert len(receipts) == len(submissions(app, here.survey)) == 1
    assert card_states(app, here.batch) == ONE_ANSWERED


def test_the_phone_that_answered_is_told_its_receipt_when_it_answers_anew(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    second_tab = visitor.open_form(path)
    first = visitor.submit(path).receipt
    assert visitor.submit(path, form=second_tab, status=409).receipt == first
    assert len(submissions(app, here.survey)) == 1


def test_a_retry_after_the_survey_closed_gives_the_receipt(
    app: Flask, visitor: Visitor, here: Zone, path: str
) -> None:
    form = visitor.open_form(path)
    first = visitor.submit(path, form=form).receipt
    change_survey(app, here.survey, state=SurveyState.CLOSED)
    assert visitor.submit(path, form=form).receipt == first


def test_a_poster_retry_after_the_survey_closed_gives_the_receipt(
    app: Flask, visitor: Visitor, here: Zone
) -> None:
    form = visitor.open_form(f"/p/{here.slug}")
    first = visitor.submit(f"/p/{here.slug}", form=form).receipt
    change_survey(app, here.survey, closes_at=NOW - timedelta(hours=1))
    assert visitor.submit(f"/p/{here.slug}", form=form).receipt == first


def test_a_poster_takes_one_answer_for_each_key(app: Flask, visitor: Visitor, here: Zone) -> None:
    path = f"/p/{here.slug}"
    form = visitor.open_form(path)
    receipts = [visitor.submit(path, form=form).receipt for _ in range(2)]
    receipts += [visitor.submit(path).receipt]
    assert receipts[0] == receipts[1] != receipts[2]
    assert len(submissions(app, here.survey)) == 2


def test_a_poster_answer_belongs_to_the_posters_area(
    app: Flask, visitor: Visitor, here: Zone
) -> None:
    visitor.submit(f"/p/{slugs(app, here.survey)[here.towns[2]]}")
    (stored,) = submissions(app, here.survey)
    assert (stored.area_id, stored.batch_id) == (here.towns[2], None)
    assert stored.channel is Channel.POSTER


def test_a_poster_leaves_no_receipt_on_the_phone(visitor: Visitor, here: Zone) -> None:
    """Others answer on the same phone after; what it keeps is a number (test_limits.py)."""
    cookies = visitor.submit(f"/p/{here.slug}").response.headers.getlist("Set-Cookie")
    assert [each.partition("=")[0] for each in cookies] == ["device"]


def test_an_unknown_poster_is_not_found(visitor: Visitor) -> None:
    assert "没有找到这个页面" in visitor.get("/p/nothing", status=404).text
    visitor.post("/p/nothing", {"_end": "1"}, status=404)


def test_a_submission_leads_to_its_receipt_page(visitor: Visitor, path: str) -> None:
    page = visitor.submit(path)
    shown = visitor.get(page.location)
    assert shown.receipt == page.receipt
    assert "谢谢您，答卷已收到" in shown.text
    assert "这份答卷已计入结果" in shown.text


def test_a_receipt_page_says_nothing_of_the_answers(visitor: Visitor, path: str) -> None:
    page = visitor.get(visitor.submit(path).location)
    assert not re.search("知道|满意|经常", page.text)


def test_a_receipt_that_was_set_aside_says_so(app: Flask, visitor: Visitor, path: str) -> None:
    receipt = visitor.submit(path).receipt
    with app.app_context(), transaction() as session:
        session.execute(update(Submission).values(state=SubmissionState.SET_ASIDE))
    assert "没有计入结果" in visitor.get(f"/r/{receipt}").text


@pytest.mark.parametrize("typed", [str.lower, in_fours, "-".join])
def test_a_receipt_is_found_however_it_is_typed(typed: Typing, visitor: Visitor, path: str) -> None:
    receipt = visitor.submit(path).receipt
    assert visitor.get(f"/r/{typed(receipt)}").receipt == receipt


def test_an_unknown_receipt_is_not_found(visitor: Visitor, keys: Keys) -> None:
    visitor.get(f"/r/{receipt_code(keys.receipt, uuid.uuid4())}", status=404)


def test_the_phone_that_answered_sees_its_receipt_again(visitor: Visitor, path: str) -> None:
    receipt = visitor.submit(path).receipt
    assert visitor.get(path, status=303).receipt == receipt


def test_another_phone_does_not_see_it(
    visitor: Visitor, new_visitor: NewVisitor, path: str
) -> None:
    visitor.submit(path)
    new_visitor().get(path, status=404)


def test_a_forged_cookie_does_not_show_a_receipt(
    visitor: Visitor, new_visitor: NewVisitor, path: str
) -> None:
    receipt = visitor.submit(path).receipt
    other = new_visitor()
    for forged in (receipt, f"{receipt}.{'0' * 32}", f"{receipt}.", ".", "é.é"):
        other.client.set_cookie("receipt", forged, path=path)
        other.get(path, status=404)


def test_the_cookie_of_one_card_does_not_open_another(
    visitor: Visitor, new_visitor: NewVisitor, here: Zone, path: str
) -> None:
    visitor.submit(path)
    new_visitor().submit(f"/s/{here.codes[1]}")
    cookie = visitor.client.get_cookie("receipt", path=path)
    assert cookie is not None
    visitor.client.set_cookie("receipt", cookie.value, path=f"/s/{here.codes[1]}")
    visitor.get(f"/s/{here.codes[1]}", status=404)


def test_the_cookie_goes_to_this_card_alone_and_to_no_script(visitor: Visitor, path: str) -> None:
    cookie = visitor.submit(path).response.headers["Set-Cookie"]
    for word in (f"Path={path}", "HttpOnly", "Secure", "SameSite=Lax"):
        assert word in cookie


@pytest.mark.parametrize(
    "typed",
    [
        str,
        in_fours,
        lambda code: "-".join(in_fours(code).split()),
        lambda code: f"  {in_fours(code)} ",
        lambda code: "".join(chr(ord(digit) + 0xFEE0) for digit in code),
    ],
    ids=["plain", "spaced", "dashed", "padded", "full-width"],
)
def test_a_typed_card_number_leads_to_the_card(
    typed: Typing, visitor: Visitor, here: Zone, path: str
) -> None:
    assert visitor.get("/", status=303, code=typed(here.codes[0])).location == path


@pytest.mark.parametrize("typed", ["", "12", "not a number", "1234567890123456", "１２"])
def test_a_mistyped_card_number_is_to_be_checked(typed: str, visitor: Visitor) -> None:
    page = visitor.get("/", status=422, code=typed)
    assert "请核对号码" in page.text
    (box,) = page.html.all("input")
    assert box.attributes["value"] == typed


def test_a_wrong_last_digit_is_to_be_checked(visitor: Visitor, here: Zone) -> None:
    code = here.codes[0]
    page = visitor.get("/", status=422, code=code[:-1] + str((int(code[-1]) + 1) % 10))
    assert page.html.all("title")[0].text.startswith("错误：")


def test_a_card_number_in_the_address_may_be_spaced(visitor: Visitor, here: Zone) -> None:
    visitor.submit(f"/s/{in_fours(here.codes[0])}")


@pytest.mark.parametrize("cookie", ["", "en"])
@pytest.mark.parametrize("asked", ["", "en", "xx", "../en"])
def test_chinese_questions_have_chinese_buttons(
    asked: str, cookie: str, visitor: Visitor, path: str
) -> None:
    visitor.client.set_cookie("lang", cookie)
    page = visitor.get(path, lang=asked)
    (html,) = page.html.all("html")
    assert html.attributes["lang"] == "zh-CN"
    assert "Submit" not in page.text


def test_hsts_is_sent_on_https_only(visitor: Visitor) -> None:
    assert BASE_URL.startswith("https://")
    assert visitor.get("/").response.headers["Strict-Transport-Security"]
