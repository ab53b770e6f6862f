from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, word


class Role(StrEnum):
    """What a member of staff is here to do."""

    ADMINISTRATOR = "administrator"
    EVALUATOR = "evaluator"
    FIELDWORKER = "fieldworker"


class Staff(Base):
    """A person with an account, who works in one branch of the area tree."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(word(Role))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    is_demo: Mapped[bool]

    area: Mapped[Area] = relationship(lazy="raise")
