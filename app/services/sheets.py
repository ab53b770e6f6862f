"""A batch on paper: its cards in parts, the lists to hand them out by, and posters beside them.

A large batch is printed in parts, each its own request and its own file: no work waits in the
server, a restart loses at most the part being drawn, and which parts were printed is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import NotFound
from app.errors import say as _
from app.models import Batch, Poster, Printout, Survey
from app.services import printing
from app.services.cards import card_address, code_of
from app.services.printing import LAYOUTS, CardFace, LayoutName, Paper, SheetHeading
from app.services.proofing import proofread
from app.spreadsheets.writing import Sheet

PART_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a batch: its number from 1, its serials, and every time that it was printed."""

    number: int
    serials: range
    printouts: Sequence[Printout]


@dataclass(frozen=True, slots=True)
class DrawnSheet:
    """A part as PDF; `read_back` of its codes, all of them, were read from the drawn pages."""

    pdf: bytes
    part: int
    serials: range
    layout: LayoutName
    read_back: int

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last serial."""
        return self.serials[0], self.serials[-1]


def count_parts(batch: Batch) -> int:
    """Return in how many parts a batch is printed."""
    return -(-batch.size // PART_SIZE)


def part_serials(batch: Batch, part: int) -> range:
    """Return the serials of a part, counted from 1. Raises `NotFound`."""
    if not 1 <= part <= count_parts(batch):
        raise NotFound
    return range((part - 1) * PART_SIZE + 1, min(part * PART_SIZE, batch.size) + 1)


def load_parts(session: Session, batch: Batch) -> list[Part]:
    """Return every part of a batch with its printouts, the latest first."""
    query = select(Printout).where(Printout.batch_id == batch.id).order_by(Printout.id.desc())
    printouts = session.scalars(query).all()
    return [
        Part(
            number,
            part_serials(batch, number),
            [printout for printout in printouts if printout.part == number],
        )
        for number in range(1, count_parts(batch) + 1)
    ]


def draw_sheet(
    batch: Batch, survey: Survey, part: int, layout: LayoutName, settings: Settings
) -> DrawnSheet:
    """Draw a part's cards and read each code back; the same part always gives the same bytes.

    Raises `NotFound` when there is no such part, `CannotPrint` when the public address is too
    long for the code, a glyph is missing or a code was not read back, and `Unavailable`.
    """
    serials = part_serials(batch, part)
    faces = [_face(batch, serial, settings) for serial in serials]
    pdf = printing.card_sheet(faces, _heading(batch, survey), LAYOUTS[layout], settings.font)
    read_back = proofread(pdf, printing.card_spots(faces, LAYOUTS[layout]))
    return DrawnSheet(pdf, part, serials, layout, read_back)


def record_printout(session: Session, batch: Batch, sheet: DrawnSheet, now: datetime) -> None:
    """Note that a part was drawn, read back and handed out."""
    session.add(
        Printout(batch_id=batch.id, part=sheet.part, printed_at=now, read_back=sheet.read_back)
    )


def draw_list(batch: Batch, survey: Survey, part: int, settings: Settings) -> bytes:
    """Draw the list to sign for the cards of a part. Raises `NotFound` and `CannotPrint`."""
    return printing.hand_out_list(
        part_serials(batch, part), _heading(batch, survey), batch.holder, settings.font
    )


def serials_sheet(batch: Batch) -> Sheet:
    """Return a table for the holder: a row for each card, to be filled in, and never a code."""
    headings = [_("批次"), _("片区"), _("编号"), _("发给谁、放在何处"), _("日期"), _("收回")]
    rows = [
        [batch.id, batch.area_name, f"{serial:06d}", None, None, None]
        for serial in range(1, batch.size + 1)
    ]
    return Sheet(_("编号表"), headings, rows)


def draw_poster(poster: Poster, survey: Survey, paper: Paper, settings: Settings) -> bytes:
    """Draw a poster and read its code back. Raises `CannotPrint` and `Unavailable`."""
    url = f"{settings.base_url}/p/{poster.slug}"
    heading = SheetHeading(survey.title, poster.area_name, "", survey.notice.contact)
    pdf = printing.poster(url, heading, paper, settings.font)
    proofread(pdf, printing.poster_spots(url, paper))
    return pdf


def _face(batch: Batch, serial: int, settings: Settings) -> CardFace:
    code = code_of(batch, serial, settings.keys)
    return CardFace(url=card_address(settings, code), code=code, serial=serial)


def _heading(batch: Batch, survey: Survey) -> SheetHeading:
    return SheetHeading(survey.title, batch.area_name, str(batch.id), survey.notice.contact)
