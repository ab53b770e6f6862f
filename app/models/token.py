from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, Instant
from app.models.staff import Staff


class ApiToken(Base):
    """What a machine shows to read results of one branch; of the token only a keyed hash is kept.

    `expires_on` is the last day, in Beijing, on which it is taken, `last_used_on` the last on which
    it was. `staff_id` is who made it, empty for the command line. Without `reads_answers` it reads
    figures only, and no coded answer sheets.
    """

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    reads_answers: Mapped[bool]
    expires_on: Mapped[date] = mapped_column(Date)
    last_used_on: Mapped[date | None] = mapped_column(Date)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)

    area: Mapped[Area] = relationship(lazy="raise")
    staff: Mapped[Staff | None] = relationship(lazy="raise")
