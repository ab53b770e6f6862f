"""From rates to rubric points: measurements by indicator, handed to the shared scoring module."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache

from analysis.display import GroupStatus
from analysis.intervals import Interval
from analysis.rates import Rate, describe
from analysis.scoring import feed
from analysis.scoring.rubric import Rubric, RubricError, bundled, load_bundled
from analysis.scoring.score import ScoreSheet, score
from app.errors import NotFound
from app.errors import say as _
from app.formats import late_rule_mark
from app.services.external import ExternalFigure
from app.services.results import Evidence, shown_rate
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
        shown = shown_rate(evidence, measure)
        if shown.rates:
            found.append(rate_measurement(evidence, indicator.code, measure, shown.rates[0]))
        elif shown.status is GroupStatus.NOBODY_ANSWERED and (
            figure := external_or_none(evidence, measure, evidence.survey.area_id)
        ):
            found.append(external_measurement(evidence, indicator.code, measure, figure))
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


def _source(evidence: Evidence) -> str:
    """Return the survey's title with the marks of a design or a rule that was set after opening.

    A feed goes where our pages do not: what they say, its source says.
    """
    mark = late_rule_mark(evidence.inclusion.late_changes)
    notes = [evidence.survey.title, str(evidence.design_note), mark]
    return "；".join(note for note in notes if note)


def rate_measurement(
    evidence: Evidence, code: str, measure: Measure, rate: Rate
) -> feed.Measurement:
    """Return a rate of the survey as the measurement of an indicator."""
    return feed.Measurement(code, measured(evidence, measure, rate), source=_source(evidence))


def measured(evidence: Evidence, measure: Measure, rate: Rate) -> feed.Rate:
    """Return a rate of a survey as the scoring module takes it."""
    return feed.Rate(
        numerator=rate.numerator,
        base=rate.base,
        value=rate.official,
        definition=describe(measure, evidence.questionnaire),
        weighting=evidence.weighting,
        interval=_interval(rate.interval),
        interval_note=rate.interval_note,
        survey=str(evidence.survey.id),
        seal=evidence.stand.digest,
        left_out={"blank": rate.left_out.blank, "unsure": rate.left_out.unsure},
        respondents=None if rate.respondents == rate.base else rate.respondents,
    )


def external_or_none(evidence: Evidence, measure: Measure, area_id: int) -> ExternalFigure | None:
    """Return what another source counted for this area as a whole, the newest; or None."""
    found = (
        one for one in evidence.external if one.measure_id == measure.id and one.area_id == area_id
    )
    return next(found, None)


def external_measurement(
    evidence: Evidence, code: str, measure: Measure, figure: ExternalFigure
) -> feed.Measurement:
    """Return what another source counted as the measurement of an indicator."""
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
