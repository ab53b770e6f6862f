"""A fieldworker's way: make cards for one's own area, print them, see which came back."""

from io import BytesIO
from urllib.parse import urlsplit

import pypdfium2  # type: ignore[import-untyped]  # no stubs and no types of its own
import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from app.config import Keys
from app.db import reading
from app.models import Area, AuditEntry, Batch, Printout
from app.services import printing, sheets
from app.services.cards import find_batch
from app.services.codes import in_fours
from tests.conftest import (
    BASE_URL,
    FIELDWORKER,
    StartApp,
    Visitor,
    Zone,
    card_states,
    change_survey,
    make_cards,
    snapshot,
    void_card,
)

PRINTS = ("print", "sheet.pdf", "list.pdf", "serials.csv", "serials.xlsx")


def codes_in(picture: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def codes_on(sheet: bytes) -> set[str]:
    document = pypdfium2.PdfDocument(sheet)
    pages = [page.render(scale=150 / 72).to_pil().convert("L") for page in document]
    return {text for page in pages for text in codes_in(page)}


def newest_batch(app: Flask) -> int:
    with app.app_context(), reading() as session:
        return session.scalars(select(func.max(Batch.id))).one()


def batches_of(visitor: Visitor, survey_id: int) -> list[str]:
    page = visitor.get(f"/field/surveys/{survey_id}")
    return [box.text for box in page.html.all("div", **{"class": "card-body"})]


def test_a_batch_is_made_for_an_area(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    fieldworker.fill(f"/field/surveys/{here.survey}", size="7", holder=" 村委会 ")
    newest = newest_batch(app)
    with app.app_context(), reading() as session:
        batch = find_batch(session, newest)
    assert (batch.size, batch.holder) == (7, "村委会")
    assert (batch.survey_id, batch.area_id) == (here.survey, here.towns[0])
    assert len(card_states(app, batch.id)) == 7


def test_a_fieldworker_sees_the_cards_of_his_town_alone(
    fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    path = f"/field/surveys/{here.survey}"
    evaluator.fill(path, area=str(here.towns[1]), size="2", holder="东埔村委会")
    assert len(batches_of(evaluator, here.survey)) == 2
    (own,) = batches_of(fieldworker, here.survey)
    assert own.startswith("忠门镇")


def test_a_fieldworker_reaches_no_batch_of_another_town(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, here: Zone
) -> None:
    path = f"/field/surveys/{here.survey}"
    evaluator.fill(path, area=str(here.towns[1]), size="2", holder="东埔村委会")
    made = newest_batch(app)
    for tail in (*PRINTS, "cards/1", "cards/1.png"):
        evaluator.get(f"/field/batches/{made}/{tail}")
        fieldworker.get(f"/field/batches/{made}/{tail}", status=404)


def test_progress_counts_each_state(
    app: Flask, fieldworker: Visitor, visitor: Visitor, here: Zone, noise: Zone
) -> None:
    visitor.submit(f"/s/{here.codes[0]}")
    visitor.submit(f"/s/{here.codes[1]}")
    visitor.submit(f"/s/{noise.codes[0]}")
    void_card(app, here.batch, 3)
    (shown,) = batches_of(fieldworker, here.survey)
    assert "共 6 张：已发出 3，已答 2，已作废 1" in shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": "-1"}, "张数应在 1 到 10000 之间。"),
        ({"size": "10001"}, "张数应在 1 到 10000 之间。"),
        ({"size": "9" * 40}, "张数应在 1 到 10000 之间。"),
        ({"size": "0"}, "张"),
        ({"size": ""}, "请填写张数。"),
        ({"size": "ten"}, ""),
        ({"holder": ""}, "请填写领卡人或存放处。"),
        ({"holder": "   "}, "请填写领卡人或存放处。"),
        ({"holder": "长" * 101}, "最多 100 个字。"),
        ({"area": "none"}, ""),
    ],
)
def test_a_batch_that_cannot_be_made_says_why(
    changes: dict[str, str], sentence: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    filled = {"size": "3", "holder": "村委会", **changes}
    page = fieldworker.fill(f"/field/surveys/{here.survey}", status=422, **filled)
    assert page.errors
    assert sentence in page.errors
    assert not page.errors.isascii(), "an error in English"
    assert page.fields()["holder"] == [filled["holder"]]
    assert snapshot(app) == before


def test_an_area_outside_the_survey_is_refused(
    app: Flask, administrator: Visitor, fieldworker: Visitor, here: Zone
) -> None:
    """A village that came after the survey was opened: not offered, and refused if sent."""
    administrator.fill(f"/desk/areas/{here.towns[0]}/add", name="新村")
    with app.app_context(), reading() as session:
        village = session.scalars(select(Area.id).where(Area.name == "新村")).one()
    path, before = f"/field/surveys/{here.survey}", snapshot(app)
    assert "新村" not in fieldworker.get(path).html.all("select", name="area")[0].text
    page = fieldworker.fill(path, status=422, area=str(village), size="3", holder="村委会")
    assert page.errors
    assert not page.errors.isascii(), "an error in English"
    made = app.test_cli_runner().invoke(
        args=["cards", "make", str(here.survey), "新村", "3", "--holder", "村委会"]
    )
    assert "这个片区不在本次调查的范围内。" in made.output
    assert snapshot(app) == before


def test_a_sheet_holds_every_card_and_each_opens_the_form(
    fieldworker: Visitor, visitor: Visitor, here: Zone
) -> None:
    page = fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf")
    assert page.response.mimetype == "application/pdf"
    printed = codes_on(page.response.data)
    assert printed == {f"{BASE_URL}/s/{code}" for code in here.codes}
    for address in printed:
        visitor.open_form(urlsplit(address).path)


def test_a_sheet_can_be_printed_again(fieldworker: Visitor, here: Zone) -> None:
    path = f"/field/batches/{here.batch}/sheet.pdf"
    first, second = (fieldworker.get(path).response.data for _ in range(2))
    assert codes_on(first) == codes_on(second)


def test_a_title_that_no_font_has_says_so(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    change_survey(app, here.survey, title="满意度调查😀")
    page = fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf", status=None)
    assert 400 <= page.status < 500
    assert "请改用别的字" in page.text


def test_an_address_too_long_for_a_code_says_so(start_app: StartApp, here: Zone) -> None:
    visitor = Visitor(start_app(base_url=f"https://{'long-' * 12}name.example"))
    visitor.sign_in(FIELDWORKER)
    for tail in ("sheet.pdf", "cards/1.png"):
        page = visitor.get(f"/field/batches/{here.batch}/{tail}", status=None)
        assert 400 <= page.status < 500
        assert "请换用更短的域名" in page.text


def test_a_card_is_shown_on_the_screen(fieldworker: Visitor, here: Zone) -> None:
    page = fieldworker.get(f"/field/batches/{here.batch}/cards/2")
    assert in_fours(here.codes[1]) in page.text
    (image,) = page.html.all("img")
    picture = Image.open(BytesIO(fieldworker.get(image.attributes["src"]).response.data))
    assert codes_in(picture) == [f"{BASE_URL}/s/{here.codes[1]}"]


@pytest.mark.parametrize(
    ("serial", "links"), [(1, ["2"]), (2, ["1", "3"]), (6, ["5"])], ids=["first", "second", "last"]
)
def test_cards_can_be_paged_through(
    serial: int, links: list[str], fieldworker: Visitor, here: Zone
) -> None:
    page = fieldworker.get(f"/field/batches/{here.batch}/cards/{serial}")
    (pages,) = page.html.all("nav", **{"aria-label": "前后翻看"})
    found = [each.attributes["href"] for each in pages.all("a")]
    assert [address.rsplit("/", 1)[1] for address in found] == links


@pytest.mark.parametrize("tail", ["cards/0", "cards/7", "cards/0.png", "cards/7.png"])
def test_a_card_that_the_batch_does_not_hold_is_not_found(
    tail: str, fieldworker: Visitor, here: Zone
) -> None:
    fieldworker.get(f"/field/batches/{here.batch}/{tail}", status=404)


def test_codes_are_kept_by_no_cache(fieldworker: Visitor, here: Zone) -> None:
    """A sheet is a bundle of keys."""
    for tail in ("sheet.pdf", "cards/1", "cards/1.png"):
        headers = fieldworker.get(f"/field/batches/{here.batch}/{tail}").response.headers
        assert "no-store" in headers["Cache-Control"], tail


# Printing in parts


def parts_of(visitor: Visitor, batch: int) -> list[str]:
    page = visitor.get(f"/field/batches/{batch}/print")
    return [box.text for box in page.html.all("div", **{"class": "card-body"})]


def posters_of(visitor: Visitor, zone: Zone) -> list[str]:
    page = visitor.get(f"/field/surveys/{zone.survey}/posters")
    links = [link.attributes["href"] for link in page.html.all("a")]
    return [link for link in links if ".pdf" in link]


def acts(app: Flask) -> list[tuple[str, str, object]]:
    with app.app_context(), reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    return [(row.action, row.object, row.after) for row in rows]


def test_large_cards_come_eight_to_a_page(fieldworker: Visitor, here: Zone) -> None:
    page = fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf?layout=eight")
    assert codes_on(page.response.data) == {f"{BASE_URL}/s/{code}" for code in here.codes}
    ten = fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf?layout=ten")
    assert page.response.data != ten.response.data


@pytest.mark.parametrize(
    "query",
    ["part=0", "part=2", "part=-1", "part=", "part=x", "part=٢", "part=99999999", "layout=none"],
)
def test_a_part_or_layout_that_is_not_there_is_not_found(
    query: str, app: Flask, fieldworker: Visitor, here: Zone
) -> None:
    before = snapshot(app)
    fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf?{query}", status=404)
    assert snapshot(app) == before


def test_a_large_batch_is_printed_in_parts_that_are_remembered(
    app: Flask, fieldworker: Visitor, here: Zone, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "PART_SIZE", 4)
    batch, codes = make_cards(app, here, 10, keys)
    first, second, third = parts_of(fieldworker, batch)
    assert "编号 000001 至 000004（4 张）" in first
    assert "编号 000005 至 000008（4 张）" in second
    assert "编号 000009 至 000010（2 张）" in third
    assert all("还没有打印。" in part for part in (first, second, third))
    path = f"/field/batches/{batch}/sheet.pdf"
    second_part = fieldworker.get(f"{path}?part=2").response.data
    third_part = fieldworker.get(f"{path}?part=3").response.data
    assert codes_on(second_part) == {f"{BASE_URL}/s/{code}" for code in codes[4:8]}
    assert codes_on(third_part) == {f"{BASE_URL}/s/{code}" for code in codes[8:]}
    assert fieldworker.get(f"{path}?part=2").response.data == second_part
    first, second, third = parts_of(fieldworker, batch)
    assert "还没有打印。" in first
    assert "已打印 2 次" in second
    assert "读回 4 张" in second
    assert "已打印 1 次" in third


def test_a_sheet_that_is_not_read_back_is_not_released(
    app: Flask, fieldworker: Visitor, here: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the places be looked for a card further on than they are drawn."""
    places = printing.card_spots
    monkeypatch.setattr(printing, "card_spots", lambda faces, layout: places(faces[::-1], layout))
    before = snapshot(app)
    page = fieldworker.get(f"/field/batches/{here.batch}/sheet.pdf", status=422)
    assert "有 6 个二维码读不出或读错（从第 1 页起），因此没有发出" in page.text
    assert snapshot(app) == before


def test_what_is_printed_is_on_record(app: Flask, fieldworker: Visitor, here: Zone) -> None:
    for tail in ("sheet.pdf?layout=eight", "list.pdf", "serials.csv", "serials.xlsx", "print"):
        fieldworker.get(f"/field/batches/{here.batch}/{tail}")
    named = f"batch {here.batch}"
    printed = {"survey": here.survey, "first": 1, "last": 6, "form": "eight", "read_back": 6}
    assert acts(app) == [
        ("sheet_printed", named, printed),
        ("list_printed", named, {"first": 1, "last": 6, "form": "pdf"}),
        ("serials_exported", named, {"first": 1, "last": 6, "form": "csv"}),
        ("serials_exported", named, {"first": 1, "last": 6, "form": "xlsx"}),
    ]
    with app.app_context(), reading() as session:
        (printout,) = session.scalars(select(Printout)).all()
    assert (printout.batch_id, printout.part, printout.read_back) == (here.batch, 1, 6)


def test_the_list_and_the_table_hold_serials_and_no_code(fieldworker: Visitor, here: Zone) -> None:
    listed = fieldworker.get(f"/field/batches/{here.batch}/list.pdf").response.data
    (page,) = pypdfium2.PdfDocument(listed)
    table = fieldworker.get(f"/field/batches/{here.batch}/serials.csv").response.get_data()
    for text in (page.get_textpage().get_text_range(), table.decode("utf-8-sig")):
        assert [f"{serial:06d}" in text for serial in range(1, 8)] == [True] * 6 + [False]
        assert not any(code in text or in_fours(code) in text for code in here.codes)
    rows = table.decode("utf-8-sig").splitlines()
    assert rows[0] == "批次,片区,编号,发给谁、放在何处,日期,收回"
    assert rows[1] == f"{here.batch},忠门镇,000001,,,"


def test_a_poster_is_printed_for_ones_own_area_alone(
    app: Flask, fieldworker: Visitor, evaluator: Visitor, visitor: Visitor, here: Zone
) -> None:
    links = posters_of(fieldworker, here)
    assert len(links) == 2
    for link in links:
        poster = fieldworker.get(link).response
        assert poster.mimetype == "application/pdf"
        (address,) = codes_on(poster.data)
        visitor.open_form(urlsplit(address).path)
    theirs = [link for link in posters_of(evaluator, here) if link not in links]
    assert len(theirs) == 6
    for link in theirs:
        fieldworker.get(link, status=404)
    assert [(action, after) for action, _, after in acts(app)] == [
        ("poster_printed", {"survey": here.survey, "form": "a4"}),
        ("poster_printed", {"survey": here.survey, "form": "a3"}),
    ]
    fieldworker.get(links[0].partition("?")[0] + "?paper=a0", status=404)
