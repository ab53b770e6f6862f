"""Tables only: no rules, no queries, no callbacks."""

from app.models.area import Area
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.card import Batch, Card, CardState, Printout
from app.models.staff import RecoveryCode, Role, SignIn, SignInOutcome, Staff, StaffSession
from app.models.submission import Assistance, Channel, FreeText, Origin, Submission, SubmissionState
from app.models.survey import Notice, Poster, QuestionnaireVersion, Survey, SurveyState

__all__ = [
    "Area",
    "Assistance",
    "AuditEntry",
    "Base",
    "Batch",
    "Card",
    "CardState",
    "Channel",
    "FreeText",
    "Notice",
    "Origin",
    "Poster",
    "Printout",
    "QuestionnaireVersion",
    "RecoveryCode",
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
