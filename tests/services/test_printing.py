"""Printed sheets are read back: rendered and decoded as a phone would, and as text."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata
from io import BytesIO
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]  # no stubs and no types of its own
import pytest
import reportlab
import zxingcpp
from PIL import Image, ImageFilter
from reportlab.lib.units import mm

from app.errors import Unavailable
from app.services import drawing
from app.services.drawing import (
    AddressTooLong,
    CannotPrint,
    FontMissing,
    GlyphMissing,
    NotReadBack,
    font_path,
    qr_png,
)
from app.services.printing import (
    LAYOUTS,
    CardFace,
    Layout,
    LayoutName,
    Paper,
    SheetHeading,
    Spot,
    card_sheet,
    card_spots,
    hand_out_list,
    poster,
    poster_spots,
)
from app.services.proofing import proofread

ADDRESS = "https://minping.example.org/s/1234567890123456"
HEADING = SheetHeading(
    survey="2026年度县级机关绩效评价群众满意度调查",
    area="示范省 示范市 城关街道",
    batch="2026-11-B01",
    contact="029-34921234",
)
LONGEST_NAME = "某省某市某县二〇二六年度县直部门（单位）及乡镇绩效评价公众满意度与知晓率抽样调查"
# Left, bottom, right and top of the first card on a page, in points.
FIRST_CARD = (15 * mm, 225 * mm, 105 * mm, 279 * mm)
FIRST_LARGE_CARD = (10 * mm, 211.5 * mm, 105 * mm, 279 * mm)
BOTH_LAYOUTS = pytest.mark.parametrize(
    ("layout", "first"),
    [(LAYOUTS[LayoutName.TEN], FIRST_CARD), (LAYOUTS[LayoutName.EIGHT], FIRST_LARGE_CARD)],
    ids=["ten", "eight"],
)
POSTER_ADDRESS = "https://minping.example.org/p/k3v9q2x7mw"


def faces(count: int) -> list[CardFace]:
    codes = [f"{serial * 7919 * 104729:016d}" for serial in range(1, count + 1)]
    return [
        CardFace(f"https://minping.example.org/s/{code}", code, serial)
        for serial, code in enumerate(codes, start=1)
    ]


def opened(sheet: bytes) -> list[pypdfium2.PdfPage]:
    return list(pypdfium2.PdfDocument(sheet))


def texts(sheet: bytes) -> list[str]:
    return [page.get_textpage().get_text_range() for page in opened(sheet)]


def pictures(sheet: bytes, dpi: int) -> list[Image.Image]:
    return [page.render(scale=dpi / 72).to_pil().convert("L") for page in opened(sheet)]


def decoded(picture: Image.Image) -> list[str]:
    """Return the addresses row by row; rows are told apart by half a card."""
    barcodes = zxingcpp.read_barcodes(picture)
    row_height = picture.height * 54 / 297
    placed = [
        (round(barcode.position.top_left.y / row_height), barcode.position.top_left.x, barcode.text)
        for barcode in barcodes
    ]
    return [text for _, _, text in sorted(placed)]


def letters_on_first_card(
    page: pypdfium2.PdfPage, card: Sequence[float] = FIRST_CARD
) -> list[tuple[str, Sequence[float]]]:
    """Return each visible letter whose middle is on the first card, with its box."""
    text = page.get_textpage()
    boxes = [(text.get_text_range(at, 1), text.get_charbox(at)) for at in range(text.count_chars())]
    left, bottom, right, top = card
    return [
        (letter, box)
        for letter, box in boxes
        if letter.strip()
        and left < (box[0] + box[2]) / 2 < right
        and bottom < (box[1] + box[3]) / 2 < top
    ]


def ink(picture: Image.Image, box: Sequence[float], dpi: int) -> int:
    """Return how dark the darkest pixel of a box (points from the lower left) is, 0 to 255."""
    left, bottom, right, top = (edge * dpi / 72 for edge in box)
    part = picture.crop(
        (round(left), round(picture.height - top), round(right), round(picture.height - bottom))
    )
    lightness = part.getextrema()[0]
    assert isinstance(lightness, int | float)
    return 255 - int(lightness)


@pytest.fixture(scope="module")
def sheet() -> bytes:
    return card_sheet(faces(23), HEADING)


@pytest.mark.parametrize("dpi", [72, 100, 150, 300])
def test_every_code_is_read_back_in_the_order_of_the_cards(sheet: bytes, dpi: int) -> None:
    read = [text for picture in pictures(sheet, dpi) for text in decoded(picture)]
    assert read == [face.url for face in faces(23)]


@pytest.mark.parametrize("degrees", [-7, -2, 3, 8])
@pytest.mark.parametrize("dpi", [100, 150, 300])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_blurred_and_askew_codes_are_read(layout: Layout, dpi: int, degrees: int) -> None:
    """As a hand holds a phone: half a module of blur (0.39 mm), and never quite straight."""
    blur = ImageFilter.GaussianBlur(0.2 * dpi / 25.4)
    (picture,) = pictures(card_sheet(faces(layout.per_page), HEADING, layout), dpi)
    held = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert sorted(decoded(held.filter(blur))) == sorted(face.url for face in faces(layout.per_page))


def test_17_large_cards_take_three_pages_and_are_read_back() -> None:
    layout = LAYOUTS[LayoutName.EIGHT]
    large = card_sheet(faces(17), HEADING, layout)
    assert len(opened(large)) == 3
    assert proofread(large, card_spots(faces(17), layout)) == 17


def test_23_cards_take_three_a4_pages(sheet: bytes) -> None:
    sizes = [page.get_size() for page in opened(sheet)]
    assert sizes == [pytest.approx((210 * mm, 297 * mm), abs=0.1)] * 3


def test_the_text_can_be_searched(sheet: bytes) -> None:
    text = "".join(texts(sheet)[0].split("\r\n"))
    for face in faces(10):
        assert " ".join(face.code[at : at + 4] for at in range(0, 16, 4)) in text
        assert f"编号 {face.serial:06d}" in text
    assert HEADING.survey in text
    assert text.count("微信扫一扫，两分钟答完") == text.count("不记名") == 10
    assert text.count("咨询电话 029-34921234") == 10


def test_the_header_says_what_the_page_holds(sheet: bytes) -> None:
    header = texts(sheet)[2]
    for part in ["第 3/3 页", "编号 000021–000023（3 张）", "批次 2026-11-B01", "100% 打印"]:
        assert part in header


def test_the_font_is_embedded_as_a_subset(sheet: bytes) -> None:
    assert b"NotoSansSC-Regular" in sheet
    assert b"/FontFile2" in sheet
    assert len(sheet) < 80_000


def test_the_same_cards_give_the_same_bytes(sheet: bytes) -> None:
    assert card_sheet(faces(23), HEADING) == sheet


def test_two_sheets_at_once_do_not_disturb_each_other(sheet: bytes) -> None:
    with ThreadPoolExecutor(4) as pool:
        sheets = list(pool.map(lambda _: card_sheet(faces(23), HEADING), range(4)))
    assert sheets == [sheet] * 4


@BOTH_LAYOUTS
def test_nothing_is_printed_in_the_quiet_zone_or_near_the_cut(
    layout: Layout, first: Sequence[float]
) -> None:
    picture = pictures(card_sheet(faces(10), HEADING, layout), 300)[0]
    left, bottom, right, top = first
    module = layout.symbol_side / 41
    x, y = left + layout.symbol_x, bottom + layout.symbol_y
    side, quiet, rim = 41 * module, 3.8 * module, 1.7 * mm
    bands = [
        (x, y, x + side, y + quiet),
        (x, y + side - quiet, x + side, y + side),
        (x, y, x + quiet, y + side),
        (x + side - quiet, y, x + side, y + side),
        (left, bottom, right, bottom + rim),
        (left, top - rim, right, top),
        (left, bottom, left + rim, top),
        (right - rim, bottom, right, top),
    ]
    assert [ink(picture, band, 300) for band in bands] == [0] * len(bands)


@BOTH_LAYOUTS
def test_the_code_is_as_large_as_said(layout: Layout, first: Sequence[float]) -> None:
    """The dark modules reach to the quiet zone, and the zone is four modules of 41."""
    picture = pictures(card_sheet(faces(1), HEADING, layout), 300)[0]
    module = layout.symbol_side / 41
    x, y = first[0] + layout.symbol_x, first[1] + layout.symbol_y
    dark = 33 * module
    finder = (x + 4 * module, y + 4 * module, x + 4.5 * module, y + 10.5 * module)
    far = (x + 3.5 * module + dark, y + 30.5 * module, x + 4 * module + dark, y + 36 * module)
    assert layout.symbol_side >= 32 * mm
    assert min(ink(picture, box, 300) for box in (finder, far)) > 200


@BOTH_LAYOUTS
def test_crop_ticks_stand_outside_the_cards(layout: Layout, first: Sequence[float]) -> None:
    picture = pictures(card_sheet(faces(1), HEADING, layout), 300)[0]
    left, bottom, right, top = first
    for x, y in [(left, top + 2 * mm), (left - 2 * mm, top), (left - 2 * mm, bottom)]:
        assert ink(picture, (x - 0.5, y - 0.5, x + 0.5, y + 0.5), 300) > 100
    # The place of a second card is empty: not even a line between the two.
    assert ink(picture, (right - 1 * mm, bottom, right + layout.width, top), 300) == 0


def test_the_ruler_is_50_mm_long(sheet: bytes) -> None:
    picture = pictures(sheet, 300)[0]
    ends = (145 * mm, 195 * mm)
    darkness = [ink(picture, (x - 0.5, 286 * mm, x + 0.5, 287 * mm), 300) for x in ends]
    assert min(darkness) > 100
    assert ink(picture, (145.5 * mm, 287 * mm, 194.5 * mm, 288 * mm), 300) == 0


@BOTH_LAYOUTS
@pytest.mark.parametrize(
    "survey",
    [
        LONGEST_NAME,
        "满意度" * 60,
        "Public satisfaction with county services and awareness of reforms 2026",
        "W" * 90,
    ],
)
def test_long_names_stay_inside_the_card(
    survey: str, layout: Layout, first: Sequence[float]
) -> None:
    heading = replace(HEADING, survey=survey, area="克孜勒苏柯尔克孜自治州 阿合奇县 " * 4)
    page = opened(card_sheet(faces(8), heading, layout))[0]
    left, bottom, right, top = first
    for _, box in letters_on_first_card(page, first):
        assert left + 4.5 * mm < box[0] < box[2] < right - 4.5 * mm
        assert bottom + 1.7 * mm < box[1] < box[3] < top - 1.7 * mm


@BOTH_LAYOUTS
@pytest.mark.parametrize("survey", [HEADING.survey, "某" * 90])
def test_no_two_lines_of_a_card_overlap(
    survey: str, layout: Layout, first: Sequence[float]
) -> None:
    heading = replace(
        HEADING,
        survey=survey,
        area="阿合奇县哈拉布拉克乡米尔凯奇村" * 2,
        contact="县民生工作领导小组办公室 029-34921234",
    )
    page = opened(card_sheet(faces(1), heading, layout))[0]
    boxes = [box for _, box in letters_on_first_card(page, first)]
    pairs = [(one, two) for at, one in enumerate(boxes) for two in boxes[at + 1 :]]
    # Neighbours in a line are drawn with an outline of 0.35 points, and may touch by that.
    assert not [
        (one, two)
        for one, two in pairs
        if min(one[2], two[2]) - max(one[0], two[0]) > 1
        and min(one[3], two[3]) - max(one[1], two[1]) > 0.4
    ]


def test_a_name_of_ninety_characters_is_printed_whole_on_three_lines() -> None:
    name = "某某县卫生健康系统" * 10
    text = texts(card_sheet(faces(1), replace(HEADING, survey=name)))[0]
    assert name in "".join(text.split("\r\n"))
    assert "略去" not in text


@pytest.mark.parametrize("field", ["survey", "area"])
def test_a_name_that_is_cut_ends_in_dots_and_the_sheet_says_so(field: str) -> None:
    text = texts(card_sheet(faces(2), replace(HEADING, **{field: "长名称" * 66})))[0]
    assert "…" in text
    assert "名称过长，卡上以…略去" in text


def test_a_name_of_forty_characters_is_printed_whole_on_two_lines() -> None:
    assert len(LONGEST_NAME) == 40
    page = opened(card_sheet(faces(1), replace(HEADING, survey=LONGEST_NAME)))[0]
    upper = [
        (letter, box)
        for letter, box in letters_on_first_card(page)
        if box[1] > FIRST_CARD[1] + 39 * mm
    ]
    assert "".join(letter for letter, _ in upper) == LONGEST_NAME
    assert len({round(box[1] / 14) for letter, box in upper if letter in "某调查"}) == 2


def test_a_line_breaks_between_words() -> None:
    text = texts(card_sheet(faces(1), HEADING))[0]
    assert "2026年度县级机关绩效\r\n评价群众满意度调查" in text


def test_a_name_is_text_and_never_markup() -> None:
    heading = replace(HEADING, survey="<b>教育 & 卫生</b> &amp; (调查)")
    assert texts(card_sheet(faces(1), heading))[0].count(heading.survey) == 2


def test_invisible_characters_and_line_breaks_are_dropped() -> None:
    heading = replace(HEADING, survey="\u200b满意度\n调查\u00a0一\x07", contact=" \u3000")
    text = texts(card_sheet(faces(1), heading))[0]
    assert text.count("满意度 调查 一") == 2
    assert "咨询" not in text


def test_an_office_without_a_number_is_not_called_a_telephone() -> None:
    text = texts(card_sheet(faces(1), replace(HEADING, contact="县民生办公室")))[0]
    assert "咨询 县民生办公室" in text


def test_a_long_contact_keeps_its_number() -> None:
    contact = "县民生工作领导小组办公室 029-34921234"
    text = texts(card_sheet(faces(1), replace(HEADING, contact=contact)))[0]
    assert "029-34921234" in text


def test_a_contact_that_would_be_cut_is_refused() -> None:
    with pytest.raises(CannotPrint, match="咨询方式太长"):
        card_sheet(faces(1), replace(HEADING, contact="办公室" * 20 + "029-34921234"))


@pytest.mark.parametrize("field", ["survey", "area", "batch", "contact"])
def test_a_character_that_the_font_lacks_is_refused_by_name(field: str) -> None:
    with pytest.raises(GlyphMissing, match=r"“😀”（U\+1F600）.*MINPING_FONT"):
        card_sheet(faces(1), replace(HEADING, **{field: "满意😀"}))


def test_the_code_and_the_address_must_agree() -> None:
    with pytest.raises(ValueError, match="card 7"):
        CardFace(ADDRESS, "1234567890123457", 7)


def test_no_cards_make_no_sheet() -> None:
    with pytest.raises(CannotPrint, match="请先制卡"):
        card_sheet([], HEADING)


# Reading back


def test_a_sheet_is_read_back_card_by_card(sheet: bytes) -> None:
    assert proofread(sheet, card_spots(faces(23))) == 23


def spots_with(change: dict[int, Spot]) -> list[list[Spot]]:
    first, *others = card_spots(faces(23))
    return [[change.get(place, spot) for place, spot in enumerate(first)], *others]


def test_a_code_at_another_cards_place_is_not_released(sheet: bytes) -> None:
    one, two = card_spots(faces(23))[0][:2]
    swapped = {0: replace(one, url=two.url), 1: replace(two, url=one.url)}
    with pytest.raises(NotReadBack, match="有 2 个二维码读不出或读错（从第 1 页起）"):
        proofread(sheet, spots_with(swapped))


def test_a_code_that_leads_elsewhere_is_not_released(sheet: bytes) -> None:
    wrong = replace(card_spots(faces(23))[0][4], url=ADDRESS)
    with pytest.raises(NotReadBack, match="有 1 个"):
        proofread(sheet, spots_with({4: wrong}))


def test_a_code_too_many_is_not_released(sheet: bytes) -> None:
    with pytest.raises(NotReadBack, match="有 1 个二维码读不出或读错（从第 3 页起）"):
        proofread(sheet, card_spots(faces(22)))


def test_a_page_too_few_is_not_released() -> None:
    with pytest.raises(NotReadBack, match="有 23 个"):
        proofread(card_sheet(faces(20), HEADING), card_spots(faces(23)))


def test_a_code_that_is_painted_over_is_not_released() -> None:
    covered = pypdfium2.PdfDocument(card_sheet(faces(10), HEADING))
    spots = card_spots(faces(10))
    with pytest.raises(NotReadBack, match="有 1 个"):
        proofread(blotted(covered, spots[0][6]), spots)


def blotted(document: pypdfium2.PdfDocument, spot: Spot) -> bytes:
    """Draw the middle third of one code grey, as a stain would."""
    page = document[0]
    stain = pypdfium2.raw.FPDFPageObj_CreateNewRect(spot.x - 15, spot.y - 15, 30, 30)
    pypdfium2.raw.FPDFPageObj_SetFillColor(stain, 90, 90, 90, 255)
    pypdfium2.raw.FPDFPath_SetDrawMode(stain, pypdfium2.raw.FPDF_FILLMODE_WINDING, False)
    pypdfium2.raw.FPDFPage_InsertObject(page.raw, stain)
    page.gen_content()
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def test_what_is_no_pdf_is_not_released() -> None:
    with pytest.raises(Unavailable):
        proofread(b"no pdf", card_spots(faces(1)))


# The list to sign


def test_the_list_has_a_row_for_each_card_and_no_code() -> None:
    listed = texts(hand_out_list(range(1001, 1061), HEADING, "城关街道卫生院"))
    text = "\r\n".join(listed)
    assert len(listed) == 3
    assert [line for line in text.split("\r\n") if line.isdigit()] == [
        f"{serial:06d}" for serial in range(1001, 1061)
    ]
    for part in ["发卡登记表", HEADING.survey, HEADING.area, "批次 2026-11-B01", "城关街道卫生院"]:
        assert text.count(part) == 3, part
    assert "编号 001055–001060　第 3/3 页" in listed[2]
    assert all(word in listed[1] for word in ["发给谁、放在何处", "日期", "签收", "收回"])


def test_the_list_is_a4_with_the_font_in_it() -> None:
    listed = hand_out_list(range(1, 3), HEADING, "卫生院")
    assert opened(listed)[0].get_size() == pytest.approx((210 * mm, 297 * mm), abs=0.1)
    assert b"/FontFile2" in listed


# Posters


@pytest.mark.parametrize(
    ("paper", "size"), [(Paper.A4, (210 * mm, 297 * mm)), (Paper.A3, (297 * mm, 420 * mm))]
)
@pytest.mark.parametrize("dpi", [72, 100, 150])
def test_a_poster_fills_its_paper_and_is_read(
    paper: Paper, size: tuple[float, float], dpi: int
) -> None:
    made = poster(POSTER_ADDRESS, HEADING, paper)
    (page,) = opened(made)
    assert page.get_size() == pytest.approx(size, abs=1)
    (picture,) = pictures(made, dpi)
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [POSTER_ADDRESS]
    assert proofread(made, poster_spots(POSTER_ADDRESS, paper)) == 1


def test_a_poster_says_what_it_is_for() -> None:
    (text,) = texts(poster(POSTER_ADDRESS, HEADING))
    flowing = "".join(text.split("\r\n"))
    for part in [HEADING.survey, HEADING.area, "微信扫一扫，两分钟答完", "不记名", "029-34921234"]:
        assert part in flowing
    assert POSTER_ADDRESS in text


def test_the_longest_name_that_a_survey_may_have_is_whole_on_a_poster() -> None:
    name = "某县卫生健康系统满意度调查" * 15 + "二〇二六"
    heading = replace(HEADING, survey=name)
    assert len(name) == 199
    assert name in "".join(texts(poster(POSTER_ADDRESS, heading))[0].split("\r\n"))


def test_a_poster_that_would_be_cut_is_refused() -> None:
    with pytest.raises(CannotPrint, match="文字太长，海报上印不全"):
        poster(POSTER_ADDRESS, replace(HEADING, contact="办公室" * 100))


# The QR code


def read_png(png: bytes) -> zxingcpp.Barcode:
    (barcode,) = zxingcpp.read_barcodes(Image.open(BytesIO(png)))
    return barcode


def test_the_picture_for_a_screen_is_read_back() -> None:
    barcode = read_png(qr_png(ADDRESS))
    assert barcode.text == ADDRESS
    assert barcode.ec_level == "Q"
    assert isinstance(barcode.extra, dict)
    assert int(barcode.extra["Version"]) <= 4


def test_a_box_is_a_number_of_pixels() -> None:
    assert Image.open(BytesIO(qr_png(ADDRESS, box=3))).size == (41 * 3, 41 * 3)


@pytest.mark.parametrize(
    ("longest", "limit"),
    [("https://" + "h" * 27 + "/s/1234567890123456", 54), ("https://" + "h" * 38, 46)],
)
def test_an_address_may_fill_version_4_and_no_more(longest: str, limit: int) -> None:
    assert len(longest) == limit
    assert read_png(qr_png(longest)).text == longest
    longer = longest.replace("hh", "hhh", 1)
    with pytest.raises(AddressTooLong, match=f"网址长 {limit + 1} 字节，.*上限 {limit} 字节"):
        qr_png(longer)


@pytest.mark.parametrize("length", [200, 5000])
def test_addresses_far_too_long_are_refused_alike(length: int) -> None:
    with pytest.raises(AddressTooLong, match="更短的域名"):
        qr_png("https://" + "h" * length)


def test_a_card_with_a_long_address_is_refused() -> None:
    code = "1234567890123456"
    face = CardFace(f"https://minping.a-rather-long-name.gov.example/s/{code}", code, 1)
    with pytest.raises(AddressTooLong):
        card_sheet([face], HEADING)


# The font


@pytest.fixture
def without_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINPING_FONT", raising=False)


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)


@pytest.mark.usefixtures("without_setting")
def test_the_packaged_font_is_found_without_importing_the_package() -> None:
    assert font_path().name == "NotoSansSC-Regular.ttf"


def test_the_setting_comes_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.ttf"
    own.touch()
    monkeypatch.setenv("MINPING_FONT", str(own))
    assert font_path() == own


def test_a_font_that_was_named_is_not_silently_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINPING_FONT", str(tmp_path / "none.ttf"))
    with pytest.raises(FontMissing, match="字体文件不存在"):
        font_path()


def test_an_installed_font_must_have_truetype_outlines(tmp_path: Path) -> None:
    noto = tmp_path / "noto"
    noto.mkdir()
    (noto / "NotoSansSC-Black.otf").write_bytes(b"OTTO")
    for weight in ["Bold", "Regular"]:
        (noto / f"NotoSansSC-{weight}.ttf").write_bytes(b"\x00\x01\x00\x00")
    found = [path.name for path in drawing._installed_fonts(tmp_path)]
    assert found == ["NotoSansSC-Regular.ttf", "NotoSansSC-Bold.ttf"]


@pytest.mark.usefixtures("without_setting", "without_package")
def test_no_font_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_installed_fonts", lambda: iter(()))
    with pytest.raises(FontMissing, match="pip install zhplot"):
        font_path()


@pytest.mark.parametrize("content", [b"", b"OTTO" + bytes(64), b"not a font", "half"])
def test_a_file_that_is_no_font_is_refused(tmp_path: Path, content: bytes | str) -> None:
    broken = tmp_path / "broken.ttf"
    real = font_path().read_bytes()
    broken.write_bytes(real[: len(real) // 2] if isinstance(content, str) else content)
    with pytest.raises(FontMissing, match=r"broken\.ttf 无法嵌入"):
        card_sheet(faces(1), HEADING, font=broken)


def test_a_font_without_chinese_is_refused_rather_than_printed_as_boxes() -> None:
    # reportlab's own Latin font serves as the example.
    latin = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    with pytest.raises(GlyphMissing, match="字体 BitstreamVeraSans"):
        card_sheet(faces(1), HEADING, font=latin)
