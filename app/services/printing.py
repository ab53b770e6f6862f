"""From cards to paper: sheets to cut up, lists to sign while handing out, and posters.

Knows neither the database nor the web: it draws what it is handed. Lengths are in PDF points
(1/72 inch) unless a name or a docstring says millimetres; y grows upwards, as in PDF.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from io import BytesIO
from math import sqrt
from pathlib import Path

from reportlab.lib.pagesizes import A3, A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from app.services.drawing import (
    CODE_DIGITS,
    HAIRLINE,
    LEADING,
    Block,
    CannotPrint,
    Pen,
    blank_pages,
    draw_symbol,
    font_path,
    registered_font,
    visible,
)

_GRID_BOTTOM = 9 * mm  # both layouts are 270 mm high; the rest of the height is the header's
_GRID_TOP = _GRID_BOTTOM + 270 * mm
_HEADER_Y = 285 * mm
_RULER = 50 * mm
_MARGIN = 5 * mm  # of a card


class LayoutName(StrEnum):
    """How cards are laid out; the words stand in addresses and are stored."""

    TEN = "ten"
    EIGHT = "eight"


class Paper(StrEnum):
    """The sizes of a poster."""

    A4 = "a4"
    A3 = "a3"


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a line stands, from the card's lower left corner, and its size (points)."""

    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Layout:
    """How cards share a page and what stands where on one; `symbol_side` has the quiet zone in it.

    The quiet zone is white, so the symbol hangs out of the card's margin by its width: what the
    eye sees is a code flush with the title.
    """

    columns: int
    rows: int
    width: float
    height: float
    symbol_side: float
    symbol_x: float
    symbol_y: float
    title: _Line  # one line's baseline; two or three are centred around it
    title_strip: float
    call: tuple[str, ...]
    calling: _Line  # the last line's baseline, as below
    unnamed: _Line
    area: _Line
    code: _Line
    serial: _Line
    contact: _Line

    @property
    def per_page(self) -> int:
        """How many cards a page holds."""
        return self.columns * self.rows

    @property
    def left(self) -> float:
        """The left edge of the cards on the page."""
        return (A4[0] - self.columns * self.width) / 2

    @property
    def right(self) -> float:
        """The right edge of the cards on the page."""
        return self.left + self.columns * self.width

    def corner(self, place: int) -> tuple[float, float]:
        """Return the lower left corner of a place on the page, counted row by row from 0."""
        row, column = divmod(place, self.columns)
        return self.left + column * self.width, _GRID_TOP - (row + 1) * self.height


LAYOUTS = {
    LayoutName.TEN: Layout(
        columns=2,
        rows=5,
        width=90 * mm,
        height=54 * mm,
        symbol_side=32 * mm,
        symbol_x=1.9 * mm,
        symbol_y=7.5 * mm,
        title=_Line(_MARGIN, 43.4 * mm, 13),
        title_strip=12 * mm,
        call=("微信扫一扫，两分钟答完",),
        calling=_Line(35 * mm, 32.6 * mm, 12),
        unnamed=_Line(35 * mm, 27.6 * mm, 10),
        area=_Line(35 * mm, 18.6 * mm, 9),
        code=_Line(35 * mm, 12.1 * mm, 14),
        serial=_Line(_MARGIN, 3.6 * mm, 8.5),
        contact=_Line(35 * mm, 3.6 * mm, 8.5),
    ),
    LayoutName.EIGHT: Layout(
        columns=2,
        rows=4,
        width=95 * mm,
        height=67.5 * mm,
        symbol_side=38 * mm,
        symbol_x=1.3 * mm,
        symbol_y=16 * mm,
        title=_Line(_MARGIN, 57.9 * mm, 14),
        title_strip=12.4 * mm,
        call=("微信扫一扫，", "两分钟答完"),
        calling=_Line(40.5 * mm, 39.1 * mm, 18),
        unnamed=_Line(40.5 * mm, 31 * mm, 14),
        area=_Line(40.5 * mm, 20.5 * mm, 12),
        code=_Line(_MARGIN, 11 * mm, 18),
        serial=_Line(_MARGIN, 2.8 * mm, 9),
        contact=_Line(30 * mm, 2.8 * mm, 9),
    ),
}


