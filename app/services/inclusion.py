"""Which submissions count: one condition for every reader, from one written rule per survey."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.errors import InvalidInput, Problem
from app.errors import say as _
from app.models import (
    InclusionRule,
    Review,
    ReviewReason,
    ReviewState,
    Staff,
    Submission,
    SubmissionState,
    Survey,
    SurveyState,
)
from app.services.once import add_once


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The rule of one survey as it stands.

    Set aside for a reason in `excluded` a submission does not count, for any other it does.
    `number` is its version, 0 the standard rule; `late_changes` of the versions were written after
    the survey had been opened.
    """

    number: int
    excluded: frozenset[ReviewReason]
    excludes_queried: bool
    late_changes: int


# Surveys without a version of their own rest on it: it must never change.
STANDARD = Inclusion(
    number=0,
    excluded=frozenset(
        {
            ReviewReason.DUPLICATE,
            ReviewReason.FABRICATED,
            ReviewReason.TEST,
            ReviewReason.OUT_OF_SCOPE,
            ReviewReason.CARELESS,
            ReviewReason.INFLUENCED,
            ReviewReason.OTHER,
        }
    ),
    excludes_queried=False,
    late_changes=0,
)


def load_inclusion(session: Session, survey_id: int) -> Inclusion:
    """Return the rule that holds for a survey now."""
    versions = load_rules(session, survey_id)
    if not versions:
        return STANDARD
    newest = versions[0]
    return Inclusion(
        newest.number,
        frozenset(ReviewReason(reason) for reason in newest.excluded),
        newest.excludes_queried,
        sum(version.after_opening for version in versions),
    )


def load_rules(session: Session, survey_id: int) -> Sequence[InclusionRule]:
    """Return every version that was written for a survey, the newest first."""
    query = select(InclusionRule).where(InclusionRule.survey_id == survey_id)
    newest = query.options(joinedload(InclusionRule.staff)).order_by(InclusionRule.number.desc())
    return session.scalars(newest).all()


def change_rule(
    session: Session, survey: Survey, rule: Inclusion, reason: str, staff: Staff, now: datetime
) -> InclusionRule:
    """Write the next version; `rule.number` is the version that was seen.

    Raises `InvalidInput` without a reason once the survey was opened, and `Problem` when nothing
    changes, or when somebody else wrote a version meanwhile.
    """
    # Whoever opens the survey at this moment waits, or is waited for.
    session.refresh(survey, ["state"], with_for_update={"read": True})
    is_late = survey.state is not SurveyState.DRAFT
    if is_late and not reason.strip():
        raise InvalidInput({"reason": _("调查开放以后修改规则，要写明理由。")})
    before = load_inclusion(session, survey.id)
    taken = _("规则刚被别人改过，请刷新页面，在新的一版上修改。")
    if before.number != rule.number:
        raise Problem(taken)
    if (before.excluded, before.excludes_queried) == (rule.excluded, rule.excludes_queried):
        raise Problem(_("规则没有变化。"))
    made = InclusionRule(
        survey_id=survey.id,
        number=rule.number + 1,
        excluded=sorted(rule.excluded),
        excludes_queried=rule.excludes_queried,
        after_opening=is_late,
        reason=reason.strip(),
        staff_id=staff.id,
        at=now,
    )
    add_once(session, [made], taken)
    return made


def load_reviews(session: Session, survey: Survey) -> dict[str, tuple[str, str]]:
    """Return state and reason of the review that holds, by the submission's key."""
    query = (
        select(Review.submission_key, Review.state, Review.reason)
        .join(Submission, Submission.key == Review.submission_key)
        .where(Submission.survey_id == survey.id, is_current())
    )
    return {
        str(key): (state.value, reason.value if reason else "")
        for key, state, reason in session.execute(query)
    }


# ---------------------------------------------------------------------------------------------
# Conditions
# ---------------------------------------------------------------------------------------------


def is_kept() -> ColumnElement[bool]:
    """Return the condition that a submission was not withdrawn together with its import.

    A withdrawn row may have come again, so it counts under no rule and nobody reviews it.
    """
    return Submission.state == SubmissionState.VALID


def is_counted(rule: Inclusion) -> ColumnElement[bool]:
    """Return the condition that a submission counts: what every rate, target and export reads."""
    left_out: ColumnElement[bool] = (Review.state == ReviewState.SET_ASIDE) & Review.reason.in_(
        sorted(rule.excluded)
    )
    if rule.excludes_queried:
        left_out = or_(left_out, Review.state == ReviewState.QUERIED)
    excluded = select(Review.submission_key).where(is_current(), left_out)
    return is_kept() & Submission.key.not_in(excluded)


def is_current() -> ColumnElement[bool]:
    """Return the condition that a review is the last one of its submission."""
    later = aliased(Review)
    return ~exists().where(
        later.submission_key == Review.submission_key, later.number > Review.number
    )


def is_set_aside() -> ColumnElement[bool]:
    """Return the condition that a person set a submission aside, whatever the rule makes of it."""
    aside = select(Review.submission_key).where(is_current(), Review.state == ReviewState.SET_ASIDE)
    return Submission.key.in_(aside)
