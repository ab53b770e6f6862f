from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String, false
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
    `password_changed_at` is empty until the person has chosen a password. A second factor is set
    up when there is a `factor_seed`, from which its secret is derived; `factor_step` is the time
    step of the last code that was taken.
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
    password_changed_at: Mapped[datetime | None] = mapped_column(Instant)
    factor_seed: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    factor_step: Mapped[int | None]

    area: Mapped[Area] = relationship(lazy="raise")


class StaffSession(Base):
    """A signed-in device; the browser holds a random token, the database only its hash.

    It ends here and not in the browser, so that signing out is true also for a copied cookie.
    While `is_half`, the password was right and the code is still owed.
    """

    __tablename__ = "staff_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    is_half: Mapped[bool] = mapped_column(default=False, server_default=false())


class RecoveryCode(Base):
    """A code on paper that stands in for the phone once; only its keyed hash, gone when used."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)


class SignInOutcome(StrEnum):
    """How an attempt to sign in ended."""

    SIGNED_IN = "signed_in"
    REFUSED = "refused"
    LOCKED = "locked"
    ASKED_FOR_CODE = "asked_for_code"
    CODE_REFUSED = "code_refused"
    RECOVERED = "recovered"


class SignIn(Base):
    """One attempt to sign in to an account, shown to the person whose account it is."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    outcome: Mapped[SignInOutcome] = mapped_column(word(SignInOutcome))
