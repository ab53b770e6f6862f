"""The shared scoring module: from measurements to points, totals and grades.

It needs only the standard library, imports nothing but itself, and knows no web, no database
and no clock. It never repairs what a document says: it computes, and says what contradicts what.
"""

# The functions `annex`, `audit`, `score` and `uncertainty` hide the modules of the same name:
# inside the package, import from the modules (`from analysis.scoring.audit import …`), never the
# modules themselves.
from analysis.scoring.annex import Annex, annex
from analysis.scoring.audit import Finding, FindingKind, audit
from analysis.scoring.feed import Feed, FeedError, Measurement
from analysis.scoring.ranking import Ranking, Standing, rank
from analysis.scoring.rubric import Indicator, Rubric, RubricError, bundled, load, load_bundled
from analysis.scoring.rules import Points, Rounding, Rule, RuleError, points
from analysis.scoring.score import ScoreSheet, score
from analysis.scoring.uncertainty import Uncertainty, sheet_dict, uncertainty

__all__ = [
    "Annex",
    "Feed",
    "FeedError",
    "Finding",
    "FindingKind",
    "Indicator",
    "Measurement",
    "Points",
    "Ranking",
    "Rounding",
    "Rubric",
    "RubricError",
    "Rule",
    "RuleError",
    "ScoreSheet",
    "Standing",
    "Uncertainty",
    "annex",
    "audit",
    "bundled",
    "load",
    "load_bundled",
    "points",
    "rank",
    "score",
    "sheet_dict",
    "uncertainty",
]
