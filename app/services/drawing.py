"""What every printed page shares: a pen with one Chinese font, text that fits, and QR codes.

Knows neither the database nor the web. Lengths are in PDF points (1/72 inch) unless a name or a
docstring says millimetres; y grows upwards, as in PDF.

CannotPrint
├── AddressTooLong      the address needs a QR code finer than a cheap printer can print
├── FontMissing         no Chinese font that can be embedded
├── GlyphMissing        the font lacks a character that stands on the page
└── NotReadBack         what was drawn does not lead where it should (app/services/proofing.py)
"""

import os
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from itertools import accumulate, chain, groupby, pairwise
from math import inf
from pathlib import Path

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_Q
from qrcode.exceptions import DataOverflowError
from qrcode.image.pil import PilImage
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

from app.errors import Unavailable
from app.errors import say as _

QUIET = 4  # modules, from ISO/IEC 18004
FINEST_VERSION = 4  # 41 modules on 32 mm: 0.78 mm each, enough for worn phones and cheap printers
CODE_DIGITS = 16
HAIRLINE = 0.4
LEADING = 1.25

# Bytes that version 4 holds at level Q: in one piece, and with a code at the end packed as digits.
_LONGEST_PLAIN, _LONGEST_WITH_CODE = 46, 54

_SMALLEST = 7.0  # below this size (points) text is cut with … instead of shrunk: nobody reads it
_BOLD_STROKE = 0.35
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
_WAIT_SECONDS = 20


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


class NotReadBack(CannotPrint):
    """Codes that a reader does not find on the drawn page, at their place, with their address."""

    def __init__(self, wrong: int, page: int) -> None:
        super().__init__(
            f"排好的版面里有 {wrong} 个二维码读不出或读错（从第 {page} 页起），因此没有发出。"
            "请再试一次；仍然如此，请联系管理员。"
        )


