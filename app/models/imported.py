import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.area import Area, area_name
from app.models.base import Base, Instant, word
from app.models.staff import Staff
from app.models.submission import Channel


class ImportState(StrEnum):
    """Whether the answers of a file count, or were set aside together."""

    COUNTED = "counted"
    SET_ASIDE = "set_aside"


class AnswerImport(Base):
    """Answer sheets that came in one file, and what became of them.

    `stored` of its rows are new, `known` had come before, and `left_out` had faults and were set
    aside by whoever imported it. `reason` is why all of it was set aside later.
    """

    __tablename__ = "answer_imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str] = mapped_column(String(50))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    file_digest: Mapped[str] = mapped_column(String(64))
    stored: Mapped[int]
    known: Mapped[int]
    left_out: Mapped[int]
    state: Mapped[ImportState] = mapped_column(word(ImportState))
    reason: Mapped[str] = mapped_column(Text)

    staff: Mapped[Staff] = relationship(lazy="raise")


class ImportedRow(Base):
    """Which submission a row of a file became, so that the same row is not counted twice.

    Of its number only a keyed hash is kept: other systems number their rows by telephone. It is
    taken away when the import is set aside, and the row may then come again.
    """

    __tablename__ = "imported_rows"
    __table_args__ = ({"sqlite_with_rowid": False},)

    row_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("answer_imports.id"), index=True)
    submission_key: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("submissions.key"), primary_key=True
    )


class ImportMapping(Base):
    """Which column of another system's table answers which question, and in which words.

    Saved for one questionnaire, in the area that made it. `name` is the source: the same number
    in two sources is two people.
    """

    __tablename__ = "import_mappings"
    __table_args__ = (UniqueConstraint("area_id", "questionnaire_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    questionnaire_id: Mapped[int] = mapped_column(ForeignKey("questionnaire_versions.id"))
    name: Mapped[str] = mapped_column(String(50))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class ExternalRate(Base):
    """A rate that another source counted: two numbers and where they are from, no answer sheets.

    Never changed: one that was wrong is withdrawn, with the reason.
    """

    __tablename__ = "external_rates"

    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    measure_id: Mapped[str] = mapped_column(String(64))
    numerator: Mapped[int]
    base: Mapped[int]
    source: Mapped[str] = mapped_column(String(300))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(Text)

    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(survey_id, area_id))
