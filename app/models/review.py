"""What people made of submissions: their reviews, the rule for counting, and back-checks."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Instant, word
from app.models.staff import Staff
from app.models.submission import Submission


class ReviewState(StrEnum):
    """What a person made of a submission: it stands, it is in doubt, or it was set aside."""

    VALID = "valid"
    QUERIED = "queried"
    SET_ASIDE = "set_aside"


class ReviewReason(StrEnum):
    """Why a submission is in doubt or was set aside."""

    DUPLICATE = "duplicate"
    FABRICATED = "fabricated"
    TEST = "test"
    OUT_OF_SCOPE = "out_of_scope"
    CARELESS = "careless"
    INFLUENCED = "influenced"
    OTHER = "other"


class Review(Base):
    """One decision about one submission; the one with the highest number holds.

    Rows are only added: taking a decision back is another decision. The numbers of a submission
    count from 1, so that of two people who decide at once the database refuses one.
    """

    __tablename__ = "reviews"
    __table_args__ = ({"sqlite_with_rowid": False},)

    submission_key: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("submissions.key"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[ReviewState] = mapped_column(word(ReviewState))
    # None for a decision that the submission stands.
    reason: Mapped[ReviewReason | None] = mapped_column(word(ReviewReason))
    words: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)

    staff: Mapped[Staff] = relationship(lazy="raise")


class InclusionRule(Base):
    """One version of what keeps a reviewed submission out of a survey's official rates.

    Versions count from 1; before the first the standard rule holds. `after_opening` says that it
    was written when answers could have come in already, which every output then tells.
    """

    __tablename__ = "inclusion_rules"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    excluded: Mapped[list[str]] = mapped_column(JSON)
    excludes_queried: Mapped[bool]
    after_opening: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(Instant)

    staff: Mapped[Staff] = relationship(lazy="raise")


class BackCheckOutcome(StrEnum):
    """What came of going back to somebody who was interviewed."""

    ASKED_AGAIN = "asked_again"
    NEVER_INTERVIEWED = "never_interviewed"
    NOT_REACHED = "not_reached"


class BackCheckPlan(Base):
    """How a survey's interviews are drawn for back-checks, and which questions are asked again.

    Fixed when the first are drawn: with the same seed the same interviews are drawn.
    """

    __tablename__ = "back_check_plans"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    seed: Mapped[int]
    percent: Mapped[int]
    questions: Mapped[list[str]] = mapped_column(JSON)


class BackCheck(Base):
    """One interview that was drawn, and what came of asking again.

    `matches` says by question whether both answers were the same; what was said the second time is
    not kept. The hour is as coarse as the interview's own.
    """

    __tablename__ = "back_checks"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    submission_key: Mapped[uuid.UUID] = mapped_column(ForeignKey("submissions.key"), unique=True)
    outcome: Mapped[BackCheckOutcome | None] = mapped_column(word(BackCheckOutcome))
    matches: Mapped[dict[str, bool]] = mapped_column(JSON)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    checked_hour: Mapped[datetime | None] = mapped_column(Instant)

    submission: Mapped[Submission] = relationship(lazy="raise")
