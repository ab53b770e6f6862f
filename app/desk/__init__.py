"""评价端: evaluators' pages, from a questionnaire to rates and points, within their own area."""

from app.desk import (
    areas,
    cards,
    designs,
    differences,
    exports,
    external,
    imports,
    planning,
    readings,
)
from app.desk.views import blueprint

__all__ = [
    "areas",
    "blueprint",
    "cards",
    "designs",
    "differences",
    "exports",
    "external",
    "imports",
    "planning",
    "readings",
]
