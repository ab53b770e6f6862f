from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, Instant, word
from app.models.staff import Staff
from app.models.survey import Survey


class EvaluationState(StrEnum):
    """Whether measurements are still taken, or the scores stand."""

    OPEN = "open"
    CLOSED = "closed"


class Evaluation(Base):
    """One rubric applied to many objects of an area in one year.

    The rubric is kept as the text it was (`rubric_document`, TOML), so that no later edition
    changes the scores. `measures` says which measure of the survey feeds which indicator, by
    code; all others are entered. Until `deadline` the objects' own staff may enter; on `erase_at`
    (a day in Beijing) the evidence files are erased.
    """

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    year: Mapped[int]
    rubric_id: Mapped[str] = mapped_column(String(64))
    rubric_digest: Mapped[str] = mapped_column(String(64))
    rubric_document: Mapped[str] = mapped_column(Text, deferred=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    survey_id: Mapped[int | None] = mapped_column(ForeignKey("surveys.id"))
    measures: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("evaluations.id"))
    deadline: Mapped[datetime] = mapped_column(Instant)
    erase_at: Mapped[date] = mapped_column(Date)
    erased_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[EvaluationState] = mapped_column(word(EvaluationState))

    area: Mapped[Area] = relationship(lazy="raise")
    survey: Mapped[Survey | None] = relationship(lazy="raise")
    previous: Mapped["Evaluation | None"] = relationship(lazy="raise", remote_side="Evaluation.id")


class EvaluationObject(Base):
    """What is scored: an area, or a department or project there under a name of its own.

    Its area says who may enter for it and which residents its rates are from. `feed` is what its
    score stands on for good, written when the evaluation is closed.
    """

    __tablename__ = "evaluation_objects"
    __table_args__ = (UniqueConstraint("evaluation_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluations.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    feed: Mapped[str | None] = mapped_column(Text, deferred=True)

    area: Mapped[Area] = relationship(lazy="raise")
    evaluation: Mapped[Evaluation] = relationship(lazy="raise")


class EntryState(StrEnum):
    """Whether a measurement waits to be looked at, was sent back, or was taken."""

    ENTERED = "entered"
    RETURNED = "returned"
    ACCEPTED = "accepted"


class Entry(Base):
    """One version of a measurement that somebody entered for one indicator of an object.

    Versions count from 1 and are never changed: entering, returning and accepting each add one,
    and the newest counts. `document` is the measurement as a feed holds it (JSON). `reason` is
    why it was returned, `due` until when it may be corrected.
    """

    __tablename__ = "entries"

    object_id: Mapped[int] = mapped_column(ForeignKey("evaluation_objects.id"), primary_key=True)
    indicator: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[EntryState] = mapped_column(word(EntryState))
    document: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(Text)
    due: Mapped[datetime | None] = mapped_column(Instant)

    staff: Mapped[Staff] = relationship(lazy="raise")


class EvidenceFile(Base):
    """A file that somebody handed in for one indicator of an object (佐证材料).

    At its date `content` and `name` are erased; that it was there, its size and digest stay.
    """

    __tablename__ = "evidence_files"
    __table_args__ = (Index("ix_evidence_files_object_id", "object_id", "indicator"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    object_id: Mapped[int] = mapped_column(ForeignKey("evaluation_objects.id"))
    indicator: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    suffix: Mapped[str] = mapped_column(String(8))
    size: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    erased_at: Mapped[datetime | None] = mapped_column(Instant)

    staff: Mapped[Staff] = relationship(lazy="raise")


class ScoreOrigin(StrEnum):
    """Who gave a score that was not computed here."""

    SELF = "self"
    YEAR_BEFORE = "year_before"


class ReportedScore(Base):
    """A score of an object from elsewhere: its self-evaluation (自评), or the year before's.

    `indicator` is empty for the total. Versions count from 1 and the newest counts. `points` is a
    decimal, as text; empty where the score was taken back.
    """

    __tablename__ = "reported_scores"

    object_id: Mapped[int] = mapped_column(ForeignKey("evaluation_objects.id"), primary_key=True)
    origin: Mapped[ScoreOrigin] = mapped_column(word(ScoreOrigin), primary_key=True)
    indicator: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    points: Mapped[str] = mapped_column(String(20))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)
