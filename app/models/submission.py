import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
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
    """One answer sheet, never changed and never deleted.

    It knows its batch but never its card, no address, no device, and no instant finer than the
    hour. Its primary key is the random key that the phone made, and on SQLite the table has no
    row numbers: a counter would tell the order of arrival, and with it who answered.
    """

    __tablename__ = "submissions"
    __table_args__ = ({"sqlite_with_rowid": False},)

    key: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), index=True)
    questionnaire_id: Mapped[int] = mapped_column(ForeignKey("questionnaire_versions.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    origin: Mapped[Origin] = mapped_column(word(Origin))
    received_hour: Mapped[datetime] = mapped_column(Instant)
    duration_seconds: Mapped[int | None]
    # None where nobody was asked: sheets that staff bring in, and rows from before the question.
    assistance: Mapped[Assistance | None] = mapped_column(word(Assistance))
    state: Mapped[SubmissionState] = mapped_column(word(SubmissionState))
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    receipt: Mapped[str] = mapped_column(String(12), unique=True)
