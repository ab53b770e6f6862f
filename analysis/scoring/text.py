"""Score sheets and findings as plain text, aligned for a terminal."""

import unicodedata
from collections.abc import Sequence

from analysis.scoring import wording
from analysis.scoring.audit import Finding
from analysis.scoring.rubric import Rubric
from analysis.scoring.score import Line, ScoreSheet, Sum

GAP = "  "


def sheet_text(sheet: ScoreSheet) -> str:
    """Lay a score sheet out: a line per indicator with its working, then sums and grade."""
    rows = [row for line in sheet.lines for row in _line_rows(line)]
    blocks = [sheet.rubric.title, table(rows)]
    if sheet.total is not None:
        blocks.append(table([_sum_row(each) for each in (*sheet.subtotals, sheet.total)]))
    if sheet.grade is not None:
        blocks.append(wording.grade_line(sheet.grade.settled, sheet.grade.possible))
        blocks.append(wording.sampled_grades(sheet.grade.sampled))
    published = sheet.rubric.published
    if published.total is not None:
        blocks.append(wording.published_total(published.total.points, published.grade))
    blocks.append(wording.scope_note(is_partial=sheet.total is None))
    return "\n\n".join(block for block in blocks if block)


def _line_rows(line: Line) -> list[list[str]]:
    indicator = line.indicator
    first = [
        indicator.code,
        indicator.name,
        wording.share_of(line.shown, indicator.weight),
        line.working,
    ]
    notes = [
        *([wording.interval(line.interval.low, line.interval.high)] if line.interval else []),
        *(wording.other_reading(each.reading, each.working) for each in line.alternatives),
        *line.differences,
    ]
    return [first, *(["", "", "", note] for note in notes)]


def _sum_row(each: Sum) -> list[str]:
    sampled = wording.interval(each.sampled.low, each.sampled.high) if each.sampled else ""
    return [
        wording.level(each.path),
        wording.sum_of(each.points.low, each.points.high, each.weight),
        "；".join(part for part in (wording.missing_codes(each.missing), sampled) if part),
    ]


def findings_text(rubric: Rubric, findings: Sequence[Finding]) -> str:
    """Lay the findings of an audit out, a line each."""
    rows = [
        [finding.code or "—", _name(rubric, finding.code), finding.kind, finding.text]
        for finding in findings
    ]
    return f"{rubric.title}\n\n{table(rows) if rows else '没有发现矛盾'}"


def _name(rubric: Rubric, code: str) -> str:
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
