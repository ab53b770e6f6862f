"""From rates to rubric points: measurements by indicator, handed to the shared scoring module."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache

from analysis.intervals import Interval
from analysis.rates import Rate, describe
from analysis.scoring import feed
from analysis.scoring.rubric import Rubric, RubricError, bundled, load_bundled
from analysis.scoring.score import ScoreSheet, score
from app.errors import NotFound
from app.errors import say as _
from app.services.external import ExternalFigure
from app.services.results import Evidence, rate_or_none
from surveys.questionnaire import Measure, MeasureKind


@cache
def rubrics() -> dict[str, Rubric]:
    """Return every bundled rubric by id.

    Raises `RubricError`: a rubric that contradicts itself stops the start of the product.
    """
    return {name: load_bundled(name) for name in bundled()}


def find_rubric(rubric_id: str) -> Rubric:
    """Return one bundled rubric. Raises `NotFound`."""
    try:
        return rubrics()[rubric_id]
    except (KeyError, RubricError):
        raise NotFound from None


def rubrics_for(evidence: Evidence, offered: Mapping[str, Rubric]) -> list[tuple[Rubric, int]]:
    """Return those of the rubrics that this survey can feed, the most indicators first.

    Each comes with the number of its indicators that the questionnaire has a measure for.
    """
    measures = {measure.id for measure in evidence.questionnaire.measures}
    counted = [
        (rubric, sum(indicator.measure in measures for indicator in rubric.indicators))
        for rubric in offered.values()
    ]
    return sorted([pair for pair in counted if pair[1]], key=lambda pair: -pair[1])


def measurements(evidence: Evidence, rubric: Rubric) -> tuple[feed.Measurement, ...]:
    """Measure every indicator that this survey feeds.

    What nobody answered here is taken from another source, if one counted it for the whole area;
    the measurement says so. An indicator that neither feeds has no measurement: the score sheet
    shows it as missing, which is not 0 points. A net promoter score is none either: it may be
    below 0 and so is no rate.
    """
    found = []
    by_id = {measure.id: measure for measure in evidence.questionnaire.measures}
    for indicator in rubric.indicators:
        measure = by_id.get(indicator.measure or "")
        if measure is None or measure.kind is MeasureKind.NPS:
            continue
        rate = rate_or_none(evidence, measure)
        if rate:
            found.append(_measurement(evidence, indicator.code, measure, rate))
        elif figure := _external_or_none(evidence, measure):
            found.append(_from_elsewhere(evidence, indicator.code, measure, figure))
    return tuple(found)


def make_feed(evidence: Evidence, rubric: Rubric, now: datetime) -> feed.Feed:
    """Return the survey's measurements as a feed that other systems can score by themselves."""
    survey = feed.SurveyRef(
        id=str(evidence.survey.id),
        title=evidence.survey.title,
        questionnaire=f"{evidence.questionnaire.id}/{evidence.questionnaire.version}",
    )
    return feed.Feed(survey, measurements(evidence, rubric), now.isoformat(timespec="seconds"))


def score_survey(evidence: Evidence, rubric: Rubric) -> ScoreSheet:
    """Score a rubric from what this survey measures."""
    return score(rubric, measurements(evidence, rubric))


def _measurement(evidence: Evidence, code: str, measure: Measure, rate: Rate) -> feed.Measurement:
    content = feed.Rate(
        numerator=rate.numerator,
        base=rate.base,
        value=rate.value,
        definition=describe(measure, evidence.questionnaire),
        interval=_interval(rate.interval),
        interval_note=rate.interval_note,
        survey=str(evidence.survey.id),
        left_out={"blank": rate.left_out.blank, "unsure": rate.left_out.unsure},
    )
    return feed.Measurement(code, content, source=evidence.survey.title)


def _external_or_none(evidence: Evidence, measure: Measure) -> ExternalFigure | None:
    whole = evidence.survey.area_id
    found = (
        one for one in evidence.external if one.measure_id == measure.id and one.area.id == whole
    )
    return next(found, None)


def _from_elsewhere(
    evidence: Evidence, code: str, measure: Measure, figure: ExternalFigure
) -> feed.Measurement:
    content = feed.Rate(
        numerator=figure.numerator,
        base=figure.base,
        value=figure.value,
        definition=describe(measure, evidence.questionnaire),
        interval_note=str(_("外部数据，没有单份答卷，不计算区间")),
        survey=str(evidence.survey.id),
    )
    return feed.Measurement(code, content, str(_("外部数据：%(source)s", source=figure.source)))


def _interval(interval: Interval | None) -> feed.Interval | None:
    if interval is None:
        return None
    return feed.Interval(
        low=_six_places(interval.low),
        high=_six_places(interval.high),
        method=interval.method.value,
        confidence=_six_places(interval.confidence).normalize(),
    )


def _six_places(value: float) -> Decimal:
    return Decimal(value).quantize(Decimal("0.000001"))
