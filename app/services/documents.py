"""Results as JSON documents: the same for the command and for the API."""

from collections.abc import Sequence

from analysis.rates import Rate
from app.formats import late_rule_mark, percent
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
        "seal": evidence.stand.digest,
        "provisional": not evidence.stand.is_current,
        "replayed": evidence.replayed,
        "review": _review_json(evidence),
        "by": by,
        "design": {
            "sample": evidence.design.sample.value,
            "weighting": evidence.weighting.value,
            "smallest": evidence.smallest,
            "note": str(evidence.design_note),
        },
        "measures": [
            {
                "measure": result.measure.id,
                "name": result.measure.name,
                "kind": result.measure.kind.value,
                "reading_of": result.measure.reading_of,
                "definition": result.definition,
                "status": result.status.value,
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


def _review_json(evidence: results.Evidence) -> dict[str, object]:
    rule, withheld = evidence.inclusion, results.tells_few_apart(evidence)
    return {
        "excluded": evidence.excluded,
        "set_aside": evidence.aside,
        "rule": rule.number,
        "excluded_reasons": sorted(rule.excluded),
        "excludes_queried": rule.excludes_queried,
        "late_changes": rule.late_changes,
        "mark": late_rule_mark(rule.late_changes),
        "withheld": withheld,
        "rates": []
        if withheld
        else [
            {
                "measure": each.measure.id,
                "official": _counts_json(each.official),
                "with_all": _counts_json(each.with_all),
                "without_set_aside": _counts_json(each.without_aside),
            }
            for each in results.reviewed_rates(evidence)
        ],
    }


def _counts_json(rate: Rate | None) -> dict[str, object] | None:
    if rate is None:
        return None
    return {"numerator": rate.numerator, "base": rate.base, "value": str(rate.value)}


def _rate_json(rate: Rate, result: results.MeasureResult) -> dict[str, object]:
    interval = rate.interval
    return {
        "option": rate.option,
        "numerator": rate.numerator,
        "credit": str(rate.credit),
        "base": rate.base,
        "value": str(rate.value),
        "official": str(rate.official),
        "percent": percent(rate.official, result.measure.decimals).rstrip("%"),
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
        "area": found.area_name,
        "state": found.state.value,
        "questionnaire": found.questionnaire.code,
        "opens_at": found.opens_at.isoformat(),
        "closes_at": found.closes_at.isoformat(),
    }