@dataclass(frozen=True, slots=True)
class CardFace:
    """What makes one card different from the next; the address must end with the printed code."""

    url: str
    code: str
    serial: int

    def __post_init__(self) -> None:
        """Refuse a card whose print and QR code disagree: nobody would notice it in the field."""
        is_code = len(self.code) == CODE_DIGITS and self.code.isascii() and self.code.isdigit()
        if not (is_code and self.url.endswith(f"/{self.code}")):
            raise ValueError(f"card {self.serial}: the address does not end with a 16-digit code")


@dataclass(frozen=True, slots=True)
class SheetHeading:
    """What all cards of a sheet share; `contact` is whom to ask, or empty."""

    survey: str
    area: str
    batch: str
    contact: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where on its page the middle of a QR code is, and the address that it leads to."""

    url: str
    x: float
    y: float


# Sheets of cards


def card_sheet(
    faces: Sequence[CardFace],
    heading: SheetHeading,
    layout: Layout = LAYOUTS[LayoutName.TEN],
    font: Path | None = None,
) -> bytes:
    """Return an A4 PDF of cards to cut up, row by row in the order given.

    The same cards give the same bytes: no clock is read. Raises CannotPrint when there are no
    cards, an address is too long, no font is found, or the font lacks a character.
    """
    if not faces:
        raise CannotPrint("没有可打印的二维码卡，请先制卡。")
    heading = _tidied(heading)
    pages = _paged(faces, layout.per_page)
    written = BytesIO()
    with registered_font(font_path(font)) as registered:
        pen = Pen(blank_pages(written, f"{heading.survey} 二维码卡", A4), registered)
        shared = _shared_texts(pen, heading, layout)
        for number, page in enumerate(pages, start=1):
            _draw_header(pen, layout, heading, page, f"第 {number}/{len(pages)} 页")
            if shared.is_cut:
                pen.write(layout.left + 3 * mm, 4.5 * mm, "名称过长，卡上以…略去", 8)
            _draw_crop_ticks(pen.canvas, layout)
            _draw_cards(pen, layout, page, shared)
            pen.canvas.showPage()
        pen.canvas.save()
    return written.getvalue()


def card_spots(
    faces: Sequence[CardFace], layout: Layout = LAYOUTS[LayoutName.TEN]
) -> list[list[Spot]]:
    """Return where the codes of a sheet are, page by page."""
    return [
        [_spot(face, layout, place) for place, face in enumerate(page)]
        for page in _paged(faces, layout.per_page)
    ]


def _spot(face: CardFace, layout: Layout, place: int) -> Spot:
    x, y = layout.corner(place)
    half = layout.symbol_side / 2
    return Spot(face.url, x + layout.symbol_x + half, y + layout.symbol_y + half)


def _paged(faces: Sequence[CardFace], per_page: int) -> list[Sequence[CardFace]]:
    return [faces[start : start + per_page] for start in range(0, len(faces), per_page)]


def _tidied(heading: SheetHeading) -> SheetHeading:
    return SheetHeading(*map(visible, astuple(heading)))


@dataclass(frozen=True, slots=True)
class _Shared:
    """The texts that every card of a sheet repeats, fitted once."""

    title: Block
    area: Block
    contact: Block | None

    @property
    def is_cut(self) -> bool:
        """Whether a name is not printed whole; the page then says so below the cards."""
        return self.title.is_cut or self.area.is_cut


def _shared_texts(pen: Pen, heading: SheetHeading, layout: Layout) -> _Shared:
    title, area = layout.title, layout.area
    return _Shared(
        pen.fitted(heading.survey, _room(layout, title), title.size, 3, layout.title_strip),
        pen.fitted(heading.area, _room(layout, area), area.size, 2),
        _contact(pen, heading.contact, layout) if heading.contact else None,
    )


def _room(layout: Layout, line: _Line) -> float:
    return layout.width - _MARGIN - line.x


def _contact(pen: Pen, contact: str, layout: Layout) -> Block:
    """Fit whom to ask; a telephone number cut short would be worse than no card."""
    # An office without a number is no 电话.
    label = "咨询电话" if any(letter.isdigit() for letter in contact) else "咨询"
    line = layout.contact
    block = pen.fitted(f"{label} {contact}", _room(layout, line), line.size, 2)
    if block.is_cut:
        raise CannotPrint(f"咨询方式太长，卡上印不全，请缩短：{contact}")
    return block


def _draw_header(
    pen: Pen,
    layout: Layout,
    heading: SheetHeading,
    faces: Sequence[CardFace],
    page_number: str,
) -> None:
    """Say what the sheet is, for whoever prints and cuts it."""
    serials = f"编号 {faces[0].serial:06d}–{faces[-1].serial:06d}（{len(faces)} 张）"
    # The area comes last: it is the part that may be cut, as every card repeats it.
    parts = (page_number, serials, f"批次 {heading.batch}", heading.area)
    width = layout.right - _RULER - layout.left - 5 * mm
    pen.write_block(layout.left, _HEADER_Y + 5 * mm, pen.fitted(heading.survey, width, 10))
    pen.write_block(layout.left, _HEADER_Y, pen.fitted("　".join(parts), width, 8))
    _draw_ruler(pen, layout.right)


def _draw_ruler(pen: Pen, right: float) -> None:
    """Draw 50 mm to hold a ruler against: printers like to shrink to fit."""
    left = right - _RULER
    pen.write(left, _HEADER_Y + 5 * mm, "请按 100% 打印，标尺应长 50 mm", 8)
    pen.canvas.setLineWidth(HAIRLINE)
    pen.canvas.line(left, _HEADER_Y, right, _HEADER_Y)
    for tick in range(0, 51, 10):
        x, height = left + tick * mm, 3 * mm if tick in {0, 50} else 1.5 * mm
        pen.canvas.line(x, _HEADER_Y, x, _HEADER_Y + height)


def _draw_crop_ticks(canvas: Canvas, layout: Layout) -> None:
    """Mark the cuts in the sheet's margins only: no line to cut away, none in a quiet zone."""
    canvas.setLineWidth(HAIRLINE)
    near, far = 1 * mm, 4 * mm
    for column in range(layout.columns + 1):
        x = layout.left + column * layout.width
        canvas.line(x, _GRID_BOTTOM - near, x, _GRID_BOTTOM - far)
        canvas.line(x, _GRID_TOP + near, x, _GRID_TOP + far)
    for row in range(layout.rows + 1):
        y = _GRID_BOTTOM + row * layout.height
        canvas.line(layout.left - near, y, layout.left - far, y)
        canvas.line(layout.right + near, y, layout.right + far, y)


