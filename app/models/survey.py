from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.area import Area, area_name
from app.models.base import Base, Instant, word


class SurveyState(StrEnum):
    """What the evaluator has decided; the instants decide the rest."""

    DRAFT = "draft"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class QuestionnaireVersion(Base):
    """The snapshot of a questionnaire that surveys keep; never changed once written."""

    __tablename__ = "questionnaire_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    document: Mapped[str] = mapped_column(Text)


class Survey(Base):
    """One questionnaire asked in one branch of the area tree, between two instants.

    `notice_number` is the version of its notice that residents are shown now.
    """

    __tablename__ = "surveys"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    questionnaire_id: Mapped[int] = mapped_column(ForeignKey("questionnaire_versions.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    state: Mapped[SurveyState] = mapped_column(word(SurveyState))
    opens_at: Mapped[datetime] = mapped_column(Instant)
    closes_at: Mapped[datetime] = mapped_column(Instant)
    notice_number: Mapped[int] = mapped_column(server_default="1")

    questionnaire: Mapped[QuestionnaireVersion] = relationship(lazy="raise")
    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(id, area_id))  # noqa: A003 - the column
    notice: Mapped["Notice"] = relationship(
        primaryjoin=(
            "and_(foreign(Survey.id) == Notice.survey_id,"
            " foreign(Survey.notice_number) == Notice.number)"
        ),
        viewonly=True,
        lazy="raise",
    )


class Notice(Base):
    """One version of what residents are told before the first question (个人信息保护法 第十七条).

    Versions count from 1; a correction adds one, and a submission names the one it was shown.
    What was answered under a version is erased on its `erase_at` (a day in Beijing), or on the
    current version's if that is earlier: nobody's answers are kept longer than they were told.
    `erased_at` is when that was done, `cleaned_at` when nothing of it was left in the files.
    """

    __tablename__ = "notices"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organiser: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(Text)
    collected: Mapped[str] = mapped_column(Text)
    readers: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(String(200))
    erase_at: Mapped[date] = mapped_column(Date)
    erased_at: Mapped[datetime | None] = mapped_column(Instant)
    cleaned_at: Mapped[datetime | None] = mapped_column(Instant)


class Poster(Base):
    """An open link to a survey for one area; whoever sees the poster may answer."""

    __tablename__ = "posters"
    __table_args__ = (UniqueConstraint("survey_id", "area_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(32), unique=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))

    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(survey_id, area_id))