class GlyphMissing(CannotPrint):
    """Characters that would come out as empty boxes."""

    def __init__(self, characters: Sequence[str], font: str) -> None:
        named = "、".join(f"“{character}”（U+{ord(character):04X}）" for character in characters)
        super().__init__(
            f"字体 {font} 中没有 {named}，请改用别的字，"
            "或用 MINPING_FONT 指定含有这些字的 TrueType 字体文件。"
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text, the size (points) at which all fit, and whether the end was cut off."""

    lines: tuple[str, ...]
    size: float
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Pen:
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

    def write_block(self, x: float, y: float, block: Block, *, bold: bool = False) -> None:
        """Write lines one under the other; `y` is the last line's baseline."""
        # The upper line first: copying, searching and reading aloud follow the drawing order.
        step = block.size * LEADING
        top = y + step * (len(block.lines) - 1)
        for place, line in enumerate(block.lines):
            self.write(x, top - place * step, line, block.size, bold=bold)

    def write_centred(self, x: float, y: float, block: Block, *, bold: bool = False) -> None:
        """Write lines one under the other around `x`; `y` is the last line's baseline."""
        step = block.size * LEADING
        for place, line in enumerate(block.lines):
            left = x - self.font.stringWidth(line, block.size) / 2
            lower = y + step * (len(block.lines) - 1 - place)
            self.write(left, lower, line, block.size, bold=bold)

    def fitted(
        self, text: str, width: float, size: float, rows: int = 1, height: float = inf
    ) -> Block:
        """Return the text at `size`, or at the largest below it that fits.

        Of one to `rows` lines those that allow the largest type are taken, the fewest first. What
        would have to be smaller than `_SMALLEST` ends in …, and the block says that it is cut.
        """
        kept = text
        while True:
            blocks = [
                self._shrunk(kept, count, width, min(size, height / (count * LEADING)))
                for count in range(1, rows + 1)
            ]
            best = max(blocks, key=lambda block: block.size)
            if best.size >= _SMALLEST:
                return Block(best.lines, best.size, is_cut=kept != text)
            kept = kept[: int(len(kept) * best.size / _SMALLEST) - 1].rstrip("…") + "…"

    def wrapped(self, text: str, width: float, size: float) -> tuple[str, ...]:
        """Return a text in lines of this width, all at this size; only a word too long is cut."""
        lines = [""]
        for piece in _pieces(visible(text)):
            if self.font.stringWidth((lines[-1] + piece).rstrip(), size) > width and lines[-1]:
                lines.append("")
            for letter in piece:
                if self.font.stringWidth(lines[-1] + letter, size) > width and letter != " ":
                    lines.append("")
                lines[-1] += letter
        return tuple(line.strip() for line in lines)

    def _shrunk(self, text: str, count: int, width: float, size: float) -> Block:
        lines = _even_lines(text, self.font, count)
        widest = max(self.font.stringWidth(line, 1) for line in lines)
        return Block(lines, min(size, width / widest) if widest else size)


def blank_pages(written: BytesIO, title: str, size: tuple[float, float]) -> Canvas:
    """Return a canvas for pages of this size (points); the same drawing gives the same bytes."""
    canvas = Canvas(written, pagesize=size, invariant=1, lang="zh-CN")
    canvas.setTitle(title)
    canvas.setCreator("Minping 民评")
    # Readers that honour it then offer 100 % first; a shrunk sheet no longer fits its ticks.
    canvas.setViewerPreference("PrintScaling", "None")
    return canvas


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
def registered_font(path: Path) -> Iterator[TTFont]:
    """Lend the font for one sheet, so that no other sheet or report shares its reading position.

    Raises FontMissing when the file turns out to be no whole TrueType font, at once or on saving;
    Unavailable when others are drawing for too long.
    """
    with _turn(), _refusing_broken_fonts(path):
        font = TTFont(_FONT, str(path))
        font.unregister()  # else reportlab would go on with whichever object came first
        registerFont(font)
        try:
            yield font
        finally:
            font.unregister()


@contextmanager
def _turn() -> Iterator[None]:
    # Not for ever: those who wait for paper must not take every thread from the residents.
    if not _ONE_SHEET_AT_A_TIME.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable(_("正在排印别的卡，请过一会儿再试。"))
    try:
        yield
    finally:
        _ONE_SHEET_AT_A_TIME.release()


@contextmanager
def _refusing_broken_fonts(path: Path) -> Iterator[None]:
    try:
        yield
    except TTFError as error:
        raise FontMissing(
            f"字体文件 {path.name} 无法嵌入 PDF，请用 MINPING_FONT 指定 TrueType 字体（.ttf）。"
        ) from error


# Text


def visible(text: str) -> str:
    """Make one line of it, without the invisible characters that pasting from chats brings in."""
    return "".join(
        letter for letter in " ".join(text.split()) if unicodedata.category(letter) not in _UNSEEN
    )


def _even_lines(text: str, font: TTFont, count: int) -> tuple[str, ...]:
    """Break near equal widths, as even lines allow the largest type, and rather at a space."""
    ends = [0.0, *accumulate(font.stringWidth(letter, 1) for letter in text)]
    starts = [0]
    for number in range(1, count):
        later = [at for at in _breaks(text) or range(1, len(text)) if at > starts[-1]]
        if not later:
            break
        ideal = ends[-1] * number / count
        starts.append(min(later, key=lambda at: abs(ends[at] - ideal) - _bonus(text, at)))
    return tuple(
        text[start:end].rstrip() for start, end in zip(starts, [*starts[1:], None], strict=True)
    )


def _bonus(text: str, at: int) -> float:
    return _SPACE_IS_WORTH if text[at - 1] == " " else 0


def _breaks(text: str) -> list[int]:
    """Return where a new line may begin: not inside a word, nor with a mark that belongs before."""
    starts = [word.start() for word in _WORD.finditer(text)][1:]
    return [at for at in starts if text[at - 1] not in _NOT_LAST and text[at] not in _NOT_FIRST]


def _pieces(text: str) -> Iterator[str]:
    """Yield what stays together on a line, with the blanks behind it."""
    ends = [0, *_breaks(text), len(text)]
    yield from (text[start:end] for start, end in pairwise(ends))


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


def draw_symbol(canvas: Canvas, url: str, x: float, y: float, side: float) -> None:
    """Draw the code with its quiet zone, `side` wide, from its lower left corner."""
    rows = _symbol(url).get_matrix()
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(side / len(rows), side / len(rows))
    # One path of all dark modules, runs of a row merged, so that the file stays small.
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
