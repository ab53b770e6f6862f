"""评价端: evaluators' pages, from a questionnaire to rates and points, within their own area."""

from app.desk import answers, areas, cards, crossing, exports, external, imports, ranking, tokens
from app.desk.views import blueprint

__all__ = [
    "answers",
    "areas",
    "blueprint",
    "cards",
    "crossing",
    "exports",
    "external",
    "imports",
    "ranking",
    "tokens",
]
