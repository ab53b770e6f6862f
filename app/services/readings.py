"""Definitions tried on collected answers: what each would find, and the points it would earn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.scoring.feed import Measurement
from analysis.scoring.rubric import Indicator, Rubric
from analysis.scoring.rules import Bands, Deduct, Proportional
from analysis.scoring.score import Line, score
from app.services.evaluating import measured
from app.services.results import Evidence, MeasureResult, measure_result, shown_rate
from surveys.questionnaire import Measure, MeasureKind


@dataclass(frozen=True, slots=True)
class Trial:
    """What one definition finds in the answers; `line` is what it earns, if it can be scored."""

    result: MeasureResult
    line: Line | None


def try_definition(evidence: Evidence, measure: Measure, rubric: Rubric | None, code: str) -> Trial:
    """Apply a definition to a survey's answers, and an indicator's rule to what it finds.

    Raises `Problem` when the survey's design cannot be computed.
    """
    result = measure_result(evidence, shown_rate(evidence, measure))
    if rubric is None or not result.rates or measure.kind is MeasureKind.NPS:
        return Trial(result, None)
    content = measured(evidence, measure, result.rates[0])
    sheet = score(rubric, [Measurement(code, content)])
    line = next(each for each in sheet.lines if each.indicator.code == code)
    return Trial(result, line)


def scored_by_rate(offered: Mapping[str, Rubric]) -> Iterator[tuple[Rubric, Indicator]]:
    """Yield every indicator of these rubrics whose rule scores a rate."""
    for rubric in offered.values():
        for indicator in rubric.indicators:
            rule = indicator.rule
            if isinstance(rule, Proportional | Deduct) or (
                isinstance(rule, Bands) and not rule.unit
            ):
                yield rubric, indicator
