"""`python -m analysis.scoring`: score a rubric, audit one, or list the bundled ones.

Needs no web framework, no database and no installed package.
"""

import argparse
import json
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Never

from analysis.scoring import feed, wording
from analysis.scoring.audit import Finding, audit
from analysis.scoring.feed import FeedError
from analysis.scoring.rubric import Rubric, RubricError, bundled, load, load_bundled
from analysis.scoring.score import Line, ScoreError, ScoreSheet, Sum, score

GAP = "  "


class Parser(argparse.ArgumentParser):
    """A parser that refuses a command line in one Chinese line."""

    def error(self, message: str) -> Never:  # noqa: ARG002 - argparse's sentence is English
        """Print how to get help, and leave with status 2."""
        self.exit(2, f"命令写法不对，用 {self.prog} --help 查看用法\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 2 when a file or feed cannot be used."""
    chosen = _parser().parse_args(arguments)
    try:
        output: str = chosen.run(chosen)
    except (RubricError, FeedError, ScoreError) as fault:
        print(fault, file=sys.stderr)
        return 2
    print(output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m analysis.scoring", description="共用评分模块")
    commands = parser.add_subparsers(required=True, metavar="命令")
    scoring = commands.add_parser("score", help="按指标体系和测量值计分")
    scoring.add_argument("rubric", metavar="RUBRIC", help="TOML 文件，或自带指标体系的名称")
    scoring.add_argument("feed", metavar="FEED.json", type=Path, help="测量值文件")
    scoring.set_defaults(run=_score)
    auditing = commands.add_parser("audit", help="核对指标体系与印出的数字")
    auditing.add_argument("rubric", metavar="RUBRIC", help="TOML 文件，或自带指标体系的名称")
    auditing.set_defaults(run=_audit)
    for command in (scoring, auditing):
        command.add_argument("--json", action="store_true", help="输出 JSON")
    commands.add_parser("list", help="列出自带的指标体系").set_defaults(run=_list)
    return parser


def _score(chosen: argparse.Namespace) -> str:
    rubric = _rubric(chosen.rubric)
    sheet = score(rubric, _feed(chosen.feed).measurements)
    return _json(sheet.to_dict()) if chosen.json else _sheet_text(sheet)


def _audit(chosen: argparse.Namespace) -> str:
    rubric = _rubric(chosen.rubric)
    findings = audit(rubric)
    if chosen.json:
        listed = [finding.to_dict() for finding in findings]
        return _json({"rubric": rubric.id, "findings": listed})
    return _findings_text(rubric, findings)


def _list(_chosen: argparse.Namespace) -> str:
    rubrics = [load_bundled(rubric_id) for rubric_id in bundled()]
    return _table([[rubric.id, rubric.title] for rubric in rubrics])


def _rubric(name: str) -> Rubric:
    # A bundled id wins over a file of the same name: ids have no suffix, rubric files do.
    return load_bundled(name) if name in bundled() else load(Path(name))


def _feed(path: Path) -> feed.Feed:
    try:
        return feed.parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FeedError(path.name, "找不到这个文件") from None
    except (OSError, UnicodeDecodeError):
        raise FeedError(path.name, "这个文件读不出来") from None
    except FeedError as fault:
        raise FeedError(f"{path.name}：{fault.path}", fault.reason) from None


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


def _sheet_text(sheet: ScoreSheet) -> str:
    rows = [row for line in sheet.lines for row in _line_rows(line)]
    blocks = [sheet.rubric.title, _table(rows)]
    if sheet.total is not None:
        blocks.append(_table([_sum_row(each) for each in (*sheet.subtotals, sheet.total)]))
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


def _findings_text(rubric: Rubric, findings: Sequence[Finding]) -> str:
    rows = [
        [finding.code or "—", _name(rubric, finding.code), finding.kind, finding.text]
        for finding in findings
    ]
    return f"{rubric.title}\n\n{_table(rows) if rows else '没有发现矛盾'}"


def _name(rubric: Rubric, code: str) -> str:
    return rubric.indicator(code).name if code else "全表"


def _table(rows: Sequence[Sequence[str]]) -> str:
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


if __name__ == "__main__":
    sys.exit(main())