def _draw_cards(pen: Pen, layout: Layout, faces: Sequence[CardFace], shared: _Shared) -> None:
    for place, face in enumerate(faces):
        pen.canvas.saveState()
        pen.canvas.translate(*layout.corner(place))
        _draw_card(pen, layout, face, shared)
        pen.canvas.restoreState()


def _draw_card(pen: Pen, layout: Layout, face: CardFace, shared: _Shared) -> None:
    """Draw one card from its lower left corner; every string is drawn as it is, never as markup."""
    draw_symbol(pen.canvas, face.url, layout.symbol_x, layout.symbol_y, layout.symbol_side)
    title = shared.title
    lower = layout.title.y - (len(title.lines) - 1) * title.size * LEADING / 2
    pen.write_block(layout.title.x, lower, title, bold=True)
    call, unnamed, code = layout.calling, layout.unnamed, layout.code
    pen.write_block(call.x, call.y, Block(layout.call, call.size))
    pen.write(unnamed.x, unnamed.y, "不记名", unnamed.size)
    pen.write_block(layout.area.x, layout.area.y, shared.area)
    pen.write(code.x, code.y, _in_fours(face.code), code.size, bold=True)
    pen.write(layout.serial.x, layout.serial.y, f"编号 {face.serial:06d}", layout.serial.size)
    if shared.contact:
        pen.write_block(layout.contact.x, layout.contact.y, shared.contact)


def _in_fours(code: str) -> str:
    """Group the digits as people read them over the telephone: 1234 5678 9012 3456."""
    return " ".join(code[start : start + 4] for start in range(0, CODE_DIGITS, 4))


# The list to sign

_LIST_ROWS = 27
_ROW_HEIGHT = 9 * mm
_LIST_LEFT, _LIST_TOP = 12 * mm, 264 * mm
_COLUMNS = (("编号", 22), ("发给谁、放在何处", 72), ("日期", 24), ("签收", 38), ("收回", 30))


def hand_out_list(
    serials: Sequence[int], heading: SheetHeading, holder: str, font: Path | None = None
) -> bytes:
    """Return an A4 PDF with a row to sign for each card; it holds serials and never a code.

    Raises CannotPrint when no font is found or the font lacks a character.
    """
    heading, holder = _tidied(heading), visible(holder)
    pages = [serials[start : start + _LIST_ROWS] for start in range(0, len(serials), _LIST_ROWS)]
    written = BytesIO()
    with registered_font(font_path(font)) as registered:
        pen = Pen(blank_pages(written, f"{heading.survey} 发卡登记表", A4), registered)
        for number, page in enumerate(pages, start=1):
            label = f"第 {number}/{len(pages)} 页"
            _draw_list_heading(pen, heading, holder, page, label)
            _draw_rows(pen, page)
            pen.canvas.showPage()
        pen.canvas.save()
    return written.getvalue()


