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
from app.models.rubric import RubricState, StoredRubric
from app.models.staff import RecoveryCode, Role, SignIn, SignInOutcome, Staff, StaffSession
from app.models.submission import Assistance, Channel, FreeText, Origin, Submission, SubmissionState
from app.models.survey import Notice, Poster, QuestionnaireVersion, Survey, SurveyState
from app.models.target import Target

__all__ = [
    "AnswerImport",
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
    "RubricState",
    "SignIn",
    "SignInOutcome",
    "Staff",
    "StaffSession",
    "StoredRubric",
    "Submission",
    "SubmissionState",
    "Survey",
    "SurveyState",
    "Target",
]
