"""What leaves the house as tables: the figures of the pages, after the same suppression."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from analysis.crosstables import CrossTable
from analysis.display import GroupStatus, Shown, official
from analysis.rates import Group, Rate
from analysis.scoring.annex import Row, annex
from analysis.scoring.rules import Role
from analysis.scoring.score import Alternative, ScoreSheet, State, Sum
from analysis.scoring.uncertainty import Outlook, Uncertainty, uncertainty
from app.errors import Sentence
from app.errors import say as _
from app.formats import decimal, instant, late_rule_mark
from app.models import AuditEntry
from app.services.results import (
    Evidence,
    MeasureResult,
    doubts,
    frequency_tables,
    group_name,
    measure_results,
    method_name,
)
from app.services.seals import Stand
from app.spreadsheets.writing import Percent, Sheet, Value
from surveys.questionnaire import MeasureKind

_SURVEY = (
    _("调查"),
    _("数据"),
    _("有效答卷"),
    _("其中重放"),
    _("审核后不计入"),
    _("纳入规则"),
)


def _survey(evidence: Evidence) -> tuple[Value, ...]:
    # In every row: tables of several surveys are put below each other, and a replay stays one.
    return (
        evidence.survey.title,
        _stand(evidence.stand),
        len(evidence.frame),
        evidence.replayed,
        evidence.excluded,
        late_rule_mark(evidence.inclusion.late_changes),
    )


def _stand(stand: Stand) -> Sentence:
    if stand.seal is None or not stand.is_current:
        return _("临时数据，未封存")
    return _(
        "封存第 %(revision)s 版，摘要 %(digest)s",
        revision=stand.seal.revision,
        digest=stand.seal.digest,
    )


def rates_sheet(evidence: Evidence, *, is_official: bool = False) -> Sheet:
    """Return every measure overall and by town, a row for each; what is withheld says so.

    An official table also withholds what is not reliable.
    """
    headings = (
        *_SURVEY,
        _("编号"),
        _("测量项"),
        _("定义"),
        _("范围"),
        _("选项"),
        _("状态"),
        _("分子"),
        _("基数"),
        _("未作答"),
        _("不清楚或不适用"),
        _("比率"),
        _("区间下限"),
        _("区间上限"),
        _("置信度"),
        _("区间说明"),
        _("未加权比率"),
        _("设计效应"),
        _("可靠性"),
        _("抽样设计"),
    )
    found = measure_results(evidence)
    rows = [
        (
            *_survey(evidence),
            result.measure.id,
            result.measure.name,
            result.definition,
            *rest,
            evidence.design_note,
        )
        for result in (map(_officially, found) if is_official else found)
        for rest in _rate_rows(evidence, result)
    ]
    return Sheet(_("正式比率表") if is_official else _("比率"), headings, rows)


def _officially(result: MeasureResult) -> MeasureResult:
    shown = official(Shown(result.measure, result.status, result.rates, result.groups))
    return replace(result, status=shown.status, rates=shown.rates, groups=shown.groups)


def _rate_rows(evidence: Evidence, result: MeasureResult) -> Iterator[tuple[Value, ...]]:
    place, places = evidence.survey.area_name, result.measure.decimals
    if not result.rates:
        yield place, None, _STATUS[result.status], *_figures(None, places)
    for rate in result.rates:
        option = _option(evidence, result, rate)
        yield place, option, _STATUS[GroupStatus.SHOWN], *_figures(rate, places)
    for group in result.groups:
        town = group_name(evidence, "area", group.group)
        yield town, None, _STATUS[group.status], *_figures(group.rate, places)
    for figure in evidence.external:
        if figure.measure_id == result.measure.id:
            status = _("外部数据：%(source)s", source=figure.source)
            value = Percent(figure.value, places)
            counts = (figure.numerator, figure.base, None, None, value)
            yield figure.area_name, None, status, *counts, *((None,) * 7)


_STATUS = {
    GroupStatus.SHOWN: _("已列出"),
    GroupStatus.NOBODY_ANSWERED: _("没有人答，不可计算"),
    GroupStatus.SUPPRESSED: _("人数太少，为保护答题人不单列"),
    GroupStatus.UNRELIABLE: _("不够可靠，正式表不列"),
}


def _option(evidence: Evidence, result: MeasureResult, rate: Rate) -> str | None:
    if rate.option is None:
        return None
    question = evidence.questionnaire.question(result.measure.items[0].question)
    return next(option.text for option in question.options if option.code == rate.option)


def _figures(rate: Rate | None, places: int) -> tuple[Value, ...]:
    if rate is None:
        return (None,) * 12
    interval = rate.interval
    ends: tuple[Value, ...] = (None, None, None)
    if interval is not None:
        ends = (
            _figure(rate, Fraction(interval.low), 2),
            _figure(rate, Fraction(interval.high), 2),
            Percent(Fraction(interval.confidence), 0),
        )
    return (
        rate.numerator,
        rate.base,
        rate.left_out.blank,
        rate.left_out.unsure,
        _figure(rate, rate.official, places),
        *ends,
        rate.interval_note if interval is None else method_name(interval.method),
        None if rate.weighted is None else _figure(rate, rate.value, places),
        None if rate.design_effect is None else decimal(Fraction(rate.design_effect), 3),
        "；".join(str(each) for each in doubts(rate)),
    )


def _figure(rate: Rate, value: Fraction, places: int) -> Value:
    """Return a share as a percentage; a score is no share, and stays the number that it is."""
    if rate.kind in {MeasureKind.SCORE, MeasureKind.NPS}:
        return decimal(value * 100, places)
    return Percent(value, places)


def tables_sheet(evidence: Evidence) -> Sheet:
    """Return the frequency tables below each other: a row for each option or number question."""
    tables = frequency_tables(evidence)
    has_numbers = any(table.summaries for table in tables)
    headings = (
        *_SURVEY,
        _("表"),
        _("题目"),
        _("选项"),
        _("人数"),
        _("有效作答"),
        _("未作答"),
        _("百分比"),
        *(_NUMBERS if has_numbers else ()),
    )
    rows: list[tuple[Value, ...]] = [
        (
            *_survey(evidence),
            table.title,
            block.heading or evidence.questionnaire.question(block.question).text,
            row.text,
            _STATUS[GroupStatus.SUPPRESSED] if row.count is None else row.count,
            block.n,
            block.blank,
            None if row.share is None else Percent(row.share),
            *((None,) * len(_NUMBERS) if has_numbers else ()),
        )
        for table in tables
        for block in table.blocks
        for row in block.rows
    ]
    rows += [
        (
            *_survey(evidence),
            table.title,
            summary.heading or evidence.questionnaire.question(summary.question).text,
            None,
            None,
            summary.n,
            summary.blank,
            None,
            summary.unit,
            summary.unsure,
            *map(_number, (summary.mean, summary.median, summary.lowest, summary.highest)),
        )
        for table in tables
        for summary in table.summaries
    ]
    return Sheet(_("频数表"), headings, rows)


_NUMBERS = (
    _("单位"),
    _("不清楚或不适用"),
    _("平均数"),
    _("中位数"),
    _("最小值"),
    _("最大值"),
)


def _number(value: float | None) -> Value:
    return None if value is None else decimal(Fraction(value), 2)


def cross_sheet(
    evidence: Evidence,
    table: CrossTable,
    inside: Mapping[str, Group],
    names: Mapping[Group, str],
) -> Sheet:
    """Return a cross-table, a row for each group and option; what is withheld says so."""
    headings = (
        *_SURVEY,
        _("题目"),
        _("只看片区"),
        _("只看调查方式"),
        _("组"),
        _("状态"),
        _("选项"),
        _("人数"),
        _("有效作答"),
        _("百分比"),
    )
    filters = [
        group_name(evidence, name, inside[name]) if name in inside else None
        for name in ("area", "channel")
    ]
    rows: list[tuple[Value, ...]] = []
    for row in (table.total, *table.rows):
        group: Value = _("全部") if row.group is None else names[row.group]
        about = (*_survey(evidence), table.question.text, *filters, group, _STATUS[row.status])
        rows += [
            (*about, option.text, cell.count, row.n, Percent(cell.share))
            for option, cell in zip(table.options, row.cells, strict=False)
        ] or [(*about, None, None, row.n, None)]
    return Sheet(_("交叉表"), headings, rows)


def score_sheets(evidence: Evidence, sheet: ScoreSheet) -> list[Sheet]:
    """Return a score sheet as three tables: the annex, the sums, and what the sample leaves open.

    In the annex every row repeats the names of its levels, so that it can be sorted and filtered.
    """
    laid_out, left_open = annex(sheet), uncertainty(sheet)
    lines = Sheet(
        _("评分表"),
        (
            *_SURVEY,
            _("编号"),
            *_level_headings(laid_out.depth),
            _("类别"),
            _("分值"),
            _("评分标准"),
            _("实际完成"),
            _("得分"),
            _("扣分"),
            _("扣分明细"),
            _("得分下限"),
            _("得分上限"),
            _("状态"),
            _("总分另扣"),
            _("离下一档多远、还要访问多少"),
            _("另一种读法"),
            _("与报告不同之处"),
            _("报告公布"),
            _("取位"),
            _("备注"),
        ),
        [
            (
                *_survey(evidence),
                row.line.indicator.code,
                *_levels(row.levels, laid_out.depth),
                *_line_cells(row, left_open.by_code.get(row.line.indicator.code)),
            )
            for row in laid_out.rows
        ],
    )
    sums = Sheet(
        _("小计和总分"),
        (
            _("指标"),
            _("分值"),
            _("已确定"),
            _("最多可能"),
            _("计入抽样误差的下限"),
            _("计入抽样误差的上限"),
            _("缺测量的指标"),
        ),
        [_sum_cells(each) for each in (*sheet.subtotals, *([sheet.total] if sheet.total else []))],
    )
    return [lines, sums, _left_open(sheet, left_open)]


def _left_open(sheet: ScoreSheet, left_open: Uncertainty) -> Sheet:
    grade = sheet.grade
    rows: list[tuple[Value, ...]] = []
    if grade:
        rows.append((_("等级"), grade.settled or "、".join(grade.possible)))
        rows += [(_("要问清的"), question) for question in grade.questions]
    rows += [(_("抽样误差"), sentence) for sentence in left_open.sentences]
    return Sheet(_("等级和抽样误差"), (_("事项"), _("说明")), rows)


_LEVELS = (_("一级指标"), _("二级指标"), _("三级指标"), _("四级指标"), _("五级指标"))


def _level_headings(depth: int) -> list[Sentence]:
    return [_LEVELS[place] if place < len(_LEVELS) else _("下级指标") for place in range(depth)]


def _levels(names: Sequence[str], depth: int) -> list[Value]:
    """Return a row's names, the indicator's own always in the last column."""
    return [*names[:-1], *([None] * (depth - len(names))), names[-1]]


_ROLES = {Role.BASE: _("基础分"), Role.BONUS: _("加分项"), Role.PENALTY: _("减分项")}


_STATES = {
    State.SCORED: _("已计分"),
    State.MISSING: _("缺测量"),
    State.UNKNOWN: _("不可计算"),
}


def _line_cells(row: Row, outlook: Outlook | None) -> tuple[Value, ...]:
    line = row.line
    indicator, interval = line.indicator, line.interval
    others = [_reading(one) for one in line.alternatives]
    printed = [f"{one.points} {one.place}" for one in indicator.published.scores]
    return (
        _ROLES[indicator.role],
        indicator.weight,
        indicator.criteria,
        row.measured,
        line.shown,
        row.deducted,
        line.working,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
        _STATES[line.state],
        line.overflow or None,
        "\n".join(outlook.sentences) if outlook else "",
        "\n".join(others),
        "\n".join(line.differences) if line.measurement else "",
        "\n".join(printed),
        row.rounding,
        indicator.note,
    )


def _reading(other: Alternative) -> str:
    interval = f" [{other.interval.low}, {other.interval.high}]" if other.interval else ""
    return f"{other.reading} {other.shown}{interval}：{other.working}（{other.reason}）"


def _sum_cells(each: Sum) -> tuple[Value, ...]:
    name: Sentence = " › ".join(each.path) or _("总分")
    low, high = (each.sampled.low, each.sampled.high) if each.sampled else (None, None)
    return name, each.weight, each.points.low, each.points.high, low, high, len(each.missing)


def audit_sheet(entries: Sequence[AuditEntry], names: Mapping[str, Sentence]) -> Sheet:
    """Return entries of the audit log with their digests, so that a copy can be held against it."""
    headings = (
        _("序号"),
        _("时间（北京时间）"),
        _("操作人"),
        _("事项"),
        _("对象"),
        _("变更前"),
        _("变更后"),
        _("理由"),
        _("摘要"),
    )
    rows = [
        (
            entry.number,
            instant(entry.at),
            entry.actor,
            names.get(entry.action, entry.action),
            entry.object,
            _facts(entry.before),
            _facts(entry.after),
            entry.reason,
            entry.digest,
        )
        for entry in entries
    ]
    return Sheet(_("操作记录"), headings, rows)


def _facts(facts: Mapping[str, object] | None) -> str:
    return "" if facts is None else json.dumps(facts, ensure_ascii=False, sort_keys=True)
