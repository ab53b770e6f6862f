import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.area import Area, area_name
from app.models.base import Base, Instant, word


class CardState(StrEnum):
    """Where a card is on its way; printed, issued and opened cards can be answered.

    No row says expired: past its batch's date a card that is still out counts as that.
    """

    MADE = "made"
    PRINTED = "printed"
    ISSUED = "issued"
    OPENED = "opened"
    ANSWERED = "answered"
    RETURNED = "returned"
    LOST = "lost"
    VOID = "void"
    EXPIRED = "expired"


class Batch(Base):
    """Cards made together for one area of a survey.

    `seed` goes into the derivation of the codes together with a key that is not in the database:
    the same batch can be printed again, and a leaked database prints none. `expires_at` is the
    last day, in Beijing, on which its cards can be answered; empty: as long as the survey runs.
    """

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    seed: Mapped[uuid.UUID] = mapped_column(unique=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    holder: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    expires_at: Mapped[date | None] = mapped_column(Date)

    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(survey_id, area_id))


class Card(Base):
    """One QR card; of its code only a keyed hash is stored.

    `holder` is to whom it was issued last; empty: still with the batch's.
    """

    __tablename__ = "cards"
    __table_args__ = (UniqueConstraint("batch_id", "serial"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    serial: Mapped[int]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    state: Mapped[CardState] = mapped_column(word(CardState))
    holder: Mapped[str | None] = mapped_column(String(100))


class CardEvent(Base):
    """One act of staff on cards of a batch that lie side by side: from which state to which.

    `before` is empty where they were made. What residents do writes none: an instant would tell
    who answered. `place` is where the cards went, `holder` to whom.
    """

    __tablename__ = "card_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), index=True)
    first: Mapped[int]
    last: Mapped[int]
    before: Mapped[CardState | None] = mapped_column(word(CardState, "before"))
    after: Mapped[CardState] = mapped_column(word(CardState, "after"))
    actor: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Instant)
    holder: Mapped[str] = mapped_column(String(100))
    place: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(String(500))


class Printout(Base):
    """One part of a batch that was handed out to print, after `read_back` codes were read back.

    Rows are added and never changed: whoever prints a part again adds one.
    """

    __tablename__ = "printouts"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), index=True)
    part: Mapped[int]
    printed_at: Mapped[datetime] = mapped_column(Instant)
    read_back: Mapped[int]
