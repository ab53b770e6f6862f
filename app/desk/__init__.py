"""评价端: evaluators' pages, from a questionnaire to rates and points, within their own area."""

from app.desk import exports
from app.desk.views import blueprint

__all__ = ["blueprint", "exports"]
