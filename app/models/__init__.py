"""Tables only: no rules, no queries, no callbacks."""

from app.models.area import Area
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.card import Batch, Card, CardState
from app.models.staff import Role, SignIn, SignInOutcome, Staff, StaffSession
from app.models.submission import Assistance, Channel, Origin, Submission, SubmissionState
from app.models.survey import Poster, QuestionnaireVersion, Survey, SurveyState

__all__ = [
    "Area",
    "Assistance",
    "AuditEntry",
    "Base",
    "Batch",
    "Card",
    "CardState",
    "Channel",
    "Origin",
    "Poster",
    "QuestionnaireVersion",
    "Role",
    "SignIn",
    "SignInOutcome",
    "Staff",
    "StaffSession",
    "Submission",
    "SubmissionState",
    "Survey",
    "SurveyState",
]
