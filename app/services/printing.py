"""From cards to sheets of paper: an A4 PDF to cut up, and one QR code for a screen.

Knows neither the database nor the web: it draws what it is handed. Lengths are in PDF points
(1/72 inch) unless a name or a docstring says millimetres; y grows upwards, as in PDF.

CannotPrint
├── AddressTooLong      the address needs a QR code finer than a cheap printer can print
├── FontMissing         no Chinese font that can be embedded
└── GlyphMissing        the font lacks a character that stands on the sheet
"""

import os
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib import metadata
from io import BytesIO
from itertools import accumulate, chain, groupby
from pathlib import Path

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_Q
from qrcode.exceptions import DataOverflowError
from qrcode.image.pil import PilImage
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

COLUMNS, ROWS = 2, 5
CARD_WIDTH, CARD_HEIGHT = 90 * mm, 54 * mm
SYMBOL_SIDE = 32 * mm  # the quiet zone included
QUIET = 4  # modules, from ISO/IEC 18004
FINEST_VERSION = 4  # 41 modules on 32 mm: 0.78 mm each, enough for worn phones and cheap printers
CODE_DIGITS = 16

# Bytes that version 4 holds at level Q: in one piece, and with a code at the end packed as digits.
_LONGEST_PLAIN, _LONGEST_WITH_CODE = 46, 54

_PER_PAGE = COLUMNS * ROWS
_GRID_LEFT = (A4[0] - COLUMNS * CARD_WIDTH) / 2
_GRID_BOTTOM = 9 * mm  # the rest of the height, 18 mm, is the header's
_GRID_RIGHT = _GRID_LEFT + COLUMNS * CARD_WIDTH
_GRID_TOP = _GRID_BOTTOM + ROWS * CARD_HEIGHT

# On the card, from its lower left corner. The quiet zone is white, so the symbol hangs out of the
# left margin by its width: what the eye sees is a code flush with the title.
_MARGIN = 5 * mm
_SYMBOL_X, _SYMBOL_Y = 1.9 * mm, 7.5 * mm
_TEXT_X = 35 * mm
_TEXT_WIDTH = CARD_WIDTH - _MARGIN - _TEXT_X
_FULL_WIDTH = CARD_WIDTH - 2 * _MARGIN

_SMALLEST = 7.0  # below this size (points) text is cut with … instead of shrunk: nobody reads it
_BOLD_STROKE = 0.35
_LEADING = 1.25
_HAIRLINE = 0.4
_HEADER_Y = 285 * mm
_RULER_X = _GRID_RIGHT - 50 * mm
_UNSEEN = {"Cc", "Cf"}  # Unicode's control and format characters
_FONT = "MinpingSheet"
_SPACE_IS_WORTH = 2  # ems off the middle
_WORD = re.compile(  # Chinese marks no words; these are the ones that survey names are made of
    r"[0-9A-Za-z]+(年度?)?|满意度|知晓率|绩效|评价|测评|考核|评议|群众|公众|居民|村民|社会|抽样|调查"
    r"|机关|部门|单位|乡镇|街道|社区|农村|服务|工作|项目|资金|自治[区州县]|."
)
_NOT_FIRST = " ，。、；：！？）》」』】”’…—·,.;:!?)%％"
_NOT_LAST = "（《「『【“‘("

# reportlab looks fonts up by name in one table for the whole process, and a font keeps its place
# in the file while it is cut down: two sheets at once would write into each other.
_ONE_SHEET_AT_A_TIME = threading.Lock()


