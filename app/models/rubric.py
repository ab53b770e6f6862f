from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, Instant, word
from app.models.staff import Staff


class RubricState(StrEnum):
    """Whether a version may still be changed, or scores may rest on it."""

    DRAFT = "draft"
    IN_USE = "in_use"


class StoredRubric(Base):
    """One version of a rubric or of a report that an evaluator made, as the text of its file.

    A version in use is never changed: what changes is the next one, with the same `slug`.
    `staff_id` is empty where it came by a command.
    """

    __tablename__ = "stored_rubrics"
    __table_args__ = (UniqueConstraint("area_id", "slug", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    slug: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[RubricState] = mapped_column(word(RubricState))
    changed_at: Mapped[datetime] = mapped_column(Instant)

    area: Mapped[Area] = relationship(lazy="raise")
    staff: Mapped[Staff | None] = relationship(lazy="raise")
