"""Where a published report contradicts itself, as people read it: by kind, on a page or a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.scoring.audit import Finding, audit
from analysis.scoring.rubric import Rubric
from analysis.scoring.text import KINDS, effect_text, subject
from app.errors import say as _
from app.spreadsheets.writing import Sheet


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding with the words that it is shown in."""

    finding: Finding
    kind: str
    subject: str
    effect: str


def findings_of(rubric: Rubric) -> list[FindingRow]:
    """Return every finding of the audit, in its order."""
    return [
        FindingRow(
            finding,
            KINDS[finding.kind],
            subject(rubric, finding.code),
            "" if finding.effect is None else effect_text(finding.effect, rubric.published.grade),
        )
        for finding in audit(rubric)
    ]


def by_kind(rows: Sequence[FindingRow]) -> Mapping[str, Sequence[FindingRow]]:
    """Return findings by their kind, the kinds in the order in which each is first met."""
    found: dict[str, list[FindingRow]] = {}
    for row in rows:
        found.setdefault(row.kind, []).append(row)
    return found


def findings_sheet(rubric: Rubric) -> Sheet:
    """Return the findings as a table: place, both figures, and what one would change."""
    headings = (
        _("类别"),
        _("代码"),
        _("指标"),
        _("位置"),
        _("印出的"),
        _("重算的"),
        _("说明"),
        _("影响"),
    )
    rows = [
        (
            row.kind,
            row.finding.code,
            row.subject,
            row.finding.place,
            row.finding.printed,
            row.finding.recomputed,
            row.finding.text,
            row.effect,
        )
        for row in findings_of(rubric)
    ]
    return Sheet(_("核对结果"), headings, rows)
