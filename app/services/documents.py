"""Results as JSON documents: the same for the command and for the API."""

from collections.abc import Sequence

from analysis.rates import Rate
from app.formats import percent
from app.models import Survey
from app.services import results


def rates(
    evidence: results.Evidence, found: Sequence[results.MeasureResult], by: str
) -> dict[str, object]:
    """Return every measure overall and by group; counts are numbers, exact rates are fractions.

    `value` is the exact fraction, `percent` the published figure; a group that is withheld or that
    nobody answered in has its status and no rate.
    """
    return {
        "survey": evidence.survey.id,
        "title": evidence.survey.title,
        "questionnaire": evidence.questionnaire.id,
        "submissions": len(evidence.frame),
        "replayed": evidence.replayed,
        "by": by,
        "measures": [
            {
                "measure": result.measure.id,
                "name": result.measure.name,
                "kind": result.measure.kind.value,
                "reading_of": result.measure.reading_of,
                "definition": result.definition,
                "rates": [_rate_json(rate, result) for rate in result.rates],
                "groups": [
                    {
                        "group": group.group,
                        "name": results.group_name(evidence, by, group.group),
                        "status": group.status.value,
                        "rate": _rate_json(group.rate, result) if group.rate else None,
                    }
                    for group in result.groups
                ],
            }
            for result in found
        ],
    }


def _rate_json(rate: Rate, result: results.MeasureResult) -> dict[str, object]:
    interval = rate.interval
    return {
        "option": rate.option,
        "numerator": rate.numerator,
        "credit": str(rate.credit),
        "base": rate.base,
        "value": str(rate.value),
        "percent": percent(rate.value, result.measure.decimals).rstrip("%"),
        "asked": rate.asked,
        "left_out": {"blank": rate.left_out.blank, "unsure": rate.left_out.unsure},
        "weighted": rate.weighted,
        "error": rate.error,
        "freedom": rate.freedom,
        "design_effect": rate.design_effect,
        "effective_n": rate.effective_n,
        "interval": None
        if interval is None
        else {
            "low": interval.low,
            "high": interval.high,
            "confidence": interval.confidence,
            "method": interval.method.value,
        },
        "interval_note": rate.interval_note,
        "reliability": [doubt.value for doubt in rate.reliability],
    }


def survey(found: Survey) -> dict[str, object]:
    """Return what a survey is: where, when, and in which state."""
    return {
        "survey": found.id,
        "title": found.title,
        "area": found.area.name,
        "state": found.state.value,
        "questionnaire": found.questionnaire.code,
        "opens_at": found.opens_at.isoformat(),
        "closes_at": found.closes_at.isoformat(),
    }
