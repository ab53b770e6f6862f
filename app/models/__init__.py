"""Tables only: no rules, no queries, no callbacks."""

from app.models.area import Area, SurveyArea
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.card import Batch, Card, CardEvent, CardState, Printout
from app.models.design import SampleKind, SurveyDesign
from app.models.evaluation import (
    Entry,
    EntryState,
    Evaluation,
    EvaluationObject,
    EvaluationState,
    EvidenceFile,
    ReportedScore,
    ScoreOrigin,
)
from app.models.imported import (
    AnswerImport,
    ExternalRate,
    ImportedRow,
    ImportMapping,
    ImportState,
)
from app.models.review import (
    BackCheck,
    BackCheckOutcome,
    BackCheckPlan,
    InclusionRule,
    Review,
    ReviewReason,
    ReviewState,
)
from app.models.rubric import RubricState, StoredRubric
from app.models.seal import Seal
from app.models.slip import DoubleEntry, Keying, KeyingDifference, Slip, SlipState
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
    "BackCheck",
    "BackCheckOutcome",
    "BackCheckPlan",
    "Base",
    "Batch",
    "Card",
    "CardEvent",
    "CardState",
    "Channel",
    "DoubleEntry",
    "Entry",
    "EntryState",
    "Evaluation",
    "EvaluationObject",
    "EvaluationState",
    "EvidenceFile",
    "ExternalRate",
    "FreeText",
    "ImportMapping",
    "ImportState",
    "ImportedRow",
    "InclusionRule",
    "Keying",
    "KeyingDifference",
    "Notice",
    "Origin",
    "Poster",
    "Printout",
    "QuestionnaireVersion",
    "RecoveryCode",
    "ReportedScore",
    "Review",
    "ReviewReason",
    "ReviewState",
    "Role",
    "RubricState",
    "SampleKind",
    "ScoreOrigin",
    "Seal",
    "SignIn",
    "SignInOutcome",
    "Slip",
    "SlipState",
    "Staff",
    "StaffSession",
    "StoredRubric",
    "Submission",
    "SubmissionState",
    "Survey",
    "SurveyArea",
    "SurveyDesign",
    "SurveyState",
    "Target",
]
