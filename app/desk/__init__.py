"""评价端: evaluators' pages, from a questionnaire to rates and points, within their own area."""

from app.desk import (
    area_edit,
    areas,
    cards,
    designs,
    differences,
    exports,
    external,
    imports,
    paper,
    planning,
    readings,
    report_audits,
    review,
    rubric_forms,
    rubrics,
    seals,
    survey_areas,
)
from app.desk.views import blueprint

__all__ = [
    "area_edit",
    "areas",
    "blueprint",
    "cards",
    "designs",
    "differences",
    "exports",
    "external",
    "imports",
    "paper",
    "planning",
    "readings",
    "report_audits",
    "review",
    "rubric_forms",
    "rubrics",
    "seals",
    "survey_areas",
]
