from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
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
    """One questionnaire asked in one branch of the area tree, between two instants."""

    __tablename__ = "surveys"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    questionnaire_id: Mapped[int] = mapped_column(ForeignKey("questionnaire_versions.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    state: Mapped[SurveyState] = mapped_column(word(SurveyState))
    opens_at: Mapped[datetime] = mapped_column(Instant)
    closes_at: Mapped[datetime] = mapped_column(Instant)
    contact: Mapped[str] = mapped_column(String(200))
    notice: Mapped[str] = mapped_column(Text)

    questionnaire: Mapped[QuestionnaireVersion] = relationship(lazy="raise")
    area: Mapped[Area] = relationship(lazy="raise")


class Poster(Base):
    """An open link to a survey for one area; whoever sees the poster may answer."""

    __tablename__ = "posters"
    __table_args__ = (UniqueConstraint("survey_id", "area_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(32), unique=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))

    area: Mapped[Area] = relationship(lazy="raise")
