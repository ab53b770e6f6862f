import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.area import Area, area_name
from app.models.base import Base, word
from app.models.staff import Staff

_SLIP = ["survey_id", "area_id", "number"]
_SLIPS = ["slips.survey_id", "slips.area_id", "slips.number"]


class SlipState(StrEnum):
    """Where a slip is on its way to one submission."""

    AWAITING = "awaiting"
    DIFFERING = "differing"
    STORED = "stored"
    ERASED = "erased"


class DoubleEntry(Base):
    """How many of a survey's slips, of a hundred, are keyed by two people; set before the first."""

    __tablename__ = "double_entries"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    share: Mapped[int]


class Slip(Base):
    """One questionnaire on paper that was keyed, by the number written on it.

    It never says which submission came of it. It has no instant, and its rows lie in the order
    of their numbers: neither may tell which answers were keyed at the same time.
    `notice_number` is the version of the notice that the first keying says is printed on it.
    """

    __tablename__ = "slips"
    __table_args__ = (
        ForeignKeyConstraint(
            ["survey_id", "notice_number"], ["notices.survey_id", "notices.number"]
        ),
        {"sqlite_with_rowid": False},
    )

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    notice_number: Mapped[int]
    state: Mapped[SlipState] = mapped_column(word(SlipState))

    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(survey_id, area_id))


class Keying(Base):
    """One person's entry of a slip, the first or the second (`place`).

    `key` was made with the form, so that a retry is known. `typed` is what was typed, by control
    (`surveys.keying`); it is erased when the slip is stored, and at the erase date.
    """

    __tablename__ = "keyings"
    __table_args__ = (
        ForeignKeyConstraint(_SLIP, _SLIPS),
        UniqueConstraint(*_SLIP, "staff_id"),
        {"sqlite_with_rowid": False},
    )

    survey_id: Mapped[int] = mapped_column(primary_key=True)
    area_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    key: Mapped[uuid.UUID] = mapped_column(unique=True)
    typed: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    staff: Mapped[Staff] = relationship(lazy="raise")


class KeyingDifference(Base):
    """A question that two people keyed differently from a slip, and which of them was wrong.

    What they typed is not kept, nor what is right.
    """

    __tablename__ = "keying_differences"
    __table_args__ = (ForeignKeyConstraint(_SLIP, _SLIPS), {"sqlite_with_rowid": False})

    survey_id: Mapped[int] = mapped_column(primary_key=True)
    area_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    question_id: Mapped[str] = mapped_column(String(130), primary_key=True)
    first_wrong: Mapped[bool]
    second_wrong: Mapped[bool]
