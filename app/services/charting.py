"""Charts of the figures that the pages show, after the same suppression; never of more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from markupsafe import Markup

from analysis import charts
from analysis.charts import RankedBar, RuleLine, StackedBar
from analysis.crosstables import CrossTable
from analysis.display import GroupStatus
from analysis.rates import Group, Rate
from analysis.scoring.rubric import Rubric
from analysis.scoring.rules import Deduct, Proportional
from app.errors import say as _
from app.formats import percent
from app.services.drawing import font_path
from app.services.results import Evidence, MeasureResult, group_name, measure_results
from surveys.questionnaire import Measure, MeasureKind, Questionnaire


@dataclass(frozen=True, slots=True)
class Ranking:
    """The towns by one rate, the highest first; `left_out` have no rate that may be shown."""

    result: MeasureResult
    ranked: tuple[tuple[str, Rate], ...]
    left_out: tuple[tuple[str, GroupStatus], ...]
    lines: tuple[RuleLine, ...]
    chart: Markup | None


def rankable(questionnaire: Questionnaire) -> tuple[Measure, ...]:
    """Return the measures by which towns can be ranked on a scale from 0 to 1."""
    other = {MeasureKind.SCORE, MeasureKind.NPS}
    return tuple(
        one for one in questionnaire.measures if one.kind not in other and not one.per_option
    )


def rank(
    evidence: Evidence, measure_id: str, rubric: Rubric | None, font: Path | None = None
) -> Ranking:
    """Rank the towns by a measure, with the lines that a rubric draws; `font` as in drawing."""
    result = next(one for one in measure_results(evidence) if one.measure.id == measure_id)
    named = [(group_name(evidence, "area", one.group), one) for one in result.groups]
    ranked = sorted(
        ((name, one.rate) for name, one in named if one.rate is not None),
        key=lambda pair: -pair[1].value,
    )
    left_out = [(name, one.status) for name, one in named if one.rate is None]
    lines = _lines(rubric, measure_id)
    return Ranking(
        result, tuple(ranked), tuple(left_out), lines, _ranking_chart(result, ranked, lines, font)
    )


def _lines(rubric: Rubric | None, measure_id: str) -> tuple[RuleLine, ...]:
    """Return where a rubric gives full marks and where none, as far as its rule is a line."""
    if rubric is None:
        return ()
    for indicator in rubric.indicators:
        if indicator.measure != measure_id:
            continue
        match indicator.rule:
            case Proportional(target=target, zero=zero):
                return _line(_("满分 %(rate)s", rate=_short(target)), target), _line(
                    _("零分 %(rate)s", rate=_short(zero)), zero
                )
            case Deduct(target=target):
                return (_line(_("满分 %(rate)s", rate=_short(target)), target),)
    return ()


def _line(name: object, at: Fraction) -> RuleLine:
    return RuleLine(float(at), str(name))


def _short(rate: Fraction) -> str:
    return percent(rate, 0 if (rate * 100).denominator == 1 else 2)


def _ranking_chart(
    result: MeasureResult,
    ranked: Sequence[tuple[str, Rate]],
    lines: Sequence[RuleLine],
    font: Path | None,
) -> Markup | None:
    if not ranked:
        return None
    bars = [
        RankedBar(
            name,
            float(rate.value),
            rate.interval.low if rate.interval else None,
            rate.interval.high if rate.interval else None,
            percent(rate.value, result.measure.decimals),
        )
        for name, rate in ranked
    ]
    title = str(_("各片区：%(name)s", name=result.measure.name))
    # Our own drawing: names in it went through an XML writer.
    return Markup(charts.ranking(title, bars, lines, font_path(font), "ranking"))  # noqa: S704


def stacked_chart(
    table: CrossTable, names: Mapping[Group, str], font: Path | None = None
) -> Markup | None:
    """Draw the shown rows of a cross-table of a question with one choice; None without any."""
    if not table.question.is_chosen_once or table.hidden:
        return None
    shown = [row for row in (table.total, *table.rows) if row.cells]
    if not shown:
        return None
    bars = [
        StackedBar(
            str(_("全部")) if row.group is None else names[row.group],
            [(float(cell.share), percent(cell.share)) for cell in row.cells],
        )
        for row in shown
    ]
    options = [option.text for option in table.options]
    # Our own drawing: names in it went through an XML writer.
    return Markup(  # noqa: S704
        charts.stacked(table.question.text, bars, options, font_path(font), "stacked")
    )
