from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.area import Area, area_name
from app.models.base import Base, word
from app.models.submission import Channel


class Target(Base):
    """How many answer sheets a survey wants from an area by one channel."""

    __tablename__ = "targets"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), primary_key=True)
    channel: Mapped[Channel] = mapped_column(word(Channel), primary_key=True)
    number: Mapped[int]

    area: Mapped[Area] = relationship(lazy="raise")
    area_name: Mapped[str] = column_property(area_name(survey_id, area_id))
