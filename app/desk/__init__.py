"""评价端: evaluators' pages, from a questionnaire to rates and points, within their own area."""

from app.desk import areas, cards, crossing, exports, external, imports, tokens
from app.desk.views import blueprint

__all__ = ["areas", "blueprint", "cards", "crossing", "exports", "external", "imports", "tokens"]
