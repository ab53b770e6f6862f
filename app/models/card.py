import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, Instant, word


class CardState(StrEnum):
    """Where a card is on its way; only an issued card can be answered."""

    ISSUED = "issued"
    ANSWERED = "answered"
    VOID = "void"


class Batch(Base):
    """Cards made together for one area of a survey.

    `seed` goes into the derivation of the codes together with a key that is not in the database:
    the same batch can be printed again, and a leaked database prints none.
    """

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    seed: Mapped[uuid.UUID] = mapped_column(unique=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    holder: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]

    area: Mapped[Area] = relationship(lazy="raise")


class Card(Base):
    """One QR card; of its code only a keyed hash is stored."""

    __tablename__ = "cards"
    __table_args__ = (UniqueConstraint("batch_id", "serial"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"))
    serial: Mapped[int]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    state: Mapped[CardState] = mapped_column(word(CardState))


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
