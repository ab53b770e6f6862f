from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Instant, word
from app.models.staff import Staff


class SampleKind(StrEnum):
    """How the people of a survey came to be asked (抽样方式)."""

    CENSUS = "census"
    SIMPLE = "simple"
    STRATIFIED = "stratified"
    CLUSTERED = "clustered"
    SELF_SELECTED = "self_selected"


class SurveyDesign(Base):
    """One version of how a survey's sample was drawn; versions count from 1, the highest counts.

    `document` holds the rest with the counts of people as the areas had them then: what is known
    about the population later does not change a figure. `after_opening` marks a version that was
    made when answers could be known already; `reason` says why.
    """

    __tablename__ = "survey_designs"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[SampleKind] = mapped_column(word(SampleKind))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(Instant)
    after_opening: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)

    staff: Mapped[Staff] = relationship(lazy="raise")