class CannotPrint(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """Why nothing was printed, as one Chinese sentence that says what to do."""


class AddressTooLong(CannotPrint):
    """The address does not fit a version 4 code at level Q."""

    def __init__(self, url: str) -> None:
        limit = _LONGEST_WITH_CODE if url[-CODE_DIGITS:].isdigit() else _LONGEST_PLAIN
        super().__init__(
            f"网址长 {len(url.encode())} 字节，超过二维码的上限 {limit} 字节，"
            f"请换用更短的域名：{url}"
        )


class FontMissing(CannotPrint):
    """No Chinese font was found, or the file named is none that can be embedded."""


class GlyphMissing(CannotPrint):
    """Characters that would come out as empty boxes."""

    def __init__(self, characters: Sequence[str], font: str) -> None:
        named = "、".join(f"“{character}”（U+{ord(character):04X}）" for character in characters)
        super().__init__(
            f"字体 {font} 中没有 {named}，请改用别的字，"
            "或用 MINPING_FONT 指定含有这些字的 TrueType 字体文件。"
        )


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
class _Block:
    """Lines of text and the size (points) at which all of them fit."""

    lines: tuple[str, ...]
    size: float


@dataclass(frozen=True, slots=True)
class _Pen:
    """A canvas and the only font used on it."""

    canvas: Canvas
    font: TTFont

    def write(self, x: float, y: float, text: str, size: float, *, bold: bool = False) -> None:
        """Write one line with its baseline at `y`; raises GlyphMissing rather than draw a box."""
        missing = [letter for letter in text if ord(letter) not in self.font.face.charToGlyph]
        if missing:
            raise GlyphMissing(sorted(set(missing)), self.font.face.name.decode())
        self.canvas.setFont(_FONT, size)
        # Mode 2 strokes the outline too: the packaged font has one weight, and this is its bold.
        self.canvas.setLineWidth(_BOLD_STROKE)
        self.canvas.drawString(x, y, text, mode=2 if bold else 0)

    def write_block(self, x: float, y: float, block: _Block, *, bold: bool = False) -> None:
        """Write lines one under the other; `y` is the last line's baseline."""
        # The upper line first: copying, searching and reading aloud follow the drawing order.
        step = block.size * _LEADING
        top = y + step * (len(block.lines) - 1)
        for place, line in enumerate(block.lines):
            self.write(x, top - place * step, line, block.size, bold=bold)

    def fitted(self, text: str, width: float, size: float, rows: int = 1) -> _Block:
        """Break into at most `rows` (1 or 2) lines and shrink until they fit; see `_SMALLEST`."""
        while True:
            broken = rows == 2 and self.font.stringWidth(text, size) > width
            lines = _halves(text, self.font) if broken else (text,)
            widest = max(self.font.stringWidth(line, 1) for line in lines)
            fitting = min(size, width / widest) if widest else size
            if fitting >= _SMALLEST:
                return _Block(lines, fitting)
            text = text[: int(len(text) * fitting / _SMALLEST) - 1].rstrip("…") + "…"


def card_sheet(faces: Sequence[CardFace], heading: SheetHeading, font: Path | None = None) -> bytes:
    """Return an A4 PDF with ten cards of 90 × 54 mm to a page, row by row in the order given.

    The same cards give the same bytes: no clock is read. Raises CannotPrint when there are no
    cards, an address is too long, no font is found, or the font lacks a character.
    """
    if not faces:
        raise CannotPrint("没有可打印的二维码卡，请先制卡。")
    heading = _tidied(heading)
    pages = [faces[start : start + _PER_PAGE] for start in range(0, len(faces), _PER_PAGE)]
    written = BytesIO()
    with _registered(font_path(font)) as registered:
        pen = _Pen(_blank_sheet(written, heading.survey), registered)
        for number, page in enumerate(pages, start=1):
            _draw_page(pen, page, heading, f"第 {number}/{len(pages)} 页")
        pen.canvas.save()
    return written.getvalue()


def qr_png(url: str, box: int = 8) -> bytes:
    """Return the code as a PNG for a screen, `box` pixels to a module; raises AddressTooLong."""
    written = BytesIO()
    _symbol(url, box).make_image(image_factory=PilImage).save(written)
    return written.getvalue()


def font_path(chosen: Path | None = None) -> Path:
    """Find the Chinese font: `chosen`, MINPING_FONT, the package zhplot, an installed Noto Sans SC.

    A font that was named and is not there raises FontMissing: whoever named it wants that one.
    """
    named = chosen or os.environ.get("MINPING_FONT")
    if named:
        return _existing(Path(named))
    found = next(chain(_packaged_fonts(), _installed_fonts()), None)
    if found is None:
        raise FontMissing(
            "没有找到中文字体，请安装：pip install zhplot，"
            "或用 MINPING_FONT 指定一个 TrueType 字体文件（.ttf）。"
        )
    return found


# The font


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FontMissing(f"字体文件不存在：{path}，请核对 MINPING_FONT。")
    return path


def _packaged_fonts() -> Iterator[Path]:
    """Yield zhplot's fonts, from its list of files: importing it would pull in matplotlib."""
    try:
        files = metadata.files("zhplot") or []
    except metadata.PackageNotFoundError:
        return
    located = (Path(str(file.locate())) for file in files if file.suffix == ".ttf")
    yield from (path for path in located if path.is_file())


def _installed_fonts(folder: Path = Path("/usr/share/fonts")) -> Iterator[Path]:
    """Yield installed Noto Sans SC files that can be embedded, the regular weight first."""
    files = sorted(folder.rglob("NotoSansSC*.[to]tf"), key=lambda path: "Regular" not in path.stem)
    yield from filter(_has_truetype_outlines, files)


def _has_truetype_outlines(path: Path) -> bool:
    """Tell by the first bytes: reportlab cannot embed PostScript outlines, which say OTTO here."""
    with path.open("rb") as file:
        return file.read(4) in {b"\x00\x01\x00\x00", b"true"}


@contextmanager
def _registered(path: Path) -> Iterator[TTFont]:
    """Lend the font for one sheet, so that no other sheet or report shares its reading position.

    Raises FontMissing when the file turns out to be no whole TrueType font, at once or on saving.
    """
    with _ONE_SHEET_AT_A_TIME, _refusing_broken_fonts(path):
        font = TTFont(_FONT, str(path))
        font.unregister()  # else reportlab would go on with whichever object came first
        registerFont(font)
        try:
            yield font
        finally:
            font.unregister()


@contextmanager
def _refusing_broken_fonts(path: Path) -> Iterator[None]:
    try:
        yield
    except TTFError as error:
        raise FontMissing(
            f"字体文件 {path.name} 无法嵌入 PDF，请用 MINPING_FONT 指定 TrueType 字体（.ttf）。"
        ) from error


# Text


def _tidied(heading: SheetHeading) -> SheetHeading:
    return SheetHeading(*map(_visible, astuple(heading)))


def _visible(text: str) -> str:
    """Make one line of it, without the invisible characters that pasting from chats brings in."""
    return "".join(
        letter for letter in " ".join(text.split()) if unicodedata.category(letter) not in _UNSEEN
    )


def _halves(text: str, font: TTFont) -> tuple[str, str]:
    """Break near the middle, as two even lines allow the largest type, and rather at a space."""
    ends = [0.0, *accumulate(font.stringWidth(letter, 1) for letter in text)]

    def badness(at: int) -> float:
        bonus = _SPACE_IS_WORTH if text[at - 1] == " " else 0
        return abs(ends[at] - ends[-1] / 2) - bonus

    at = min(_breaks(text) or range(1, len(text)), key=badness)
    return text[:at].rstrip(), text[at:]


def _breaks(text: str) -> list[int]:
    """Return where a new line may begin: not inside a word, nor with a mark that belongs before."""
    starts = [word.start() for word in _WORD.finditer(text)][1:]
    return [at for at in starts if text[at - 1] not in _NOT_LAST and text[at] not in _NOT_FIRST]


# The QR code


def _symbol(url: str, box: int = 1) -> QRCode[PilImage]:
    """Return the made code with its quiet zone; raises AddressTooLong."""
    code = QRCode(
        error_correction=ERROR_CORRECT_Q, border=QUIET, box_size=box, image_factory=PilImage
    )
    code.add_data(url, optimize=CODE_DIGITS)  # the card's code goes in as digits, 10 bits for 3
    if not _fits(code):
        raise AddressTooLong(url)
    code.make()
    return code


def _fits(code: QRCode[PilImage]) -> bool:
    try:
        return code.best_fit() <= FINEST_VERSION
    except (DataOverflowError, ValueError):  # qrcode 8.2 stumbles over its own version 41
        return False


def _draw_symbol(canvas: Canvas, url: str) -> None:
    """Fill one path with the dark modules, runs of a row merged, so that the file stays small."""
    rows = _symbol(url).get_matrix()
    canvas.saveState()
    canvas.translate(_SYMBOL_X, _SYMBOL_Y)
    canvas.scale(SYMBOL_SIDE / len(rows), SYMBOL_SIDE / len(rows))
    # reportlab would rather hand out paths itself, but then writes each whole number as a
    # fraction and cuts the zeros off again: 2 s of the 10 s that 1,000 cards took.
    runs = ((x, y, length) for y, row in enumerate(rows[::-1]) for x, length in _dark_runs(row))
    path = PDFPathObject([f"{x} {y} {length} 1 re" for x, y, length in runs])
    canvas.drawPath(path, stroke=0, fill=1)
    canvas.restoreState()


def _dark_runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield where each run of dark modules starts, and how long it is."""
    start = 0
    for is_dark, run in groupby(row):
        length = len(list(run))
        if is_dark:
            yield start, length
        start += length


# The sheet


def _blank_sheet(written: BytesIO, title: str) -> Canvas:
    canvas = Canvas(written, pagesize=A4, invariant=1, lang="zh-CN")
    canvas.setTitle(f"{title} 二维码卡")
    canvas.setCreator("Minping 民评")
    # Readers that honour it then offer 100 % first; a shrunk sheet no longer fits its ticks.
    canvas.setViewerPreference("PrintScaling", "None")
    return canvas


def _draw_page(
    pen: _Pen, faces: Sequence[CardFace], heading: SheetHeading, page_number: str
) -> None:
    _draw_header(pen, faces, heading, page_number)
    _draw_crop_ticks(pen.canvas)
    for place, face in enumerate(faces):
        row, column = divmod(place, COLUMNS)
        pen.canvas.saveState()
        pen.canvas.translate(_GRID_LEFT + column * CARD_WIDTH, _GRID_TOP - (row + 1) * CARD_HEIGHT)
        _draw_card(pen, face, heading)
        pen.canvas.restoreState()
    pen.canvas.showPage()


def _draw_header(
    pen: _Pen, faces: Sequence[CardFace], heading: SheetHeading, page_number: str
) -> None:
    """Say what the sheet is, for whoever prints and cuts it."""
    serials = f"编号 {faces[0].serial:06d}–{faces[-1].serial:06d}（{len(faces)} 张）"
    # The area comes last: it is the part that may be cut, as every card repeats it.
    parts = (page_number, serials, f"批次 {heading.batch}", heading.area)
    width = _RULER_X - _GRID_LEFT - 5 * mm
    pen.write_block(_GRID_LEFT, _HEADER_Y + 5 * mm, pen.fitted(heading.survey, width, 10))
    pen.write_block(_GRID_LEFT, _HEADER_Y, pen.fitted("　".join(parts), width, 8))
    _draw_ruler(pen)


def _draw_ruler(pen: _Pen) -> None:
    """Draw 50 mm to hold a ruler against: printers like to shrink to fit."""
    pen.write(_RULER_X, _HEADER_Y + 5 * mm, "请按 100% 打印，标尺应长 50 mm", 8)
    pen.canvas.setLineWidth(_HAIRLINE)
    pen.canvas.line(_RULER_X, _HEADER_Y, _GRID_RIGHT, _HEADER_Y)
    for tick in range(0, 51, 10):
        x, height = _RULER_X + tick * mm, 3 * mm if tick in {0, 50} else 1.5 * mm
        pen.canvas.line(x, _HEADER_Y, x, _HEADER_Y + height)


def _draw_crop_ticks(canvas: Canvas) -> None:
    """Mark the cuts in the sheet's margins only: no line to cut away, none in a quiet zone."""
    canvas.setLineWidth(_HAIRLINE)
    near, far = 1 * mm, 4 * mm
    for column in range(COLUMNS + 1):
        x = _GRID_LEFT + column * CARD_WIDTH
        canvas.line(x, _GRID_BOTTOM - near, x, _GRID_BOTTOM - far)
        canvas.line(x, _GRID_TOP + near, x, _GRID_TOP + far)
    for row in range(ROWS + 1):
        y = _GRID_BOTTOM + row * CARD_HEIGHT
        canvas.line(_GRID_LEFT - near, y, _GRID_LEFT - far, y)
        canvas.line(_GRID_RIGHT + near, y, _GRID_RIGHT + far, y)


def _draw_card(pen: _Pen, face: CardFace, heading: SheetHeading) -> None:
    """Draw one card from its lower left corner; every string is drawn as it is, never as markup."""
    _draw_symbol(pen.canvas, face.url)
    _write_title(pen, heading.survey)
    pen.write(_TEXT_X, 32.6 * mm, "微信扫一扫，两分钟答完", 12)
    pen.write(_TEXT_X, 27.6 * mm, "不记名", 10)
    pen.write_block(_TEXT_X, 18.6 * mm, pen.fitted(heading.area, _TEXT_WIDTH, 9, rows=2))
    pen.write(_TEXT_X, 12.1 * mm, _in_fours(face.code), 14, bold=True)
    pen.write(_MARGIN, 3.6 * mm, f"编号 {face.serial:06d}", 8.5)
    if heading.contact:
        _write_contact(pen, heading.contact)


def _write_title(pen: _Pen, survey: str) -> None:
    """Write the survey's name over the whole width, its one or two lines centred in their strip."""
    title = pen.fitted(survey, _FULL_WIDTH, 13, rows=2)
    lower = 43.4 * mm - (len(title.lines) - 1) * title.size * _LEADING / 2
    pen.write_block(_MARGIN, lower, title, bold=True)


def _in_fours(code: str) -> str:
    """Group the digits as people read them over the telephone: 1234 5678 9012 3456."""
    return " ".join(code[start : start + 4] for start in range(0, CODE_DIGITS, 4))


def _write_contact(pen: _Pen, contact: str) -> None:
    """Write whom to ask; a telephone number cut short would be worse than no card."""
    # An office without a number is no 电话.
    label = "咨询电话" if any(letter.isdigit() for letter in contact) else "咨询"
    block = pen.fitted(f"{label} {contact}", _TEXT_WIDTH, 8.5, rows=2)
    if not "".join(block.lines).endswith(contact[-1]):
        raise CannotPrint(f"咨询方式太长，卡上印不全，请缩短：{contact}")
    pen.write_block(_TEXT_X, 3.6 * mm, block)
