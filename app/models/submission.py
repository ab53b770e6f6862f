import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Instant, word


class Channel(StrEnum):
    """How the answers came in (调查方式)."""

    SCANNED = "scanned"
    POSTER = "poster"
    INTERVIEWED = "interviewed"
    TELEPHONED = "telephoned"
    PUSHED = "pushed"
    PAPER = "paper"


class SubmissionState(StrEnum):
    """What review made of a submission; only valid ones are counted."""

    VALID = "valid"
    SET_ASIDE = "set_aside"


class Origin(StrEnum):
    """Whether a person gave these answers here, or they were replayed from published tables."""

    COLLECTED = "collected"
    REPLAYED = "replayed"


class Assistance(StrEnum):
    """Who filled the form in (由谁填写): the person alone, another for them, or helped by staff."""

    NONE = "none"
    PROXY = "proxy"
    STAFF = "staff"


class Submission(Base):
    """One answer sheet; what was answered in it is never changed and never deleted.

    It knows its batch but never its card, no address, no device, and no instant finer than the
    hour. Its primary key is the random key that the phone made, and on SQLite the table has no
    row numbers: a counter would tell the order of arrival, and with it who answered.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["survey_id", "notice_number"], ["notices.survey_id", "notices.number"]
        ),
        {"sqlite_with_rowid": False},
    )

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    notice_number: Mapped[int] = mapped_column(server_default="1")
    questionnaire_id: Mapped[int] = mapped_column(ForeignKey("questionnaire_versions.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    origin: Mapped[Origin] = mapped_column(word(Origin))
    received_hour: Mapped[datetime] = mapped_column(Instant)
    duration_seconds: Mapped[int | None]
    # None where nobody was asked: sheets that staff bring in, and rows from before the question.
    assistance: Mapped[Assistance | None] = mapped_column(word(Assistance))
    # Who asked, in person or by telephone; whoever was asked stays unknown.
    interviewer_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[SubmissionState] = mapped_column(word(SubmissionState))
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    receipt: Mapped[str] = mapped_column(String(12), unique=True)


class FreeText(Base):
    """What one person wrote in their own words, apart from the coded answers.

    `digest` is SHA-256 of salt and text. Erasing takes text and salt and leaves the row: a proof
    over digests still holds, and a short text cannot be guessed from its digest without the salt.
    """

    __tablename__ = "free_texts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    submission_key: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("submissions.key"), primary_key=True
    )
    question_id: Mapped[str] = mapped_column(String(130), primary_key=True)
    text: Mapped[str | None] = mapped_column(Text)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    digest: Mapped[str] = mapped_column(String(64))
    erased_at: Mapped[datetime | None] = mapped_column(Instant)
