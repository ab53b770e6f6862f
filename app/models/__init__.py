"""Tables only: no rules, no queries, no callbacks."""

from app.models.area import Area
from app.models.base import Base
from app.models.card import Batch, Card, CardState
from app.models.staff import Role, Staff
from app.models.submission import Channel, Origin, Submission, SubmissionState
from app.models.survey import Poster, QuestionnaireVersion, Survey, SurveyState

__all__ = [
    "Area",
    "Base",
    "Batch",
    "Card",
    "CardState",
    "Channel",
    "Origin",
    "Poster",
    "QuestionnaireVersion",
    "Role",
    "Staff",
    "Submission",
    "SubmissionState",
    "Survey",
    "SurveyState",
]
