from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.area import Area
from app.models.base import Base, Instant, word


class Role(StrEnum):
    """What a member of staff is here to do."""

    ADMINISTRATOR = "administrator"
    EVALUATOR = "evaluator"
    FIELDWORKER = "fieldworker"
    AUDITOR = "auditor"


class Staff(Base):
    """A person with an account, who works in one branch of the area tree.

    `failed_sign_ins` counts since the last success; `locked_until` is when the next try is heard.
    """

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(word(Role))
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"))
    is_demo: Mapped[bool]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    is_closed: Mapped[bool] = mapped_column(default=False)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)

    area: Mapped[Area] = relationship(lazy="raise")


class StaffSession(Base):
    """A signed-in device; the browser holds a random token, the database only its hash.

    It ends here and not in the browser, so that signing out is true also for a copied cookie.
    """

    __tablename__ = "staff_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class SignInOutcome(StrEnum):
    """How an attempt to sign in ended."""

    SIGNED_IN = "signed_in"
    REFUSED = "refused"
    LOCKED = "locked"


class SignIn(Base):
    """One attempt to sign in to an account, shown to the person whose account it is."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    outcome: Mapped[SignInOutcome] = mapped_column(word(SignInOutcome))