def _draw_list_heading(
    pen: Pen, heading: SheetHeading, holder: str, serials: Sequence[int], label: str
) -> None:
    width = sum(column for _, column in _COLUMNS) * mm
    pen.write_block(_LIST_LEFT, 283 * mm, pen.fitted(f"发卡登记表　{heading.survey}", width, 13))
    what = f"批次 {heading.batch}　编号 {serials[0]:06d}–{serials[-1]:06d}　{label}"
    pen.write_block(_LIST_LEFT, 276.5 * mm, pen.fitted(f"{what}　{heading.area}", width, 9))
    pen.write_block(_LIST_LEFT, 271 * mm, pen.fitted(f"领卡人或存放处 {holder}", width, 9))


def _draw_rows(pen: Pen, serials: Sequence[int]) -> None:
    edges = [_LIST_LEFT]
    for heading, width in _COLUMNS:
        pen.write(edges[-1] + 2 * mm, _LIST_TOP - 6 * mm, heading, 10)
        edges.append(edges[-1] + width * mm)
    for row, serial in enumerate(serials, start=1):
        pen.write(edges[0] + 2 * mm, _LIST_TOP - row * _ROW_HEIGHT - 6 * mm, f"{serial:06d}", 10)
    pen.canvas.setLineWidth(HAIRLINE)
    lines = [_LIST_TOP - row * _ROW_HEIGHT for row in range(len(serials) + 2)]
    pen.canvas.grid(edges, lines)


# Posters


def poster(
    url: str, heading: SheetHeading, paper: Paper = Paper.A4, font: Path | None = None
) -> bytes:
    """Return a poster on A4 or A3 as PDF; `batch` of the heading is not printed.

    Raises CannotPrint when the address is too long, no font is found, the font lacks a character,
    or a text does not fit.
    """
    heading = _tidied(heading)
    written = BytesIO()
    size = A3 if paper is Paper.A3 else A4
    with registered_font(font_path(font)) as registered:
        pen = Pen(blank_pages(written, f"{heading.survey} 海报", size), registered)
        if paper is Paper.A3:  # the same drawing: A3 is A4 times the root of two
            pen.canvas.scale(sqrt(2), sqrt(2))
        _draw_poster(pen, url, heading)
        pen.canvas.showPage()
        pen.canvas.save()
    return written.getvalue()


def poster_spots(url: str, paper: Paper = Paper.A4) -> list[list[Spot]]:
    """Return where the code of a poster is: one page with one code."""
    scale = sqrt(2) if paper is Paper.A3 else 1
    middle = _POSTER_SYMBOL_Y + _POSTER_SYMBOL / 2
    return [[Spot(url, A4[0] / 2 * scale, middle * scale)]]


_POSTER_SYMBOL, _POSTER_SYMBOL_Y = 130 * mm, 84 * mm


def _draw_poster(pen: Pen, url: str, heading: SheetHeading) -> None:
    middle, width = A4[0] / 2, A4[0] - 40 * mm
    for y, bold, block in _poster_lines(pen, url, heading, width):
        if block.is_cut:
            raise CannotPrint(f"文字太长，海报上印不全，请缩短：{''.join(block.lines)}")
        pen.write_centred(middle, y, block, bold=bold)
    side = _POSTER_SYMBOL
    draw_symbol(pen.canvas, url, middle - side / 2, _POSTER_SYMBOL_Y, side)


def _poster_lines(
    pen: Pen, url: str, heading: SheetHeading, width: float
) -> Iterator[tuple[float, bool, Block]]:
    """Yield baseline, weight and text from the top down: read aloud, it is in this order."""
    yield 238 * mm, True, pen.fitted(heading.survey, width, 32, 4, 42 * mm)
    yield 221 * mm, False, pen.fitted(heading.area, width, 20, 2, 14 * mm)
    yield 66 * mm, True, pen.fitted("微信扫一扫，两分钟答完", width, 38)
    yield 50 * mm, False, pen.fitted("不记名", width, 28)
    yield 36 * mm, False, pen.fitted(url, width, 14)
    if heading.contact:
        yield 20 * mm, False, pen.fitted(f"咨询 {heading.contact}", width, 16, 3, 16 * mm)
