"""Score sheets and findings as plain text, aligned for a terminal."""

import unicodedata
from collections.abc import Sequence

from analysis.scoring import wording
from analysis.scoring.audit import Change, Effect, Finding, FindingKind
from analysis.scoring.ranking import Ranking, Standing
from analysis.scoring.rubric import Rubric, Scope
from analysis.scoring.score import Line, ScoreSheet, Sum
from analysis.scoring.uncertainty import Outlook, uncertainty

GAP = "  "
KINDS = {
    FindingKind.SCORE_AGAINST_RULE: "得分与细则不符",
    FindingKind.ROUNDING_DIFFERENCE: "只差在进位",
    FindingKind.SCORE_NOT_DETERMINED: "得分推不出",
    FindingKind.SCORE_WITHOUT_MEASUREMENT: "得分没有依据",
    FindingKind.SCORE_ABOVE_WEIGHT: "得分超过分值",
    FindingKind.SCORE_AGAINST_DEDUCTION: "得分与扣分不符",
    FindingKind.NOT_COMPUTABLE: "评分标准遗失",
    FindingKind.WEIGHT_AGAINST_CRITERIA: "标准与分值不符",
    FindingKind.PARTS_AGAINST_WEIGHT: "各项与分值不符",
    FindingKind.LINE_MISSES_TARGET: "算式接不上目标",
    FindingKind.TEXT_AGAINST_TABLE: "两处不符",
    FindingKind.PERCENTAGE_AGAINST_COUNTS: "率与数不符",
    FindingKind.IMPOSSIBLE_PERCENTAGE: "不可能的百分数",
    FindingKind.FREQUENCIES_AGAINST_N: "人数合计不符",
    FindingKind.COLUMN_DOES_NOT_ADD: "列合计不符",
    FindingKind.SUM_OF_SCORES: "得分合计不符",
    FindingKind.SUM_OF_WEIGHTS: "分值合计不符",
    FindingKind.TOTAL_OUT_OF_REACH: "总分达不到",
    FindingKind.INDICATOR_COUNT: "指标个数不符",
    FindingKind.GRADE_GAP: "等级有空档",
    FindingKind.GRADE_AGAINST_SCALE: "等级与标准不符",
}


def sheet_text(sheet: ScoreSheet) -> str:
    """Lay a score sheet out: a line per indicator with its working, then sums and grade."""
    left_open = uncertainty(sheet)
    outlooks = left_open.by_code
    rows = [
        row for line in sheet.lines for row in _line_rows(line, outlooks.get(line.indicator.code))
    ]
    blocks = [sheet.rubric.title, table(rows)]
    if sheet.total is not None:
        blocks.append(table([_sum_row(each) for each in (*sheet.subtotals, sheet.total)]))
    if sheet.grade is not None:
        blocks.append(wording.grade_line(sheet.grade.settled, sheet.grade.possible))
        blocks.extend(sheet.grade.questions)
    blocks.append("\n".join(left_open.sentences))
    published = sheet.rubric.published
    if published.total_points is not None:
        blocks.append(wording.published_total(published.total_points, published.grade))
    blocks.append(wording.scope_note(is_partial=sheet.total is None))
    return "\n\n".join(block for block in blocks if block)


def _line_rows(line: Line, outlook: Outlook | None) -> list[list[str]]:
    indicator = line.indicator
    first = [
        indicator.code,
        indicator.name,
        wording.share_of(line.shown, indicator.weight),
        line.working,
    ]
    notes = [
        *([wording.interval(line.interval.low, line.interval.high)] if line.interval else []),
        *(outlook.sentences if outlook else ()),
        *_readings(line),
        *line.differences,
    ]
    return [first, *(["", "", "", note] for note in notes)]


def _readings(line: Line) -> list[str]:
    """Tell one by one what the other readings give, also where they change nothing."""
    return [
        wording.same_reading(each.reading, each.shown)
        if each.shown == line.shown
        else wording.other_reading(each.reading, each.working)
        for each in line.alternatives
    ]


def _sum_row(each: Sum) -> list[str]:
    sampled = wording.interval(each.sampled.low, each.sampled.high) if each.sampled else ""
    return [
        wording.level(each.path),
        wording.sum_of(each.points.low, each.points.high, each.weight),
        "；".join(part for part in (wording.missing_codes(each.missing), sampled) if part),
    ]


def ranking_text(ranking: Ranking) -> str:
    """Lay a ranking out: a line per object, those that cannot be ranked yet below, the grades."""
    heads = ["名次", "对象", "得分", "等级", ""]
    blocks = [
        ranking.rubric.title,
        table([heads, *map(_standing_row, ranking.standings)]),
        wording.grade_counts(ranking.grades, ranking.open_grades),
        wording.not_scored_for_anyone(ranking.lost),
    ]
    return "\n\n".join(block for block in blocks if block)


def _standing_row(standing: Standing) -> list[str]:
    total, grade = standing.total, standing.sheet.grade
    return [
        wording.place(standing.place, standing.best, standing.worst, is_tied=standing.is_tied),
        standing.about.name,
        wording.sum_of(total.points.low, total.points.high, total.weight),
        "" if grade is None else wording.grade_text(grade.settled, grade.possible),
        wording.missing_measurements(standing.missing),
    ]


def findings_text(rubric: Rubric, findings: Sequence[Finding]) -> str:
    """Lay the findings of an audit out, a line each, with what they would change below."""
    rows = [row for finding in findings for row in _finding_rows(rubric, finding)]
    return f"{rubric.title}\n\n{table(rows) if rows else '没有发现矛盾'}"


def _finding_rows(rubric: Rubric, finding: Finding) -> list[list[str]]:
    kind, name = KINDS[finding.kind], subject(rubric, finding.code)
    first = [finding.code or "—", name, kind, finding.text]
    if finding.effect is None:
        return [first]
    return [first, ["", "", "", effect_text(finding.effect, rubric.published.grade)]]


def effect_text(effect: Effect, printed_grade: str) -> str:
    """Return what taking the recomputed figure would make of points, total and grade."""
    change = wording.change(effect.change.low, effect.change.high)
    total = "" if effect.total is None else _ends(effect.total)
    return wording.effect(change, total, effect.grades, printed_grade)


def _ends(total: Change) -> str:
    return "–".join(str(end) for end in dict.fromkeys((total.low, total.high)))


def rubrics_text(rubrics: Sequence[Rubric]) -> str:
    """List rubrics: id, title, how many indicators, whether all of them, how many are lost."""
    return table([[rubric.id, rubric.title, _extent(rubric)] for rubric in rubrics])


def _extent(rubric: Rubric) -> str:
    lost = sum(indicator.is_lost for indicator in rubric.indicators)
    is_complete = rubric.scope is Scope.COMPLETE
    return wording.extent(len(rubric.indicators), lost, is_complete=is_complete)


def subject(rubric: Rubric, code: str) -> str:
    """Return what a finding is about: the indicator's name, or the rubric as a whole."""
    return rubric.indicator(code).name if code else "全表"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align cells in columns, each as wide as its widest cell."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        GAP.join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _width(text: str) -> int:
    """Columns in a terminal, where Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
