"""An evaluation as Excel: the ranking, and every object's score sheet below each other."""

from collections.abc import Mapping

from analysis.scoring import wording
from analysis.scoring.score import Line, State
from app.errors import Sentence
from app.errors import say as _
from app.models import EntryState
from app.services.evaluations import Compared, Gap, Outcome
from app.spreadsheets.writing import Sheet, Value

ENTRY_STATES: Mapping[EntryState, Sentence] = {
    EntryState.ENTERED: _("已填报，待审核"),
    EntryState.RETURNED: _("已退回"),
    EntryState.ACCEPTED: _("已采纳"),
}


def outcome_sheets(outcome: Outcome, gaps: Mapping[Gap, Sentence]) -> list[Sheet]:
    """Return the ranking, the grades, and the sheets; what is missing says why."""
    return [_ranking(outcome), _grades(outcome), _lines(outcome, gaps)]


def _ranking(outcome: Outcome) -> Sheet:
    headings = (
        _("名次"),
        _("评价对象"),
        _("已确定得分"),
        _("最多可能"),
        _("等级"),
        _("缺测量的指标"),
        _("待审核的指标"),
        _("自评得分"),
        _("比自评"),
        _("上年得分"),
        _("比上年"),
    )
    return Sheet(_("排名"), headings, [_ranking_row(each) for each in outcome.compared])


def _ranking_row(compared: Compared) -> tuple[Value, ...]:
    standing, total = compared.standing, compared.standing.total
    grade = standing.sheet.grade
    return (
        _("暂不排名") if standing.place is None else standing.place,
        standing.about.name,
        total.points.low,
        total.points.high,
        None if grade is None else wording.grade_text(grade.settled, grade.possible),
        "、".join(standing.missing),
        "、".join(compared.assessed.waiting),
        compared.self_total,
        compared.ahead_of(compared.self_total),
        compared.year_before,
        compared.ahead_of(compared.year_before),
    )


def _grades(outcome: Outcome) -> Sheet:
    ranking = outcome.ranking
    rows: list[tuple[Value, ...]] = [*ranking.grades.items(), (_("等级待定"), ranking.open_grades)]
    return Sheet(_("等级分布"), (_("等级"), _("个数")), rows)


def _lines(outcome: Outcome, gaps: Mapping[Gap, Sentence]) -> Sheet:
    headings = (
        _("评价对象"),
        _("编号"),
        _("上级指标"),
        _("指标"),
        _("分值"),
        _("评分标准"),
        _("得分"),
        _("状态"),
        _("扣分明细"),
        _("来源"),
        _("自评得分"),
    )
    rows = [
        _line(compared, line, gaps)
        for compared in outcome.compared
        for line in compared.assessed.sheet.lines
    ]
    return Sheet(_("评分表"), headings, rows)


def _line(compared: Compared, line: Line, gaps: Mapping[Gap, Sentence]) -> tuple[Value, ...]:
    indicator = line.indicator
    return (
        compared.standing.about.name,
        indicator.code,
        " › ".join(indicator.path),
        indicator.name,
        indicator.weight,
        indicator.criteria,
        line.shown,
        _state(compared, line, gaps),
        line.working,
        None if line.measurement is None else line.measurement.source,
        compared.self_scores.get(indicator.code),
    )


def _state(compared: Compared, line: Line, gaps: Mapping[Gap, Sentence]) -> Sentence:
    code = line.indicator.code
    if line.state is State.UNKNOWN:
        return _("不可计算")
    gap = compared.assessed.gaps.get(code)
    if gap is not None:
        return gaps[gap]
    entry = compared.assessed.entries.get(code)
    return _("由调查测量") if entry is None else ENTRY_STATES[entry.state]
