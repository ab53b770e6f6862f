"""Tables only: no rules, no queries, no callbacks."""

from app.models.area import Area
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.card import Batch, Card, CardEvent, CardState, Printout
from app.models.imported import (
    AnswerImport,
    ExternalRate,
    ImportedRow,
    ImportMapping,
    ImportState,
)
from app.models.staff import RecoveryCode, Role, SignIn, SignInOutcome, Staff, StaffSession
from app.models.submission import Assistance, Channel, FreeText, Origin, Submission, SubmissionState
from app.models.survey import Notice, Poster, QuestionnaireVersion, Survey, SurveyState
from app.models.target import Target
from app.models.token import ApiToken

__all__ = [
    "AnswerImport",
    "ApiToken",
    "Area",
    "Assistance",
    "AuditEntry",
    "Base",
    "Batch",
    "Card",
    "CardEvent",
    "CardState",
    "Channel",
    "ExternalRate",
    "FreeText",
    "ImportMapping",
    "ImportState",
    "ImportedRow",
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
    "Target",
]
